"""How far predictions are from what is, by depth of imagination."""
