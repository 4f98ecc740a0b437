"""The `workbench` command. Heavy imports happen only inside the chosen subcommand."""
