"""f: latent to policy and value. Every module here is one set of heads."""
