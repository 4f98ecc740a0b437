"""Measures against the exact solution of an environment."""
