"""Run trials with Ray Tune, one per process; Tune receives opaque ids only."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayActorError
from ray.tune.search import Searcher
from typing_extensions import override

from ablations.callbacks import TrialCallback
from ablations.interruption import FirstFailure, Interruption
from ablations.jobs import Job, Launch
from ablations.plan import TrialPlan
from ablations.slots import gpu_share
from ablations.worker import work

MAX_WORKER_RESTARTS = 1
"""Number of restarts after a worker process dies; an exception is never retried."""


def run(launch: Launch, scratch: Path, listener: TrialCallback, interruption: Interruption) -> None:
    """Run the trials until all have ended; Ray must be running.

    Raises:
        Interrupted: the user asked to stop; unfinished trials keep their checkpoints.
        FirstFailure: a trial failed, and the launch is to stop then.
    """
    for trial in launch.trials:
        trial.record.clear_failure()
    jobs = {trial.id: Job(trial.config, trial.folder) for trial in launch.trials}
    bound = tune.with_parameters(
        partial(work), jobs=jobs, function=launch.function, limits=launch.limits
    )
    tuner = tune.Tuner(
        tune.with_resources(bound, _resources(launch)),
        tune_config=tune.TuneConfig(
            search_alg=TrialQueue([trial.id for trial in launch.trials], launch.deadline),
            num_samples=len(launch.trials),
            max_concurrent_trials=launch.concurrent,
            reuse_actors=True,  # a process that takes another trial has already imported everything
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[ProgressCallback(launch, listener, interruption)],
            failure_config=tune.FailureConfig(max_failures=MAX_WORKER_RESTARTS),
        ),
    )
    tuner.fit()


def _name(trial: Any) -> str:
    return str(trial.config["trial"])


def _resources(launch: Launch) -> dict[str, float]:
    resources: dict[str, float] = {"cpu": launch.threads}
    if launch.limits.memory is not None:
        resources["memory"] = launch.limits.memory
    if any(trial.config.device == "cuda" for trial in launch.trials):
        gpus = float(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
        resources["gpu"] = gpu_share(gpus, launch.concurrent)
    return resources


class TrialQueue(Searcher):
    """Hands out the trials in order, as slots become free, until the deadline."""

    def __init__(self, ids: Sequence[str], deadline: float | None) -> None:
        super().__init__()
        self._ids = list(ids)
        self._deadline = deadline

    @override
    def suggest(self, trial_id: str) -> Any:
        late = self._deadline is not None and time.monotonic() > self._deadline
        return {"trial": self._ids.pop(0)} if self._ids and not late else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Do nothing: the result of a trial does not influence the next one."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the trials' folders hold the progress."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: nothing was saved."""


class ProgressCallback(tune.Callback):
    """Passes Tune's events to the callback, and stops Tune if the user asks."""

    def __init__(self, launch: Launch, listener: TrialCallback, interruption: Interruption) -> None:
        self._trials = {trial.id: trial for trial in launch.trials}
        self._listener = listener
        self._interruption = interruption
        self._fail_fast = launch.fail_fast
        self._begun: set[str] = set()
        self._failed = False

    def __getstate__(self) -> dict[str, Any]:
        """Return an empty state: Tune pickles callbacks to resume in a way that is not used."""
        return {}

    @override
    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        # Not an Exception, for which Tune would first wait for its workers.
        self._interruption.check()
        if self._failed and self._fail_fast:
            raise FirstFailure

    @override
    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        plan = self._trials[_name(trial)]
        if plan.id not in self._begun:
            self._begun.add(plan.id)
            self._listener.started(plan)

    @override
    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if "fraction" in result:
            plan = self._trials[_name(trial)]
            self._listener.progressed(plan, result["phase"], result["fraction"], result["last"])

    @override
    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(self._trials[_name(trial)], "the trial ended without a result")

    @override
    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_pickled_error() or trial.get_error()
        if error is None or isinstance(error, RayActorError):
            text = (
                f"the worker process died {MAX_WORKER_RESTARTS + 1} times (killed, or out of "
                f"memory?)"
            )
        else:  # a worker records the exceptions of a trial itself: this one came before the trial
            text = f"the worker could not begin: {type(error).__name__}: {error}"
        self._end(self._trials[_name(trial)], text)

    def _end(self, plan: TrialPlan, otherwise: str) -> None:
        """A trial is done if its result exists, and failed otherwise, whatever Tune reports."""
        record = plan.record
        if record.state() == "done":
            self._listener.finished(plan, None)
            return
        self._failed = True
        if record.failure() is None:
            with suppress(OSError):  # a full disk must not stop the other trials
                record.fail(otherwise)
        self._listener.finished(plan, record.failure() or otherwise)
