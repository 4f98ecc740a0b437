"""What encoders of boards share."""
