"""Batched tree search: flat arrays, numba kernels, the loop that feeds them."""
