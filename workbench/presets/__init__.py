"""Named systems as YAML."""
