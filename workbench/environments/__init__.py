"""Batched environments, their graphs, their exact oracles. Every module here is one environment."""
