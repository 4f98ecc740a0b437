"""Predictions f: latent to policy and value. Every module here is one component."""
