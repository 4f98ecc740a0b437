"""`workbench bench`: how fast everything is, each beside its floor."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from benchmarks.figures import Figure

INTERRUPTED = 130


def bench(
    rows: Annotated[
        str | None,
        typer.Option(
            help="Rows to measure, with commas: environments, learner, search, selfplay, start, "
            "study; by default all."
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch, BLAS and numba.")] = 1,
    repeats: Annotated[
        int, typer.Option(min=1, help="Pairs of timings of a figure; medians are over them.")
    ] = 9,
    peers: Annotated[
        bool,
        typer.Option("--peers", help="Search beside mctx and gumbel-mcts too (the extra `peers`)."),
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

    Exit code 0: measured; 2: bad input; 130: interrupted, then the file has the rows that are done.
    """
    from rich.console import Console

    from benchmarks import bench as benchmark
    from benchmarks.figures import Effort

    request = benchmark.Request(
        rows=benchmark.known() if rows is None else [row.strip() for row in rows.split(",")],
        effort=Effort(1 if quick else repeats, threads, quick),
        command=shlex.join(["workbench", *sys.argv[1:]]),
        peers=peers,
        file=json,
    )
    console = Console()

    def show(figure: Figure) -> None:
        console.print(figure.line(), highlight=False, soft_wrap=True, markup=False)

    try:
        with console.status("measuring"):
            benchmark.bench(request, show)
    except KeyboardInterrupt:
        console.print("\nInterrupted.", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    except ImportError as error:
        raise WorkbenchError(f"cannot be measured: {error}") from None
