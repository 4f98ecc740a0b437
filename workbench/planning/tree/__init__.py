"""Batched tree search: flat arrays, numba kernels, and the loop that calls them."""
