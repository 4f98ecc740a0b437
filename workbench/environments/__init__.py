"""Batched environments, their graphs and their exact oracles; each module is one environment."""
