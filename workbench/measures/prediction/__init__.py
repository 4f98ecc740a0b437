"""Implementations of the predictive measures, by unroll depth."""
