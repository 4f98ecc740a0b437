"""Shared parts of the board games: rules, cell graphs, lookup tables and exact solvers."""
