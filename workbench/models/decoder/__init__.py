"""Decoders: latent to observation. Every module here is one component."""
