"""Classic control problems with vector states: stepped in batches, cloneable, searchable."""
