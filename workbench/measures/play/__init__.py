"""Play for measurement: fixed initial states, greedy decisions, all episodes in parallel."""
