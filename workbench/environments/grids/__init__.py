"""What worlds of walls and cells share: layouts, and the tables of their rules."""
