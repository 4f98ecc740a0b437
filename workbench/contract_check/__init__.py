"""Checks that a component does what its kind promises; `workbench check` runs them."""
