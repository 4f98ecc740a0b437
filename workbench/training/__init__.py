"""How an agent gets its data and learns from it."""
