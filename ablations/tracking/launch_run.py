"""The run of a launch: the study's parameters, the means of its conditions, and its report."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ablations.tracking.dataset import evaluation_set_input
from ablations.tracking.experiment import NOTE, Experiment
from ablations.tracking.metric_rows import key
from ablations.tracking.origin import origin_tags
from ablations.tracking.report_page import inside_mlflow

REPORT = "report"
_LONGEST = 5000


class LaunchRun:
    """The run of one launch, the parent of the runs of its trials."""

    def __init__(self, experiment: Experiment, run: str) -> None:
        self._experiment = experiment
        self.id = run

    def summarise(self) -> None:
        """Write the means of the conditions, the number of trials by state, and the dataset."""
        from mlflow.entities import Metric, RunTag

        client, study = self._experiment.client, self._experiment.study
        stored = client.get_run(self.id).data
        now = int(time.time() * 1000)
        means = {key(name): value for name, value in study.condition_means().items()}
        states = [trial.record.state() for trial in study.trials]
        tags = {f"trials.{state}": str(states.count(state)) for state in sorted(set(states))}
        client.log_batch(
            self.id,
            metrics=[Metric(n, v, now, 0) for n, v in means.items() if stored.metrics.get(n) != v],
            tags=[RunTag(name, value) for name, value in tags.items()],
        )
        found = {one.dataset.digest: one for trial in study.trials
                 if (one := evaluation_set_input(trial))}  # fmt: skip
        if found:
            client.log_inputs(self.id, datasets=list(found.values()))

    def keep_report(self, files: Sequence[Path]) -> None:
        """Store a report: its page first, then the files below the folder of the page."""
        if not files:
            return
        root = files[0].parent
        with tempfile.TemporaryDirectory(prefix="workbench-report-") as folder:
            for file in files:
                copy = Path(folder) / file.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
            page = Path(folder) / files[0].name
            page.write_text(inside_mlflow(page.read_text(encoding="utf-8")), encoding="utf-8")
            self._experiment.client.log_artifacts(self.id, folder, REPORT)

    def end(self, status: str, at: int | None = None) -> None:
        """End the run, by default now."""
        self._experiment.client.set_terminated(self.id, status, at)


def begin_launch(experiment: Experiment, started: float | None = None) -> LaunchRun:
    """Create the run of a launch.

    Args:
        experiment: the experiment of the study.
        started: when the launch began, in seconds since the epoch; by default now.
    """
    from mlflow.entities import Param

    study = experiment.study
    moment = time.time() if started is None else started
    tags = study.tags | origin_tags(study.file or study.command)
    tags |= {"command": study.command, NOTE: f"`{study.command}`"}
    run = experiment.client.create_run(
        experiment.id,
        int(moment * 1000),
        tags=tags,
        run_name=time.strftime("launch %Y-%m-%d %H:%M:%S", time.localtime(moment)),
    )
    params = [Param(key(name), value[:_LONGEST]) for name, value in study.params.items()]
    experiment.client.log_batch(run.info.run_id, params=params[:100])
    return LaunchRun(experiment, run.info.run_id)


def latest_launch(experiment: Experiment) -> LaunchRun | None:
    """Return the run of the latest launch; None if the store has none."""
    runs = experiment.launches()
    return LaunchRun(experiment, runs[0].info.run_id) if runs else None


def restored_launch(experiment: Experiment) -> LaunchRun:
    """Create the run of the last launch that `study.json` names, for a store that has none."""
    known = experiment.study.launches
    last = known[-1] if known else {}
    try:
        started = datetime.fromisoformat(str(last["started"])).timestamp()
    except (KeyError, ValueError):
        started = time.time()
    run = begin_launch(experiment, started)
    states = {trial.record.state() for trial in experiment.study.trials}
    seconds = last.get("seconds")
    end = int(1000 * (started + float(seconds))) if isinstance(seconds, int | float) else None
    status = "FAILED" if "failed" in states else "FINISHED" if states == {"done"} else "KILLED"
    run.end(status, end)
    return run
