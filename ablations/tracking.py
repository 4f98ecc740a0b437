"""MLflow records: experiment = study, parent run = launch, child run = trial.

Only the driver writes to MLflow. The store is a copy for viewing; the trials' folders hold the
results. A tracking server that fails during a launch therefore causes a warning and loses no trial.
"""

from __future__ import annotations

import logging
import os
import platform
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablations.plan import Plan, TrialPlan
from ablations.worker import TRACEBACK
from workbench.errors import WorkbenchError
from workbench.metrics import METRICS
from workbench.record import CONFIG, ERROR, RESULT
from workbench.record import METRICS as ROWS

if TYPE_CHECKING:
    from mlflow import MlflowClient

METRICS_PER_RUN = 25
"""Maximum number of metrics per run, because more make MLflow's charts slow;

the trial's folder has all metrics.
"""

PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default MLflow retries for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}


def default_uri(outputs: Path) -> str:
    """Return the URI of the store in the output folder."""
    return f"sqlite:///{outputs.resolve() / 'mlflow.db'}"


class Tracker:
    """Callback that records the runs of one launch."""

    def __init__(self, plan: Plan, client: MlflowClient, experiment: str, launch: str) -> None:
        self._plan = plan
        self._client = client
        self._experiment = experiment
        self._launch = launch
        self._runs: dict[str, str] = {}
        self._tails: dict[str, NewRows] = {}
        self._closed = False
        self.warning: str | None = None

    def started(self, trial: TrialPlan) -> None:
        """Handle the start of a trial."""
        with self._never_fail():
            self._runs[trial.id] = self._begin(trial)
            self._tails[trial.id] = NewRows(trial.folder / ROWS)

    def progressed(
        self, trial: TrialPlan, phase: str, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        """Handle progress of a trial."""
        with self._never_fail():
            self._log_rows(trial)

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        """Handle the end of a trial."""
        with self._never_fail():
            self._log_rows(trial)
            run = self._runs[trial.id]
            for name in (CONFIG, RESULT, ERROR, TRACEBACK):
                if (trial.folder / name).exists():
                    self._client.log_artifact(run, str(trial.folder / name))
            if failure is not None:
                self._client.set_tag(run, "failure", failure[:5000])
            self._end(self._runs.pop(trial.id), "FAILED" if failure is not None else "FINISHED")

    def close(self, status: str) -> None:
        """End the launch, once; runs still active are marked as interrupted."""
        if self._closed:
            return
        self._closed = True
        with self._never_fail():
            for run in self._runs.values():
                self._end(run, "KILLED")
            states = list(self._plan.states().values())
            for state in sorted(set(states)):
                self._client.set_tag(self._launch, f"trials.{state}", str(states.count(state)))
            self._end(self._launch, status)

    def keep(self, files: Sequence[Path], folder: str) -> None:
        """Store the files of a report with the launch."""
        with self._never_fail():
            for file in files:
                self._client.log_artifact(self._launch, str(file), folder)

    def _begin(self, trial: TrialPlan) -> str:
        from mlflow.entities import Param

        study = self._plan.study
        tags = _tags(self._plan) | {
            PARENT: self._launch,
            "condition": trial.condition,
            "seed": str(trial.seed),
            "trial": trial.id,
        }
        run = self._client.create_run(self._experiment, tags=tags, run_name=trial.label)
        values = dict(study.condition(trial.condition).values) | {"seed": str(trial.seed)}
        params = [Param(_key(name), value) for name, value in values.items()]
        self._client.log_batch(run.info.run_id, params=params)
        return str(run.info.run_id)

    def _log_rows(self, trial: TrialPlan) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        names = _charted(self._plan)
        for row in self._tails[trial.id].new():
            values = [(name, row[name]) for name in names if isinstance(row.get(name), int | float)]
            metrics = [Metric(_key(name), float(v), now, int(row["step"])) for name, v in values]
            self._client.log_batch(self._runs[trial.id], metrics=metrics)

    def _end(self, run: str, status: str) -> None:
        self._client.set_terminated(run, status)

    @contextmanager
    def _never_fail(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever a store or server raises, the trials continue
            self.warning = f"tracking is incomplete: {type(error).__name__}: {error}"


class NewRows:
    """Reads the new rows of a file, by their number of updates.

    A trial that resumes after a crash removes rows and writes the same ones again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._updates = -1

    def new(self) -> list[dict[str, Any]]:
        """Return the rows that were not read before."""
        from workbench.record import read_rows

        rows = [row for row in read_rows(self._path) if row["updates"] > self._updates]
        if rows:
            self._updates = rows[-1]["updates"]
        return rows


def open_tracker(plan: Plan, outputs: Path, uri: str | None, command: str) -> Tracker:
    """Create the store if necessary, close the runs of dead launches, and begin a launch.

    Raises:
        WorkbenchError: the store cannot be reached or written.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):  # they log every table that they create
        logging.getLogger(name).setLevel(logging.WARNING)
    address = uri or default_uri(outputs)
    try:
        client = MlflowClient(tracking_uri=address)
        experiment = _experiment(client, plan, outputs, address)
        close_stale_runs(client, experiment, plan)
        tags = _tags(plan) | {"command": command, NOTE: f"`{command}`"}
        name = time.strftime("launch %Y-%m-%d %H:%M:%S")
        run = client.create_run(experiment, tags=tags, run_name=name)
    except Exception as error:  # every store has its own exceptions
        text = f"{type(error).__name__}: {error}"
        raise WorkbenchError(f"cannot write to the tracking store {address}: {text}") from error
    return Tracker(plan, client, experiment, run.info.run_id)


def _experiment(client: MlflowClient, plan: Plan, outputs: Path, address: str) -> str:
    study = plan.study
    found = client.get_experiment_by_name(study.name)
    if found is None:
        # A database stores no artifacts; by default they would go into the current folder.
        own = (outputs.resolve() / "mlartifacts" / study.name).as_uri()
        where = own if address.startswith("sqlite:") else None
        name = client.create_experiment(study.name, artifact_location=where)
    else:
        name = found.experiment_id
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(name)
    note = f"{study.question}\n\nStudy file: `{study.file}`\n\nFolder: `{plan.folder}`"
    client.set_experiment_tag(name, "mlflow.experimentKind", "custom_model_development")
    client.set_experiment_tag(name, NOTE, note)
    return str(name)


def close_stale_runs(client: MlflowClient, experiment: str, plan: Plan) -> int:
    """Close MLflow runs that crashed launches of this folder left active; return their number.

    Only one launch at a time can lock the folder, so that all earlier active runs are stale.
    """
    mine = _tags(plan)["folder"]
    running = client.search_runs([experiment], "attributes.status = 'RUNNING'", max_results=5000)
    dead = [run for run in running if run.data.tags.get("folder") == mine]
    for run in dead:
        client.set_terminated(run.info.run_id, "KILLED")
    return len(dead)


def _tags(plan: Plan) -> dict[str, str]:
    return {"study": plan.study.name, "folder": f"{platform.node()}:{plan.folder}"}


def _charted(plan: Plan) -> list[str]:
    """Return the metrics for MLflow: the study's own two first, and no other metric by depth."""
    first = [plan.study.primary, plan.study.predictive]
    return list(dict.fromkeys([*first, *METRICS]))[:METRICS_PER_RUN]


def _key(name: str) -> str:
    """Return a name without characters that MLflow refuses."""
    return re.sub(r"[^\w\-. :/]", "_", name)
