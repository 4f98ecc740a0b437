"""Training and evaluation of one agent with a learned model: one trial."""

__version__ = "0.1.0"
