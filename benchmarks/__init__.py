"""Speed and time to quality: run by hand, never as a test."""
