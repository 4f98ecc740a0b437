"""The runs of trials: one run per trial, brought up to date from the trial's folder."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse
from urllib.request import url2pathname

from ablations.tracking.dataset import evaluation_set_input
from ablations.tracking.experiment import PARENT, TRIAL, Experiment
from ablations.tracking.metric_rows import NewRows, key, shown_metrics
from ablations.tracking.origin import origin_tags
from ablations.tracking.study import TrackedTrial
from ablations.worker import TRACEBACK
from workbench.record import CONFIG, ERROR, EVALUATION, METRICS, RESULT

if TYPE_CHECKING:
    from mlflow.entities import Run

CONTENT = "workbench.content"
"""Tag of an ended run: a hash of the files that it was written from."""

_STATUS = {"done": "FINISHED", "failed": "FAILED", "partial": "KILLED", "new": "KILLED"}
_METRICS_PER_REQUEST, _PARAMS_PER_REQUEST = 500, 100
_LONGEST = 5000

Points = Iterable[tuple[str, int, float]]
"""Name of a metric, step, value."""


class TrialRuns:
    """The runs of an experiment that belong to trials.

    A trial that resumes keeps its run, and nothing that the run has is written again.
    """

    def __init__(self, experiment: Experiment, parent: str | None) -> None:
        """Find the runs of earlier launches.

        Args:
            experiment: the experiment.
            parent: run of the launch, which becomes the parent of the runs that it opens.
        """
        self._experiment = experiment
        self._parent = parent
        self._active: dict[str, _ActiveRun] = {}
        self._stored: dict[str, Run] = {}
        for run in experiment.runs():  # the newest first; of several, a finished one counts
            trial = run.data.tags.get(TRIAL)
            if trial and (trial not in self._stored or run.info.status == "FINISHED"):
                self._stored[trial] = run

    def update(self, trial: TrackedTrial, *, running: bool) -> bool:
        """Write what the run of a trial lacks, and end the run unless the trial is running.

        Returns:
            whether anything was written.
        """
        if not running and trial.id not in self._active and self._is_complete(trial):
            return False
        run = self._active.get(trial.id) or self._open(trial, running)
        run.log(self._new_points(run))
        if not running:
            self._end(trial, run)
            self._stored[trial.id] = self._experiment.client.get_run(run.id)
            del self._active[trial.id]
        return True

    def _is_complete(self, trial: TrackedTrial) -> bool:
        stored = self._stored.get(trial.id)
        if stored is None:
            return trial.record.state() == "new"
        artifacts = urlparse(stored.info.artifact_uri)
        if artifacts.scheme == "file" and not Path(url2pathname(artifacts.path)).exists():
            return False
        return bool(stored.data.tags.get(CONTENT) == content(trial))

    def _open(self, trial: TrackedTrial, running: bool) -> _ActiveRun:
        """Create the run of a trial, or continue with the one that exists."""
        client, stored = self._experiment.client, self._stored.get(trial.id)
        tags = self._tags(trial)
        if stored is None:
            run = client.create_run(
                self._experiment.id, _start(trial, running), tags=tags, run_name=trial.label
            )
            self._stored[trial.id] = run  # found again if what follows fails
            params: Mapping[str, str] = {}
        else:
            run, params = stored, stored.data.params
            if not running and PARENT in stored.data.tags:
                tags.pop(PARENT, None)
            if running or stored.info.run_name != trial.label:
                status = "RUNNING" if running else None
                client.update_run(run.info.run_id, status=status, name=trial.label)
            for name, value in tags.items():
                if stored.data.tags.get(name) != value:
                    client.set_tag(run.info.run_id, name, value)
        opened = _ActiveRun(self._experiment, run.info.run_id, NewRows(trial.folder / METRICS))
        if stored is not None:
            opened.read_known(stored.data.metrics)
        given = {**trial.values, "seed": str(trial.seed)}
        values = {key(name): value[:_LONGEST] for name, value in given.items()}
        opened.log_params({name: value for name, value in values.items() if name not in params})
        self._active[trial.id] = opened
        return opened

    def _tags(self, trial: TrackedTrial) -> dict[str, str]:
        study = self._experiment.study
        own = {"condition": trial.condition, "seed": str(trial.seed), TRIAL: trial.id}
        parent = {PARENT: self._parent} if self._parent else {}
        return study.tags | origin_tags(study.file or study.command) | own | parent

    def _new_points(self, run: _ActiveRun) -> list[tuple[str, int, float]]:
        rows = run.rows.new()
        names = shown_metrics(run.rows.names, self._experiment.study.metrics)
        return [
            (name, int(row["step"]), float(row[name]))
            for row in rows
            for name in names
            if isinstance(row.get(name), int | float)
        ]

    def _end(self, trial: TrackedTrial, run: _ActiveRun) -> None:
        client, record = self._experiment.client, trial.record
        state, result = record.state(), record.result() or {}
        evaluated = {n: v for n, v in trial.evaluation().items() if n not in run.rows.names}
        step = int(result.get("steps") or 0)
        names = shown_metrics(evaluated, self._experiment.study.metrics)
        run.log((name, step, evaluated[name]) for name in names)
        for name in (CONFIG, RESULT, ERROR, TRACEBACK):
            if (trial.folder / name).is_file():
                client.log_artifact(run.id, str(trial.folder / name))
        if dataset := evaluation_set_input(trial):
            client.log_inputs(run.id, datasets=[dataset])
        failure = record.failure() if state == "failed" else None
        if failure:
            client.set_tag(run.id, "failure", failure[:_LONGEST])
        elif self._stored.get(trial.id) and "failure" in self._stored[trial.id].data.tags:
            client.delete_tag(run.id, "failure")
        client.set_tag(run.id, CONTENT, content(trial))
        client.set_terminated(run.id, _STATUS[state])


class _ActiveRun:
    """A run that is being written."""

    def __init__(self, experiment: Experiment, run: str, rows: NewRows) -> None:
        self._client = experiment.client
        self.id = run
        self.rows = rows
        self._known: set[tuple[str, int, str]] = set()

    def read_known(self, metrics: Iterable[str]) -> None:
        """Read which points the run already has."""
        for name in metrics:
            for point in self._client.get_metric_history(self.id, name):
                self._known.add((name, point.step, repr(point.value)))

    def log(self, points: Points) -> None:
        """Write the points that the run lacks."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        new = []
        for name, step, value in points:
            point = (key(name), step, repr(float(value)))
            if point not in self._known:
                self._known.add(point)
                new.append(Metric(key(name), float(value), now, step))
        for batch in _batches(new, _METRICS_PER_REQUEST):
            self._client.log_batch(self.id, metrics=batch)

    def log_params(self, params: Mapping[str, str]) -> None:
        """Write parameters that the run lacks."""
        from mlflow.entities import Param

        found = [Param(name, value) for name, value in params.items()]
        for batch in _batches(found, _PARAMS_PER_REQUEST):
            self._client.log_batch(self.id, params=batch)


def content(trial: TrackedTrial) -> str:
    """Return a hash of the files that a run is written from."""
    files = [trial.folder / name for name in (CONFIG, METRICS, RESULT, ERROR)]
    files += sorted((trial.folder / EVALUATION).glob("*.json"))
    digest = hashlib.sha256()
    for file in files:
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _start(trial: TrackedTrial, running: bool) -> int | None:
    """Return when a trial that has ended began, in ms; None stands for now."""
    result = trial.record.result()
    if running or result is None:
        return None
    end = (trial.folder / RESULT).stat().st_mtime
    return int(1000 * (end - float(result.get("seconds") or 0)))


def _batches(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[first : first + size] for first in range(0, len(items), size))
