"""What changes how another environment is seen."""
