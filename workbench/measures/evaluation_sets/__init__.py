"""Sets that are the same for every trial, whatever its seed."""
