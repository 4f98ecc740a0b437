"""Implementations of the measures against exact solutions."""
