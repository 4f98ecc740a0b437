"""Targets computed from training windows. Every module here is one component."""
