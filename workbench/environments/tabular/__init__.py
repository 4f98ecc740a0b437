"""Worlds small enough to be tables: a step is a look-up, and perfect play is found by sweeping."""
