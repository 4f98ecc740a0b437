"""Planners over any model. Every module here is one component."""
