"""Seconds from the start of a process until it is useful, compared with the import of torch."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from benchmarks.measurement import Effort, Figure
from benchmarks.timing import time_alternately

IMPORT = ["-c", "import torch"]
COMMANDS = {
    "workbench --help": ["-m", "workbench.cli", "--help"],
    "first update of a trial": ["-m", "benchmarks.rows.start"],
}
TINY = {
    "preset": "muzero",
    "procedure.parallel_environments": 16,
    "procedure.batch_size": 16,
    "procedure.warm_up": 16,
    "evaluate_every": 1,
}


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure with warm disk and compilation caches: each case runs once before."""
    for name, arguments in COMMANDS.items():
        pairs = time_alternately(partial(_run, arguments), partial(_run, IMPORT), effort.repeats)
        yield pairs.figure("start", {"case": name}, "import torch")


def _run(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


def until_first_update() -> None:
    """Run a small trial, and end this process after its first update."""
    from workbench.config import read_trial
    from workbench.documents import wrap
    from workbench.errors import SourceLocation
    from workbench.trial import run_trial

    def leave(fraction: float, metrics: Mapping[str, float | None]) -> None:
        if "training/loss" in metrics:
            folder.cleanup()
            os._exit(0)

    folder = tempfile.TemporaryDirectory()
    run_trial(read_trial(wrap(TINY, SourceLocation("benchmark"))), Path(folder.name), leave)
    sys.exit("the trial ended before its first update")


if __name__ == "__main__":
    until_first_update()
