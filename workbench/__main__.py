"""Make `python -m workbench` equivalent to the command `workbench`."""

from workbench.cli.main import main

main()
