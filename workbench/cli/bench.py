"""`workbench bench`: measure speed, each time together with its lower bound."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.interruption import exit_on_signal

if TYPE_CHECKING:
    from benchmarks.measurement import Figure


def bench(
    rows: Annotated[
        str | None,
        typer.Option(
            help="Rows to measure, separated by commas: environments, learner, search, selfplay, "
            "start, study, peers; by default all but peers."
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Number of threads of torch, BLAS and numba.")
    ] = 1,
    repeats: Annotated[
        int,
        typer.Option(min=1, help="Number of paired timings per figure; the median is reported."),
    ] = 9,
    peers: Annotated[
        bool,
        typer.Option(
            "--peers", help="Also compare with mctx and gumbel-mcts (needs the `peers` extra)."
        ),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Run the smallest cases once, as a smoke test."),
    ] = False,
    json: Annotated[
        Path | None,
        typer.Option(help="File to write the figures to, for `python -m benchmarks.tables`."),
    ] = None,
) -> None:
    """Measure speed. Each part is timed alternately with a lower bound, such as the network alone.

    Exit code 0: measured; 2: bad input; 130: interrupted, with the finished rows in the file.
    """
    from benchmarks import bench as benchmark
    from benchmarks.measurement import Effort
    from workbench.cli.console import SafeConsole

    chosen = benchmark.default_rows() if rows is None else [row.strip() for row in rows.split(",")]
    request = benchmark.Request(
        rows=[*chosen, benchmark.PEERS] if peers and benchmark.PEERS not in chosen else chosen,
        effort=Effort(1 if quick else repeats, threads, quick),
        command=shlex.join(["workbench", *sys.argv[1:]]),
        file=json,
    )
    console = SafeConsole()

    def show(figure: Figure) -> None:
        console.print(figure.line(), highlight=False, soft_wrap=True, markup=False)

    def message() -> str:
        saved = f"; {json} has the finished rows" if json and json.exists() else ""
        return f"Interrupted{saved}"

    with exit_on_signal(message), console.status("measuring"):
        benchmark.bench(request, show)
