"""`workbench train`: run one trial."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.command_line import command_line
from workbench.cli.completion import complete_preset
from workbench.cli.interruption import INTERRUPTED, stop_on_signal
from workbench.cli.shared_options import Outputs, TrackingUri
from workbench.cli.tracking import track_trial
from workbench.compilation import COMPILING, announce_compilation
from workbench.errors import (
    ConfigError,
    Problem,
    SourceLocation,
    TrialFailed,
    TrialStopped,
    WorkbenchError,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from workbench.config import TrialConfig
    from workbench.documents import Node

FAILED = 1

STOPPING = "Stopping after this step or measurement, to save a checkpoint; Ctrl-C again: at once."

SHOWN_METRICS = (
    "training/loss",
    "predictive/value_error",
    "decision/search_optimal_rate",
    "decision/losing_lines",
    "decision/search_return",
    "decision/search_score",
)
"""Metrics of a progress line: the objective, and metrics of prediction and of decisions."""


def train(
    config: Annotated[
        Path | None, typer.Argument(help="Configuration file of a trial.", show_default=False)
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Name of a preset to start from.", autocompletion=complete_preset),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override one key; can be repeated."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Root seed of all random streams.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the trial; by default OUTPUTS/train/ID.")
    ] = None,
    outputs: Outputs = Path("outputs"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Train and measure one agent; the same command resumes a stopped trial."""
    trial = read(config, preset, changes or [], seed)
    from workbench.cli.console import SafeConsole
    from workbench.config import identity

    folder = output or outputs / "train" / identity(trial)
    _check_size(trial, folder, str(config or f"--preset {preset}"))
    console = SafeConsole()
    code = _run(trial, folder, console)
    track_trial(folder, tracking_uri, console)
    raise typer.Exit(code)


def read(
    file: Path | None, preset: str | None, changes: Sequence[str], seed: int | None
) -> TrialConfig:
    """Read a configuration: the preset, overridden by the file, by each change and by the seed.

    Raises:
        ConfigError: the configuration is invalid; each problem names its file or option.
    """
    from workbench import documents
    from workbench.config import in_file, read_trial
    from workbench.documents import Node, wrap

    if file is None and preset is None:
        raise ConfigError([Problem("give a configuration file, or --preset NAME")])
    document = (
        documents.expand(documents.load(file)) if file else Node({}, SourceLocation("--preset"))
    )
    if isinstance(document.value, dict) and {"study", "axes", "base"} & set(document.value):
        text = f"this is a study, not a trial; run `workbench ablate {file}`"
        raise ConfigError([Problem(text, location=SourceLocation(str(file)))])
    overrides = [_override(text) for text in changes]
    if seed is not None:
        overrides.append(wrap({"seed": seed}, SourceLocation("--seed")))
    if preset is not None:
        overrides.insert(0, wrap({"preset": preset}, SourceLocation("--preset")))
    for override in overrides:
        document = documents.merge(document, documents.expand(override))
    try:
        return read_trial(document)
    except ConfigError as error:
        named = str(file) if file else f"--preset {preset}"
        raise ConfigError(in_file(error.problems, named)) from None


def _override(text: str) -> Node:
    """Return the override of `--set KEY=VALUE`, where the value is YAML."""
    from workbench import documents

    location = SourceLocation(f"--set {text}")
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError([Problem("expected KEY=VALUE", location=location)])
    node = documents.parse(value, location.file) if value.strip() else None
    plain = None if node is None else node.plain()
    return documents.wrap({key.strip(): plain}, location)


def _run(trial: TrialConfig, folder: Path, console: Console) -> int:
    from ablations.manifest import locked
    from workbench.record import TrialRecord

    record = TrialRecord(folder)
    try:
        with locked(folder):
            console.print(f"{folder}: {record.state()}", highlight=False)
            result = _train(trial, folder, console)
    except TrialFailed as error:
        record.fail(f"{type(error).__name__}: {error}")
        console.print(f"FAILED: {error}", style="red", highlight=False)
        return FAILED
    except (KeyboardInterrupt, TrialStopped) as end:
        command = command_line()
        how = "Stopped, all progress saved" if isinstance(end, TrialStopped) else "Interrupted"
        text = f"{how}; to resume from the checkpoint:\n  {command}"
        console.print(text, highlight=False, soft_wrap=True)
        return INTERRUPTED
    _show(result, console)
    return 0


def _check_size(trial: TrialConfig, folder: Path, place: str) -> None:
    """Refuse a trial whose model or replay buffer does not fit the memory; nothing is written."""
    from ablations.plan import built, count_parameters, replay_memory
    from workbench.record import TrialRecord

    if TrialRecord(folder).state() in ("new", "failed"):
        for build in (count_parameters, replay_memory):
            built(place, partial(build, trial))


def _train(trial: TrialConfig, folder: Path, console: Console) -> dict[str, Any]:
    try:
        with console.status("imports") as status, stop_on_signal(STOPPING) as should_stop:
            from workbench.trial import run_trial

            progress = _Progress(console, status)
            with announce_compilation(lambda: progress.on_status(COMPILING, 0.0)):
                return run_trial(
                    trial, folder, progress.on_measurement, progress.on_status, should_stop
                )
    except OSError as error:
        file = error.filename or folder
        raise WorkbenchError(f"{file}: cannot be written: {error.strerror or error}") from None


class _Progress:
    """Prints a line after every measurement, and shows the activity on a status line."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console, self._status = console, status
        self._printed: set[str] = set()
        self._start: tuple[float, float] | None = None
        """Time at which training started or resumed, and the fraction done by then."""

    def on_measurement(self, fraction: float, metrics: Mapping[str, float | None]) -> None:
        """Print the completed fraction and the main metrics."""
        values = {name: metrics.get(name) for name in SHOWN_METRICS}
        shown = [f"{name} {value:.4g}" for name, value in values.items() if value is not None]
        self._console.print(f"{fraction:4.0%}  {'  '.join(shown)}", highlight=False, soft_wrap=True)

    def on_status(self, activity: str, fraction: float) -> None:
        """Show the current activity, with the estimated remaining time of the training."""
        from rich.text import Text

        if activity.startswith("Warning"):
            self._console.print(Text(activity, "yellow"), soft_wrap=True)
            return
        if activity == "training":
            activity = f"training, {fraction:.1%}{self._time_left(fraction)}"
        elif not self._console.is_terminal and activity not in {"measuring", *self._printed}:
            self._printed.add(activity)
            self._console.print(Text(activity), soft_wrap=True)
        self._status.update(Text(activity))

    def _time_left(self, fraction: float) -> str:
        from ablations.preview import duration

        now = time.monotonic()
        self._start = start, before = self._start or (now, fraction)
        done = fraction - before
        if done <= 0 or now - start < 2:
            return ""
        return f", about {duration((now - start) / done * (1 - fraction))} left"


def _show(result: Mapping[str, Any], console: Console) -> None:
    """Print the last measurement as a table with one row per metric."""
    from rich.table import Table

    from workbench.metrics import METRICS

    metrics = result["metrics"]
    table = Table(box=None, pad_edge=False)
    for column in ("metric", "value", "unit", "better"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for name, spec in METRICS.items():
        if metrics.get(name) is not None:
            table.add_row(name, f"{metrics[name]:.4g}", spec.unit, spec.better)
    console.print(table)
    console.print(f"{result['steps']} steps in {result['seconds']:.0f} s", highlight=False)
