"""Bringing a store up to date from the folders of the trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ablations.tracking.address import Store
from ablations.tracking.connection import connect, describe, unusable
from ablations.tracking.experiment import Experiment, open_experiment
from ablations.tracking.launch_run import latest_launch, restored_launch
from ablations.tracking.study import TrackedStudy
from ablations.tracking.trial_runs import TrialRuns
from workbench.errors import WorkbenchError

_GIVE_UP_AFTER = 3
"""Number of failures in a row after which the store, and not a trial, is at fault."""


@dataclass(frozen=True)
class Synced:
    """Result of bringing a store up to date."""

    experiment: str
    """Number of the experiment in the store."""
    runs: int
    """Number of runs that were written or completed."""
    failed: int
    """Number of trials that could not be written; the warnings say why."""
    warnings: tuple[str, ...]


def bring_up_to_date(
    study: TrackedStudy,
    store: Store,
    report: Sequence[Path] = (),
    *,
    finished_only: bool = False,
) -> Synced:
    """Write what a store lacks of a study; nothing is written twice.

    Args:
        study: the study.
        store: the store.
        report: files of a report to keep with the latest launch, the page first.
        finished_only: leave out trials that have not ended, because a launch may be running them.

    Raises:
        WorkbenchError: the store cannot be reached or written.
    """
    client, warnings = connect(store)
    try:
        return _write(open_experiment(client, store, study), report, finished_only, warnings)
    except WorkbenchError:
        raise
    except Exception as error:  # every store has its own exceptions
        raise unusable(error, store) from None


def _write(
    experiment: Experiment, report: Sequence[Path], finished_only: bool, warnings: list[str]
) -> Synced:
    study = experiment.study
    if not finished_only:
        experiment.close_stale_runs()
    launch = None
    if study.launches:
        launch = latest_launch(experiment) or restored_launch(experiment)
    runs = TrialRuns(experiment, launch.id if launch else None)
    written = failed = in_a_row = 0
    for trial in study.trials:
        if finished_only and trial.record.state() not in ("done", "failed"):
            continue
        try:
            written += runs.update(trial, running=False)
            in_a_row = 0
        except Exception as error:  # a damaged trial must not keep the others out
            failed += 1
            in_a_row += 1
            warnings.append(f"{trial.label}: {describe(error, experiment.store)}")
            if in_a_row == _GIVE_UP_AFTER:
                raise
    if launch is not None:
        launch.summarise()
        launch.keep_report(report)
    return Synced(experiment.id, written, failed, tuple(warnings))
