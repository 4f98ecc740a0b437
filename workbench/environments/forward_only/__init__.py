"""Worlds that run in a simulator of their own and only go forward."""
