"""The subcommands of `workbench`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from workbench import __version__
from workbench.cli.ablate import ablate
from workbench.cli.bench import bench
from workbench.cli.catalogue import catalogue, describe
from workbench.cli.check import check
from workbench.cli.evaluate import evaluate
from workbench.cli.report import report
from workbench.cli.schema import schema
from workbench.cli.status import status
from workbench.cli.sync import sync
from workbench.cli.train import train
from workbench.cli.ui import ui

app = typer.Typer(
    help="Ablation studies of MuZero-style agents: does a model that predicts better decide "
    "better?",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    # Help in plain text: rich would double the time of `--help`.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS: dict[str, Callable[..., Any]] = {
    "ablate": ablate,
    "train": train,
    "evaluate": evaluate,
    "report": report,
    "status": status,
    "ui": ui,
    "sync": sync,
    "list": catalogue,
    "describe": describe,
    "check": check,
    "schema": schema,
    "bench": bench,
}

for _name, _function in COMMANDS.items():
    _summary = (_function.__doc__ or "").split("\n\n")[0]
    app.command(_name, short_help=" ".join(_summary.split()))(_function)


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
