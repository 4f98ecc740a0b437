"""From study file to report: plan, preview, launch missing trials, summarise."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ablations.callbacks import CallbackList
from ablations.interruption import EXIT_CODE, FirstFailure, Interrupted, Interruption
from ablations.jobs import Launch, RunTrial
from ablations.limits import NO_LIMITS, TrialLimits
from ablations.manifest import StudyManifest, locked
from ablations.plan import (
    ParameterCounter,
    Plan,
    check_match,
    check_models,
    check_schema,
    count_parameters,
    make_plan,
    matched_parameters,
    replay_sizes,
)
from ablations.preview import show_plan
from ablations.progress import display
from ablations.ray_runtime import cluster_machines, ray_runtime
from ablations.slots import Demand, cluster_slots, local_slots, this_machine
from ablations.study import read_study
from ablations.tracking.address import store_of
from ablations.tracking.study import read_tracked_study
from ablations.tracking.sync import bring_up_to_date
from ablations.tracking.tracker import Tracker, open_tracker
from ablations.tracking.views import invitation
from workbench.errors import WorkbenchError

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
    fail_fast: bool = False
    limits: TrialLimits = NO_LIMITS
    function: str | RunTrial = RUN_TRIAL
    count: ParameterCounter = count_parameters


def ablate(request: Request, console: Console) -> int:
    """Run the missing trials of a study and report it. Returns the exit code.

    Raises:
        WorkbenchError: the study file, a model, the match of budgets, the lock, the schema or the
            store is invalid; nothing was launched.
    """
    with console.status("reading the study"):
        study = read_study(request.file, request.seeds)
        plan = make_plan(study, request.outputs)
        check_schema(plan)
    with console.status("building the models, to check them"):
        check_models(study, request.count)
        counts = matched_parameters(study, request.count)
        memory = replay_sizes(study)
    concurrent = _concurrent(request, plan)
    show_plan(console, plan, counts, concurrent, memory)
    check_match(study, counts)
    if request.dry_run:
        return ALL_DONE
    with locked(plan.folder):
        ledger = StudyManifest(plan, request.command)
        ledger.write()
        tracker = None
        if plan.missing():
            ledger.begin()
            try:
                tracker = _launch(request, plan, concurrent, console)
            except Interrupted:
                return _interrupted(request, plan, console)
            finally:
                ledger.end()
        return _finish(request, plan, tracker, console)


def _concurrent(request: Request, plan: Plan) -> int | None:
    """Return the number of concurrent trials; None if a cluster determines it."""
    if request.address is not None:
        return request.concurrent
    slots = local_slots(this_machine(), _demand(request, plan))  # also checks the memory
    return request.concurrent or slots


def _demand(request: Request, plan: Plan) -> Demand:
    configs = [trial.config for trial in plan.trials]
    return Demand(
        threads=max(config.threads for config in configs),
        gpu=any(config.device == "cuda" for config in configs),
        memory=request.limits.memory,
    )


def _launch(request: Request, plan: Plan, concurrent: int | None, console: Console) -> Tracker:
    """Run the missing trials; the tracking store is opened while Ray starts."""
    demand = _demand(request, plan)
    cpus = (concurrent or 0) * demand.threads
    memory = None if demand.memory is None else (concurrent or 0) * demand.memory
    shared = plan.folder / ".tune"
    with Interruption() as interruption, ThreadPoolExecutor(1) as pool:
        import_module(
            "ablations.launch"
        )  # import Ray first: two imports in two threads can deadlock
        store = store_of(request.outputs, request.tracking_uri)
        opening = pool.submit(open_tracker, read_tracked_study(plan.folder), store)
        try:
            with (
                suppress(FirstFailure),
                _starting(request, plan, concurrent, console) as started,
                ray_runtime(
                    cpus, demand.threads, request.address, shared, interruption.check, memory
                ) as scratch,
            ):
                tracker = opening.result()
                started()
                launch = _launch_spec(request, plan, demand, concurrent, console)
                _run(launch, plan, scratch, tracker, console, interruption)
        finally:
            if opening.exception() is None:
                opening.result().close(_status(plan, interruption))
    return tracker


@contextmanager
def _starting(
    request: Request, plan: Plan, concurrent: int | None, console: Console
) -> Iterator[Callable[[], None]]:
    """Context manager: show that Ray and the tracking store start; yields the end of the notice."""
    how = f"{concurrent} at once" if concurrent else f"on the cluster at {request.address}"
    console.print(f"\nStarting {len(plan.missing())} trials, {how}", highlight=False)
    phase = "joining the Ray cluster" if request.address else "starting Ray"
    text = f"{phase} and opening the tracking store"
    if not console.is_terminal:
        console.print(text)
        console.file.flush()
    with ExitStack() as notice:
        notice.enter_context(console.status(text))
        yield notice.close


def _launch_spec(
    request: Request, plan: Plan, demand: Demand, concurrent: int | None, console: Console
) -> Launch:
    """Return the launch; on a cluster, which must be joined, at most as many trials as fit it."""
    if request.address is not None:
        nodes = cluster_machines()
        slots = cluster_slots(nodes, demand)
        concurrent = min(concurrent or slots, slots)
        text = f"{concurrent} trials at once: the cluster has {sum(n.cpus for n in nodes):g} CPUs"
        console.print(f"{text} on {len(nodes)} nodes", highlight=False)
    assert concurrent is not None
    minutes = plan.study.budget.minutes
    return Launch(
        trials=plan.missing(),
        function=request.function,
        concurrent=concurrent,
        threads=demand.threads,
        deadline=time.monotonic() + 60 * minutes if minutes else None,
        limits=request.limits,
        fail_fast=request.fail_fast,
    )


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
        for damage in (trial.record.result() or {}).get("damage", ()):
            console.print(Text(f"Warning: {trial.label}: {damage}", "yellow"), soft_wrap=True)
    waiting = sum(state in ("new", "partial") for state in states.values())
    if waiting:
        stopped = request.fail_fast and "failed" in states.values()
        reason = (
            "were stopped or did not start, because a trial failed (--fail-fast)"
            if stopped
            else "did not start within the budget of time"
        )
        console.print(f"{waiting} trials {reason}; the same command goes on", highlight=False)
    files = request.report(plan.folder)
    for line in _tracked(request, plan, tracker, files):
        console.print(line, soft_wrap=True)
    return ALL_DONE if set(states.values()) == {"done"} else NOT_ALL_DONE


def _tracked(
    request: Request, plan: Plan, tracker: Tracker | None, files: Sequence[Path]
) -> list[Text]:
    """Store the report in MLflow, with all that it lacks, and return what to tell the user."""
    store = store_of(request.outputs, request.tracking_uri)
    if tracker is not None:
        tracker.keep_report(files)
        experiment, warnings = tracker.experiment.id, tracker.warnings
    else:
        try:
            synced = bring_up_to_date(read_tracked_study(plan.folder), store, files)
        except WorkbenchError as error:
            return [Text(f"Warning: {error}", "yellow")]
        experiment, warnings = synced.experiment, list(synced.warnings)
    return [
        *(Text(f"Warning: {warning}", "yellow") for warning in warnings),
        *(Text(line) for line in invitation(store, experiment, plan.study.name)),
    ]
