"""Dynamics g: latent and action to the next latent. Every module here is one component."""
