"""The measured models in jax, with torch's weights."""
