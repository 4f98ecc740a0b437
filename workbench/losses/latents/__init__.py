"""Implementations of the losses on latents."""
