"""Tabular environments: a step is a table lookup, value iteration gives optimal play."""
