"""Bringing MLflow up to date after a command that is no launch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from rich.console import Console

    from ablations.tracking.study import TrackedStudy


def track_study(
    folder: Path, tracking_uri: str | None, console: Console, report: Sequence[Path] = ()
) -> None:
    """Write new results and the report of a study to MLflow, if a store exists or is given."""
    from ablations.tracking.study import read_tracked_study

    _track(lambda: read_tracked_study(folder), folder, tracking_uri, console, report)


def track_trial(folder: Path, tracking_uri: str | None, console: Console) -> None:
    """Write the run of a trial to MLflow, if a store exists or is given.

    A trial of a study goes to the study's experiment, any other one to the experiment `train`.
    """
    from ablations.tracking.study import read_single_trial, read_tracked_study

    study = folder.absolute().parent.parent
    if (study / "study.json").is_file():
        _track(lambda: read_tracked_study(study), study, tracking_uri, console)
    else:
        _track(lambda: read_single_trial(folder), folder, tracking_uri, console)


def _track(
    read: Callable[[], TrackedStudy],
    folder: Path,
    tracking_uri: str | None,
    console: Console,
    report: Sequence[Path] = (),
) -> None:
    """Results are complete without MLflow, so that a failure is only a warning."""
    from rich.text import Text

    from ablations.tracking.address import existing_store

    store = existing_store(folder, tracking_uri)
    if store is None:
        return
    from ablations.tracking.sync import bring_up_to_date

    try:
        with console.status("bringing MLflow up to date"):
            synced = bring_up_to_date(read(), store, report, finished_only=True)
        warnings = synced.warnings
    except WorkbenchError as error:
        warnings = (str(error),)
    for warning in warnings:
        console.print(Text(f"Warning: {warning}", "yellow"), soft_wrap=True)
