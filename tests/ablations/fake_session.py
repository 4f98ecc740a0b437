"""A launch of fake trials as a process of its own: `fake_session.py STUDY OUTPUTS`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import fake_trials
from rich.console import Console

from ablations.interruption import exit_process
from ablations.session import Request, ablate


def report(folder: Path) -> Sequence[Path]:
    """A report of one file."""
    index = folder / "report" / "index.html"
    index.parent.mkdir(exist_ok=True)
    index.write_text("a report")
    return [index]


def request(file: Path, outputs: Path, *, dry_run: bool = False) -> Request:
    return Request(
        file=file,
        outputs=outputs,
        command=f"workbench ablate {file}",
        report=report,
        concurrent=2,
        dry_run=dry_run,
        function="fake_trials:run_trial",
    )


if __name__ == "__main__":
    fake_trials.register_fakes()
    file, outputs = map(Path, sys.argv[1:3])
    exit_process(ablate(request(file, outputs), Console(file=sys.stdout)))
