"""Whole world models. Every module here is one component."""
