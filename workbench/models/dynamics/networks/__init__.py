"""Networks that dynamics are made of."""
