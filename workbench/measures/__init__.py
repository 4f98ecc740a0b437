"""Measures of a trained model. Every module here is one component."""
