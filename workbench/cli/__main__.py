"""Make `python -m workbench.cli` equivalent to `workbench`."""

from workbench.cli.main import main

main()
