"""Control problems whose worlds are plain numbers: stepped all at once, copied, searched."""
