"""The `workbench` command: thin, and light until a command is chosen."""
