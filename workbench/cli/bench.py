"""`workbench bench`: how fast everything is, each beside its floor."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.interruption import ending_at_once

if TYPE_CHECKING:
    from benchmarks.measurement import Figure


def bench(
    rows: Annotated[
        str | None,
        typer.Option(
            help="Rows to measure, with commas: environments, learner, search, selfplay, start, "
            "study, peers; by default all but the last."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch, BLAS and numba.")] = 1,
    repeats: Annotated[
        int, typer.Option(min=1, help="Pairs of timings of a figure; medians are over them.")
    ] = 9,
    peers: Annotated[
        bool,
        typer.Option("--peers", help="The row `peers` too: mctx and gumbel-mcts, by the extra."),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="The smallest cases, once: whether it runs, not how fast."),
    ] = False,
    json: Annotated[
        Path | None,
        typer.Option(help="A file for the figures; `python -m benchmarks.tables` reads it."),
    ] = None,
) -> None:
    """Measure speed, every figure beside its floor, both timed in turn.

    Exit code 0: measured; 2: bad input; 130: interrupted, the file has what was done.
    """
    from rich.console import Console

    from benchmarks import bench as benchmark
    from benchmarks.measurement import Effort

    chosen = benchmark.usual() if rows is None else [row.strip() for row in rows.split(",")]
    request = benchmark.Request(
        rows=[*chosen, benchmark.PEERS] if peers and benchmark.PEERS not in chosen else chosen,
        effort=Effort(1 if quick else repeats, threads, quick),
        command=shlex.join(["workbench", *sys.argv[1:]]),
        file=json,
    )
    console = Console()

    def show(figure: Figure) -> None:
        console.print(figure.line(), highlight=False, soft_wrap=True, markup=False)

    def told() -> str:
        kept = f"; {json} has the rows that were done" if json and json.exists() else ""
        return f"Interrupted{kept}"

    with ending_at_once(told), console.status("measuring"):
        benchmark.bench(request, show)
