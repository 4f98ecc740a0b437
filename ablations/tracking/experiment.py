"""The experiment of a study in a store, and the runs in it that belong to the study's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ablations.tracking.address import ARTIFACTS, Store
from ablations.tracking.metric_rows import key
from ablations.tracking.study import TrackedStudy
from ablations.tracking.views import experiment_tags

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"
TRIAL = "trial"


class Experiment:
    """An experiment with the runs that belong to one folder."""

    def __init__(
        self, client: MlflowClient, store: Store, study: TrackedStudy, experiment: str
    ) -> None:
        self.client = client
        self.store = store
        self.study = study
        self.id = experiment

    def runs(self) -> list[Run]:
        """Return all runs of the study's folder, the newest first."""
        found: list[Run] = []
        token = None
        while True:
            page = self.client.search_runs(
                [self.id], max_results=1000, order_by=["attributes.start_time DESC"],
                page_token=token,
            )  # fmt: skip
            found += page
            token = page.token
            if not token:
                return [run for run in found if self._is_ours(run)]

    def launches(self) -> list[Run]:
        """Return the runs of launches, the newest first."""
        return [run for run in self.runs() if TRIAL not in run.data.tags]

    def close_stale_runs(self) -> int:
        """End the runs that dead launches left active, and return their number.

        Only one launch at a time holds the folder, so that any other active run of it is dead.
        """
        dead = [run for run in self.runs() if run.info.status == "RUNNING"]
        for run in dead:
            self.client.set_terminated(run.info.run_id, "KILLED")
        return len(dead)

    def _is_ours(self, run: Run) -> bool:
        """All runs in the file of the output folder are ours, also after the folder was moved."""
        file = self.store.file
        if file is not None and file.parent.resolve() == self.study.folder.parent:
            return True
        return bool(run.data.tags.get("folder") == self.study.tags["folder"])


def open_experiment(client: MlflowClient, store: Store, study: TrackedStudy) -> Experiment:
    """Return the experiment of a study with current tags, and create it if necessary."""
    found = client.get_experiment_by_name(study.name)
    if found is None:
        number = client.create_experiment(study.name, artifact_location=_artifacts(store, study))
        old = {}
    else:
        number, old = found.experiment_id, found.tags
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(number)
    tags = experiment_tags([key(name) for name in study.metrics])
    tags[NOTE] = _note(study)
    for name, value in tags.items():
        if old.get(name) != value:
            client.set_experiment_tag(number, name, value)
    return Experiment(client, store, study, str(number))


def _artifacts(store: Store, study: TrackedStudy) -> str | None:
    """Return where the artifacts go; None leaves it to the server.

    A database stores no artifacts; by default they would go into the current folder.
    """
    if store.file is not None:
        return (store.file.parent / ARTIFACTS / study.name).as_uri()
    if store.uri.startswith("sqlite:"):
        return (study.folder.parent / ARTIFACTS / study.name).as_uri()
    return None


def _note(study: TrackedStudy) -> str:
    parts = [study.question, f"Folder: `{study.folder}`"]
    if study.file:
        parts.insert(1, f"Study file: `{study.file}`")
    return "\n\n".join(part for part in parts if part)
