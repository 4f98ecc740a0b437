"""Play that is only measured: fixed beginnings, greedy choices, all episodes in lock-step."""
