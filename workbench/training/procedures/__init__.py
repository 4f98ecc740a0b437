"""Training procedures. Every module here is one."""
