"""Where the command begins, before anything is imported that takes time."""

from __future__ import annotations

from workbench import large_pages


def main() -> None:
    """The command, in large pages."""
    large_pages.begin_anew()
    from workbench.cli.main import main as command

    command()
