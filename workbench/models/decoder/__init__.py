"""Latent to observation. Every module here is one decoder."""
