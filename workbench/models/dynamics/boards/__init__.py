"""Common configuration of board dynamics."""
