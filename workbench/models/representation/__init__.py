"""Representations h: observation to latent. Every module here is one component."""
