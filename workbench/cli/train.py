"""`workbench train`: one trial, here and now."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.interruption import INTERRUPTED, noted
from workbench.errors import (
    ConfigError,
    Place,
    Problem,
    TrialDiverged,
    TrialStopped,
    WorkbenchError,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from workbench.config import TrialConfig
    from workbench.documents import Node

FAILED = 1

STOPPING = "Stopping after this move or measurement, so that nothing is lost; again: at once."

FOLLOWED = (
    "training/loss",
    "predictive/value_error",
    "decision/search_optimal_rate",
    "decision/losing_lines",
    "decision/search_return",
    "decision/search_score",
)
"""What a line of progress tells: the objective, and measures of each side."""


def train(
    config: Annotated[
        Path | None, typer.Argument(help="A trial's configuration.", show_default=False)
    ] = None,
    preset: Annotated[str | None, typer.Option(help="A named system to start from.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one key; can be repeated."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Root of every random stream.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The trial's folder; by default outputs/train/ID.")
    ] = None,
) -> None:
    """Train and measure one agent; the same command goes on where it was stopped."""
    trial = read(config, preset, changes or [], seed)
    from rich.console import Console

    from workbench.config import identity

    folder = output or Path("outputs") / "train" / identity(trial)
    raise typer.Exit(_run(trial, folder, Console()))


def read(
    file: Path | None, preset: str | None, changes: Sequence[str], seed: int | None
) -> TrialConfig:
    """The configuration: preset, then file, then each change, then the seed.

    Raises:
        ConfigError: with every problem, each at the file or the option that it came from.
    """
    from workbench import documents
    from workbench.config import read_trial
    from workbench.documents import Node, wrap

    if file is None and preset is None:
        raise ConfigError([Problem("give a configuration file, or --preset NAME")])
    document = documents.expand(documents.load(file)) if file else Node({}, Place("--preset"))
    if isinstance(document.value, dict) and "study" in document.value:
        text = f"this is a study, of many trials: `workbench ablate {file}`"
        raise ConfigError([Problem(text, "study", document.value["study"].place)])
    overlays = [_change(text) for text in changes]
    if seed is not None:
        overlays.append(wrap({"seed": seed}, Place("--seed")))
    if preset is not None:
        overlays.insert(0, wrap({"preset": preset}, Place("--preset")))
    for overlay in overlays:
        document = documents.merge(document, documents.expand(overlay))
    return read_trial(document)


def _change(text: str) -> Node:
    """The overlay of `--set key=value`, the value being YAML."""
    from workbench import documents

    place = Place(f"--set {text}")
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError([Problem("expected KEY=VALUE", place=place)])
    node = documents.parse(value, place.file) if value.strip() else None
    plain = None if node is None else node.plain()
    return documents.wrap({key.strip(): plain}, place)


def _run(trial: TrialConfig, folder: Path, console: Console) -> int:
    from ablations.manifest import locked
    from workbench.record import TrialRecord

    record = TrialRecord(folder)
    try:
        with locked(folder):
            console.print(f"{folder}: {record.state()}", highlight=False)
            result = _trained(trial, folder, console)
    except TrialDiverged as error:
        record.fail(f"{type(error).__name__}: {error}")
        console.print(f"FAILED: {error}", style="red", highlight=False)
        return FAILED
    except (KeyboardInterrupt, TrialStopped) as end:
        command = shlex.join(["workbench", *sys.argv[1:]])
        how = "Stopped, all of it kept" if isinstance(end, TrialStopped) else "Interrupted"
        text = f"{how}; to go on from the checkpoint:\n  {command}"
        console.print(text, highlight=False, soft_wrap=True)
        return INTERRUPTED
    _show(result, console)
    return 0


def _trained(trial: TrialConfig, folder: Path, console: Console) -> dict[str, Any]:
    from workbench.trial import run_trial

    try:
        with console.status("") as status, noted(STOPPING) as stopping:
            progress = _Progress(console, status)
            return run_trial(trial, folder, progress.report, progress.tell, stopping)
    except OSError as error:
        raise WorkbenchError(f"{folder}: cannot be written: {error}") from None


class _Progress:
    """A line after every measurement; between them, where a terminal can show it, what is done."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console, self._status = console, status
        self._began: tuple[float, float] | None = None
        """When training did, and how much was done by then."""

    def report(self, fraction: float, metrics: Mapping[str, float | None]) -> None:
        values = {name: metrics.get(name) for name in FOLLOWED}
        shown = [f"{name} {value:.4g}" for name, value in values.items() if value is not None]
        self._console.print(f"{fraction:4.0%}  {'  '.join(shown)}", highlight=False, soft_wrap=True)

    def tell(self, doing: str, fraction: float) -> None:
        if doing == "training":
            doing = f"training, {fraction:.1%}{self._left(fraction)}"
        elif doing != "measuring" and not self._console.is_terminal:
            self._console.print(doing, highlight=False)
        self._status.update(doing)

    def _left(self, fraction: float) -> str:
        from ablations.preview import duration

        now = time.monotonic()
        self._began = began, before = self._began or (now, fraction)
        done = fraction - before
        if done <= 0 or now - began < 2:
            return ""
        return f", about {duration((now - began) / done * (1 - fraction))} left"


def _show(result: Mapping[str, Any], console: Console) -> None:
    """The last measurement as a table, metric by metric."""
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
