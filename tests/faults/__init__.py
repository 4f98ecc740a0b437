"""Inputs that once failed, each with the behaviour that is right; `inputs/` holds the files."""
