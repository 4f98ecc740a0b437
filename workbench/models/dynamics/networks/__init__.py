"""Networks of the dynamics."""
