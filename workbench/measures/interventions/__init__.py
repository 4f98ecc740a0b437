"""Trained agents with parts of them replaced by the truth, or by nothing."""
