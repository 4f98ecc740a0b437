"""One trial: an agent learns with a model, and the model is measured."""

__version__ = "0.1.0"
