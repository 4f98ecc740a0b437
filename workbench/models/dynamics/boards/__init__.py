"""What dynamics of boards share."""
