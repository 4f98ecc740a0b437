"""Environments that run in external simulators and can only be stepped forward."""
