"""Machinery of the losses that look at latents or go on from them."""
