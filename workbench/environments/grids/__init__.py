"""Shared parts of the grid environments: layouts and transition tables."""
