"""Runs the requested rows of the benchmark, one after the other."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import machine, rows
from benchmarks.measurement import Effort, Figure, document
from workbench.errors import WorkbenchError, unknown_name
from workbench.record import write_text

PEERS = "peers"
"""Row that needs an extra and is measured only on request."""

Watch = Callable[[Figure], None]


@dataclass(frozen=True)
class Request:
    """Arguments of the command line."""

    rows: Sequence[str]
    effort: Effort
    command: str
    """The command line itself, stored with the figures."""
    file: Path | None = None
    """JSON file for the figures."""


def all_rows() -> list[str]:
    """Return the names of the rows, in alphabetical order."""
    return sorted(module.name for module in pkgutil.iter_modules(rows.__path__))


def default_rows() -> list[str]:
    """Return the rows that are measured by default."""
    return [row for row in all_rows() if row != PEERS]


def bench(request: Request, watch: Watch) -> dict[str, Any]:
    """Measure; `watch` is called with every figure. Returns the document.

    The file is rewritten after every row, so that an interrupted run keeps its complete rows.

    Raises:
        WorkbenchError: a row is unknown, a peer is not installed, or the file cannot be written.
    """
    for row in request.rows:
        if row not in all_rows():
            raise WorkbenchError(unknown_name("row", row, all_rows()))
    machine.limit_threads(request.effort.threads)
    if PEERS in request.rows:
        import_module(f"benchmarks.rows.{PEERS}").check_installed()
    about = machine.describe()
    figures: list[Figure] = []
    found = document(figures, request.effort, about, request.command)
    for row in request.rows:
        for figure in import_module(f"benchmarks.rows.{row}").measure(request.effort):
            figures.append(figure)
            watch(figure)
        found = document(figures, request.effort, about, request.command)
        _keep(found, request.file)
    return found


def _keep(found: dict[str, Any], file: Path | None) -> None:
    if file is None:
        return
    try:
        write_text(file, json.dumps(found, indent=1) + "\n")
    except OSError as error:
        raise WorkbenchError(f"{file}: cannot be written: {error}") from None
