"""A launch of fake trials as a process of its own: `fake_session.py STUDY OUTPUTS`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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


def request(file: Path, outputs: Path, **changes: Any) -> Request:
    usual = Request(
        file=file,
        outputs=outputs,
        command=f"workbench ablate {file}",
        report=report,
        concurrent=2,
        function="fake_trials:run_trial",
        count=fake_trials.count_parameters,
    )
    return replace(usual, **changes)


if __name__ == "__main__":
    fake_trials.register_fakes()
    file, outputs = map(Path, sys.argv[1:3])
    exit_process(ablate(request(file, outputs), Console(file=sys.stdout)))
