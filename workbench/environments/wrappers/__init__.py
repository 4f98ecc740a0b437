"""Wrappers that change the observations of another environment."""
