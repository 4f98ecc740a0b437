"""From study file to report: plan, preview, launch missing trials, summarise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ablations.callbacks import CallbackList
from ablations.interruption import EXIT_CODE, Interrupted, Interruption
from ablations.jobs import Launch, RunTrial
from ablations.manifest import StudyManifest, locked
from ablations.plan import (
    Plan,
    TrialPlan,
    check_match,
    check_schema,
    make_plan,
    matched_parameters,
    replay_sizes,
)
from ablations.preview import show_plan
from ablations.progress import display
from ablations.ray_runtime import cores, ray_runtime
from ablations.study import read_study
from ablations.tracking import Tracker, open_tracker

RUN_TRIAL = "workbench.trial:run_trial"

ALL_DONE, NOT_ALL_DONE = 0, 1


@dataclass(frozen=True)
class Request:
    """Arguments of the command line."""

    file: Path
    outputs: Path
    command: str
    """The command line itself, shown to the user and stored."""
    report: Callable[[Path], Sequence[Path]]
    """Writes and shows the report of a study's folder; returns its files."""
    seeds: int | None = None
    concurrent: int | None = None
    address: str | None = None
    tracking_uri: str | None = None
    dry_run: bool = False
    function: str | RunTrial = RUN_TRIAL


def ablate(request: Request, console: Console) -> int:
    """Run the missing trials of a study and report it. Returns the exit code.

    Raises:
        WorkbenchError: the study file, the match of budgets, the lock, the schema or the store is
            invalid; nothing was launched.
    """
    study = read_study(request.file, request.seeds)
    plan = make_plan(study, request.outputs)
    check_schema(plan)
    counts = matched_parameters(study)
    concurrent = _concurrent(request, plan)
    show_plan(console, plan, counts, concurrent, replay_sizes(study))
    check_match(study, counts)
    if request.dry_run:
        return ALL_DONE
    with locked(plan.folder):
        ledger = StudyManifest(plan, request.command)
        ledger.write()
        tracker = None
        if missing := plan.missing():
            ledger.begin()
            try:
                tracker = _launch(request, plan, missing, concurrent, console)
            except Interrupted:
                return _interrupted(request, plan, console)
            finally:
                ledger.end()
        return _finish(request, plan, tracker, console)


def _concurrent(request: Request, plan: Plan) -> int:
    return request.concurrent or max(1, cores() // _threads(plan.trials))


def _threads(trials: Sequence[TrialPlan]) -> int:
    return max(trial.config.threads for trial in trials)


def _launch(
    request: Request, plan: Plan, missing: Sequence[TrialPlan], concurrent: int, console: Console
) -> Tracker:
    """Run the missing trials; the tracking store is opened while Ray starts."""
    console.print(f"\nStarting {len(missing)} trials, {concurrent} at once", highlight=False)
    launch = _launch_spec(request, plan, missing, concurrent)
    place = (concurrent, launch.threads, request.address, plan.folder / ".tune")
    with Interruption() as interruption, ThreadPoolExecutor(1) as pool:
        import_module(
            "ablations.launch"
        )  # import Ray first: two imports in two threads can deadlock
        opening = pool.submit(
            open_tracker, plan, request.outputs, request.tracking_uri, request.command
        )
        try:
            with ray_runtime(*place, interruption.check) as scratch:
                _run(launch, plan, scratch, opening.result(), console, interruption)
        finally:
            if opening.exception() is None:
                opening.result().close(_status(plan, interruption))
    return opening.result()


def _launch_spec(
    request: Request, plan: Plan, missing: Sequence[TrialPlan], concurrent: int
) -> Launch:
    minutes = plan.study.budget.minutes
    deadline = time.monotonic() + 60 * minutes if minutes else None
    return Launch(missing, request.function, concurrent, _threads(missing), deadline)


def _run(
    launch: Launch,
    plan: Plan,
    scratch: Path,
    tracker: Tracker,
    console: Console,
    interruption: Interruption,
) -> None:
    """Run the launch with its display; its runs in MLflow end before Ray does."""
    from ablations.launch import run

    try:
        with display(plan, console) as board:
            run(launch, scratch, CallbackList([board, tracker]), interruption)
    finally:
        tracker.close(_status(plan, interruption))


def _status(plan: Plan, interruption: Interruption) -> str:
    """Return the launch's status in MLflow."""
    if interruption.requested:
        return "KILLED"
    return "FAILED" if "failed" in plan.states().values() else "FINISHED"


def _interrupted(request: Request, plan: Plan, console: Console) -> int:
    states = list(plan.states().values())
    console.print(
        f"\nInterrupted: {states.count('done')} of {len(states)} trials are done, and those under "
        f"way go on from their checkpoints. To go on:\n  {request.command}",
        highlight=False,
        soft_wrap=True,
    )
    return EXIT_CODE


def _finish(request: Request, plan: Plan, tracker: Tracker | None, console: Console) -> int:
    """Report failed and unstarted trials, and write the report."""
    states = plan.states()
    for trial in plan.trials:
        if states[trial.id] == "failed":
            reason = f"FAILED {trial.label}: {trial.record.failure()}"
            console.print(Text(reason, "red"), Text(f"  {trial.folder}"), sep="\n")
    waiting = sum(state in ("new", "partial") for state in states.values())
    if waiting:
        console.print(
            f"{waiting} trials did not start within the budget of time; the same command goes on",
            highlight=False,
        )
    if tracker is not None and tracker.warning:
        console.print(Text(f"Warning: {tracker.warning}", "yellow"))
    files = request.report(plan.folder)
    if tracker is not None:
        tracker.keep(files, "report")
    return ALL_DONE if set(states.values()) == {"done"} else NOT_ALL_DONE
