"""`workbench check`: run the contract of one component."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from workbench.cli.completion import complete_component

KEPT, BROKEN = 0, 1


def check(
    component: Annotated[
        str,
        typer.Argument(
            help="A component; with its kind (`representation.mlp`) if several have the name.",
            autocompletion=complete_component,
        ),
    ],
) -> None:
    """Check that a component does what its kind promises: shapes, gradients, equal results.

    Run it after writing a component, also for one of a plug-in. Exit code 0: all checks passed;
    1: some failed; 2: there is no such component.
    """
    from workbench import registry
    from workbench.cli.names import find

    kind, name = find(component, tuple(registry.FOLDERS))
    typer.secho(f"{kind} {name}", bold=True)
    sys.stdout.flush()
    import torch

    from workbench.contract_check.check import run_checks
    from workbench.contract_check.contract import contract

    torch.set_num_threads(1)
    count = failed = 0
    for result in run_checks(contract(registry.components(kind)[name])):
        count += 1
        failed += bool(result.failure)
        state = typer.style("failed", fg="red") if result.failure else typer.style("ok", fg="green")
        padding = " " * (8 if not result.failure else 4)
        reason = f": {result.failure}" if result.failure else ""
        typer.echo(f"  {state}{padding}{result.promise}{reason}")
        sys.stdout.flush()
    typer.echo(f"{count} check{'s' if count != 1 else ''}, {failed or 'none'} failed")
    raise typer.Exit(BROKEN if failed else KEPT)
