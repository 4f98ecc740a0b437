"""Trained agents with parts replaced by an oracle."""
