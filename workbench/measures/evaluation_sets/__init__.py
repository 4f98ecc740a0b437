"""Evaluation sets, which are the same for all trials and seeds."""
