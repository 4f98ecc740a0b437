"""Run trials with Ray Tune, one at a time in a process; Tune is given nothing but opaque ids."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayActorError
from ray.tune.search import Searcher

from ablations.callbacks import Listener
from ablations.interruption import Interruption
from ablations.jobs import Job, Launch
from ablations.plan import TrialPlan
from ablations.worker import work

DEATHS = 1
"""How often the death of a worker process is forgiven; an exception never is."""


def run(launch: Launch, scratch: Path, listener: Listener, interruption: Interruption) -> None:
    """Run the trials to their ends, whatever those are; Ray is running.

    Raises:
        Interrupted: the user asked to stop; trials are left where they are.
    """
    for trial in launch.trials:
        trial.record.forget_failure()
    jobs = {trial.id: Job(trial.config, trial.folder) for trial in launch.trials}
    bound = tune.with_parameters(partial(work), jobs=jobs, function=launch.function)
    tuner = tune.Tuner(
        tune.with_resources(bound, _resources(launch)),
        tune_config=tune.TuneConfig(
            search_alg=Queue([trial.id for trial in launch.trials], launch.deadline),
            num_samples=len(launch.trials),
            max_concurrent_trials=launch.concurrent,
            reuse_actors=True,  # a process that goes on to another trial has imported it all
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="trials",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[Messenger(launch.trials, listener, interruption)],
            failure_config=tune.FailureConfig(max_failures=DEATHS),
        ),
    )
    tuner.fit()


def _name(trial: Any) -> str:
    return str(trial.config["trial"])


def _resources(launch: Launch) -> dict[str, float]:
    devices = {trial.config.device for trial in launch.trials}
    if "cuda" not in devices:
        return {"cpu": launch.threads}
    gpus = float(ray.cluster_resources().get("GPU", 0))  # type: ignore[no-untyped-call]
    return {"cpu": launch.threads, "gpu": min(1.0, gpus / launch.concurrent)}


class Queue(Searcher):
    """Hands out the trials in order, as there is room for them, until the deadline."""

    def __init__(self, ids: Sequence[str], deadline: float | None) -> None:
        super().__init__()
        self._ids = list(ids)
        self._deadline = deadline

    def suggest(self, trial_id: str) -> Any:
        late = self._deadline is not None and time.monotonic() > self._deadline
        return {"trial": self._ids.pop(0)} if self._ids and not late else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Nothing is learnt from a trial about which one is next."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is done is known from the trials' folders."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, for nothing was saved."""


class Messenger(tune.Callback):
    """Tells the listener what Tune sees, and stops Tune when the user asks to."""

    def __init__(
        self, trials: Sequence[TrialPlan], listener: Listener, interruption: Interruption
    ) -> None:
        self._trials = {trial.id: trial for trial in trials}
        self._listener = listener
        self._interruption = interruption
        self._begun: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a way to resume that is not ours."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        # Not an Exception: Tune would first wait for its workers to end in good order.
        self._interruption.check()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        plan = self._trials[_name(trial)]
        if plan.id not in self._begun:
            self._begun.add(plan.id)
            self._listener.started(plan)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if "fraction" in result:
            plan = self._trials[_name(trial)]
            self._listener.progressed(plan, result["fraction"], result["last"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._end(self._trials[_name(trial)], "the trial ended without a result")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_pickled_error() or trial.get_error()
        if error is None or isinstance(error, RayActorError):
            text = f"the worker process died {DEATHS + 1} times (killed, or out of memory?)"
        else:  # what a trial raises is written down by its worker: this is before the trial
            text = f"the worker could not begin: {type(error).__name__}: {error}"
        self._end(self._trials[_name(trial)], text)

    def _end(self, plan: TrialPlan, otherwise: str) -> None:
        """A trial is done if its result is there, and failed if not, whatever Tune thinks."""
        record = plan.record
        if record.state() == "done":
            self._listener.finished(plan, None)
            return
        if record.failure() is None:
            record.fail(otherwise)
        self._listener.finished(plan, record.failure())
