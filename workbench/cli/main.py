"""The `workbench` command: its subcommands and its error messages."""

from __future__ import annotations

import sys

import typer

from workbench import __version__
from workbench.cli.ablate import ablate
from workbench.cli.bench import bench
from workbench.cli.catalogue import catalogue
from workbench.cli.evaluate import evaluate
from workbench.cli.report import report
from workbench.cli.train import train
from workbench.cli.ui import ui
from workbench.errors import ConfigError, WorkbenchError

BAD_INPUT = 2

app = typer.Typer(
    help="Ablation studies of MuZero-style agents: does a model that predicts better decide "
    "better?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("ablate")(ablate)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("report")(report)
app.command("ui")(ui)
app.command("list")(catalogue)
app.command("bench")(bench)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"workbench {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Define the options of the main command."""


def main() -> None:
    """Run the command. A user error ends with exit code 2 and without a traceback."""
    try:
        app()
    except ConfigError as error:
        count = len(error.problems)
        _exit_with_message(str(error), f"{count} problem{'s' if count != 1 else ''}")
    except WorkbenchError as error:
        _exit_with_message(str(error))


def _exit_with_message(*lines: str) -> None:
    sys.stdout.flush()
    for line in lines:
        typer.echo(line, err=True)
    sys.exit(BAD_INPUT)
