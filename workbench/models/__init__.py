"""World models and their parts."""
