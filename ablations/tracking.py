"""MLflow, written by the driver alone: experiment = study, parent run = launch, child run = trial.

The store is the copy that people look at; what counts lies in the trials' folders. So a tracking
server that fails during a launch costs a warning, never a trial.
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
"""More than this makes MLflow's charts slow; every metric is in the trial's folder."""

PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default an absent server is waited for minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "GIT_PYTHON_REFRESH": "quiet",
}


def default_uri(outputs: Path) -> str:
    """The store in the output folder, as an absolute address."""
    return f"sqlite:///{outputs.resolve() / 'mlflow.db'}"


class Tracker:
    """The runs of one launch. A listener: it hears of trials and writes them down."""

    def __init__(self, plan: Plan, client: MlflowClient, experiment: str, launch: str) -> None:
        self._plan = plan
        self._client = client
        self._experiment = experiment
        self._launch = launch
        self._runs: dict[str, str] = {}
        self._tails: dict[str, RowTail] = {}
        self._closed = False
        self.warning: str | None = None

    def started(self, trial: TrialPlan) -> None:
        with self._forgiving():
            self._runs[trial.id] = self._begin(trial)
            self._tails[trial.id] = RowTail(trial.folder / ROWS)

    def progressed(
        self, trial: TrialPlan, fraction: float, metrics: Mapping[str, float | None]
    ) -> None:
        with self._forgiving():
            self._log_rows(trial)

    def finished(self, trial: TrialPlan, failure: str | None) -> None:
        with self._forgiving():
            self._log_rows(trial)
            run = self._runs[trial.id]
            for name in (CONFIG, RESULT, ERROR, TRACEBACK):
                if (trial.folder / name).exists():
                    self._client.log_artifact(run, str(trial.folder / name))
            if failure is not None:
                self._client.set_tag(run, "failure", failure[:5000])
            self._end(self._runs.pop(trial.id), "FAILED" if failure is not None else "FINISHED")

    def close(self, status: str) -> None:
        """End the launch, once; what still runs was interrupted."""
        if self._closed:
            return
        self._closed = True
        with self._forgiving():
            for run in self._runs.values():
                self._end(run, "KILLED")
            states = list(self._plan.states().values())
            for state in sorted(set(states)):
                self._client.set_tag(self._launch, f"trials.{state}", str(states.count(state)))
            self._end(self._launch, status)

    def keep(self, files: Sequence[Path], folder: str) -> None:
        """Put the files of a report beside the launch."""
        with self._forgiving():
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
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever a store or a server raises, the trials go on
            self.warning = f"tracking is incomplete: {type(error).__name__}: {error}"


class RowTail:
    """The rows of a file that were not there before, by their number of updates.

    A trial that goes on after a crash cuts rows and writes the same ones again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._updates = -1

    def new(self) -> list[dict[str, Any]]:
        from workbench.record import read_rows

        rows = [row for row in read_rows(self._path) if row["updates"] > self._updates]
        if rows:
            self._updates = rows[-1]["updates"]
        return rows


def open_tracker(plan: Plan, outputs: Path, uri: str | None, command: str) -> Tracker:
    """Make the store if there is none, end what dead launches left running, begin a launch.

    Raises:
        WorkbenchError: the store cannot be reached or written.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    for name in ("mlflow", "alembic"):  # every table that they make is news to them
        logging.getLogger(name).setLevel(logging.WARNING)
    address = uri or default_uri(outputs)
    try:
        client = MlflowClient(tracking_uri=address)
        experiment = _experiment(client, plan, outputs, address)
        sweep(client, experiment, plan)
        tags = _tags(plan) | {"command": command, NOTE: f"`{command}`"}
        name = time.strftime("launch %Y-%m-%d %H:%M:%S")
        run = client.create_run(experiment, tags=tags, run_name=name)
    except Exception as error:  # every store has exceptions of its own
        text = f"{type(error).__name__}: {error}"
        raise WorkbenchError(f"cannot write to the tracking store {address}: {text}") from error
    return Tracker(plan, client, experiment, run.info.run_id)


def _experiment(client: MlflowClient, plan: Plan, outputs: Path, address: str) -> str:
    study = plan.study
    found = client.get_experiment_by_name(study.name)
    if found is None:
        # A database keeps no artifacts, and by default they would go below the current folder.
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


def sweep(client: MlflowClient, experiment: str, plan: Plan) -> int:
    """End the runs that launches of this folder left running when they died; how many they were.

    Only one launch at a time holds the folder, so whatever else runs in its name is dead.
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
    """The metrics that go into MLflow: the study's own two first, none by depth but those."""
    first = [plan.study.primary, plan.study.predictive]
    return list(dict.fromkeys([*first, *METRICS]))[:METRICS_PER_RUN]


def _key(name: str) -> str:
    """A name with nothing in it that MLflow refuses."""
    return re.sub(r"[^\w\-. :/]", "_", name)
