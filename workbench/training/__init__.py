"""Training: data collection, replay, targets and updates."""
