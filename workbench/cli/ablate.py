"""`workbench ablate`: run a study."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.command_line import command_line
from workbench.cli.interruption import exit_on_signal
from workbench.cli.shared_options import Outputs, TrackingUri


def ablate(
    study: Annotated[Path, typer.Argument(help="The study file.", show_default=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan without running or writing anything.")
    ] = False,
    concurrent: Annotated[
        int | None,
        typer.Option(min=1, help="Number of parallel trials; by default one per core."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            help="Address of a running Ray cluster, HOST:PORT or auto; all its nodes must share "
            "OUTPUTS. By default Ray is started on this machine only, as by `local`.",
        ),
    ] = None,
    trial_minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Minutes of one trial in this launch; over it, a trial saves a checkpoint and "
            "fails, and a later launch resumes it.",
        ),
    ] = None,
    trial_memory: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Memory of one trial in GB; over it, a trial fails. No more run at once."
        ),
    ] = None,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop the launch at the first failed trial.")
    ] = False,
    outputs: Outputs = Path("outputs"),
    tracking_uri: TrackingUri = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds; overrides the study file.")
    ] = None,
) -> None:
    """Run the missing trials of a study, then write its report.

    The same command resumes an interrupted study and repeats nothing. Exit code 0: all done;
    1: some trials failed or did not start; 2: bad input; 130: interrupted.
    """
    command = command_line()
    # Covers planning and reporting only: while trials run, the launch handles signals itself.
    with exit_on_signal(lambda: f"Interrupted. To resume:\n  {command}"):
        from workbench.cli.console import SafeConsole
        from workbench.cli.report import show

        # Ray's output is silenced while trials run, so the display keeps the real stdout.
        console = SafeConsole(file=sys.stdout)
        with console.status("imports"):
            from ablations.interruption import exit_process
            from ablations.limits import TrialLimits
            from ablations.session import Request, ablate
        request = Request(
            file=study,
            outputs=outputs,
            command=command,
            report=partial(show, console=console),
            seeds=seeds,
            concurrent=concurrent,
            address=None if address == "local" else address,
            tracking_uri=tracking_uri,
            dry_run=dry_run,
            fail_fast=fail_fast,
            limits=TrialLimits(
                trial_minutes, None if trial_memory is None else round(trial_memory * 1e9)
            ),
        )
        exit_process(ablate(request, console))
