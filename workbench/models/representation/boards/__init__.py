"""Common configuration of board encoders."""
