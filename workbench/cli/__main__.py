"""`python -m workbench.cli` is `workbench`."""

from workbench.cli.entry import main

main()
