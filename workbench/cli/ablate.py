"""`workbench ablate`: run a study."""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.interruption import ending_at_once
from workbench.cli.shared_options import Outputs, TrackingUri


def ablate(
    study: Annotated[Path, typer.Argument(help="The study file.", show_default=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; run and write nothing.")
    ] = False,
    concurrent: Annotated[
        int | None,
        typer.Option(min=1, help="Trials at once; by default as many as there are cores."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="A running Ray cluster; OUTPUTS must be shared by it.")
    ] = None,
    outputs: Outputs = Path("outputs"),
    tracking_uri: TrackingUri = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds, instead of the file's.")
    ] = None,
) -> None:
    """Run the trials of a study that are missing, then report it.

    The same command again finishes what is missing and repeats nothing. Exit code 0: all done;
    1: some trials failed or did not start; 2: bad input; 130: interrupted.
    """
    command = shlex.join(["workbench", *sys.argv[1:]])
    # While planning or reporting; a launch handles signals itself and ends in good order.
    with ending_at_once(lambda: f"Interrupted. To go on:\n  {command}"):
        from rich.console import Console

        from ablations.interruption import leave
        from ablations.session import Request, ablate
        from workbench.cli.report import show

        # While trials run standard output is silenced for Ray; the display keeps the real one.
        console = Console(file=sys.stdout)
        request = Request(
            file=study,
            outputs=outputs,
            command=command,
            report=partial(show, console=console),
            seeds=seeds,
            concurrent=concurrent,
            address=address,
            tracking_uri=tracking_uri,
            dry_run=dry_run,
        )
        leave(ablate(request, console))
