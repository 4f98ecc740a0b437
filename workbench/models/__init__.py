"""World models and their components."""
