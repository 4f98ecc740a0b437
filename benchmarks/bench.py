"""Runs the rows of the benchmark that are asked for, one after the other."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import machine, rows
from benchmarks.figures import Effort, Figure, document
from workbench.errors import WorkbenchError, unknown
from workbench.record import write_text

PEERS = "peers"

Watch = Callable[[Figure], None]


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line."""

    rows: Sequence[str]
    effort: Effort
    command: str
    """The command line itself, to be told to posterity."""
    peers: bool = False
    file: Path | None = None
    """Where the figures are kept, as JSON."""


def known() -> list[str]:
    """The names of the rows, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(rows.__path__))


def bench(request: Request, watch: Watch) -> dict[str, Any]:
    """Measure; `watch` is told every figure as it comes. Returns the document.

    The file is written anew after every row, so that an interrupted run leaves its whole rows.

    Raises:
        WorkbenchError: a row is not known, a peer not installed, or the file cannot be written.
    """
    for row in request.rows:
        if row not in known():
            raise WorkbenchError(unknown("row", row, known()))
    if request.peers:
        import_module("benchmarks.peers.rounds").check_installed()
    machine.limit_threads(request.effort.threads)
    about = machine.describe()
    figures: list[Figure] = []
    found = document(figures, request.effort, about, request.command)
    for measure in _measures(request):
        for figure in measure(request.effort):
            figures.append(figure)
            watch(figure)
        found = document(figures, request.effort, about, request.command)
        _keep(found, request.file)
    return found


def _measures(request: Request) -> Iterator[Callable[[Effort], Iterator[Figure]]]:
    for row in request.rows:
        yield import_module(f"benchmarks.rows.{row}").measure
    if request.peers:
        yield import_module("benchmarks.peers.rounds").measure


def _keep(found: dict[str, Any], file: Path | None) -> None:
    if file is None:
        return
    try:
        write_text(file, json.dumps(found, indent=1) + "\n")
    except OSError as error:
        raise WorkbenchError(f"{file}: cannot be written: {error}") from None
