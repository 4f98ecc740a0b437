"""The models that are measured, in jax and by torch's weights."""
