"""`workbench evaluate`: measure trained agents from their checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.command_line import command_line
from workbench.cli.completion import complete_study
from workbench.cli.interruption import exit_on_signal
from workbench.cli.report import STUDY, find, show
from workbench.cli.shared_options import Outputs, TrackingUri
from workbench.cli.tracking import track_study, track_trial

if TYPE_CHECKING:
    from rich.console import Console

    from workbench.evaluation import MeasureStatus

MOST_NAMES = 5
"""Number of skipped measures that a line still names."""

ALL_MEASURED, NOT_ALL_MEASURED = 0, 1


@dataclass(frozen=True)
class _Trial:
    label: str
    folder: Path
    id: str | None = None


def evaluate(
    study: Annotated[
        str,
        typer.Argument(
            help="Name or folder of a study, or folder of a trial.", autocompletion=complete_study
        ),
    ],
    measure: Annotated[
        list[str] | None,
        typer.Option(
            help="Run only this measure; can be repeated. By default all applicable ones."
        ),
    ] = None,
    concurrent: Annotated[
        int | None,
        typer.Option(min=1, help="Number of parallel trials; by default one per core."),
    ] = None,
    outputs: Outputs = Path("outputs"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Run all applicable measures on the checkpoints of finished trials, without training.

    Stored measurements are skipped, so a new measure costs only its own time. Exit code 0: all
    applicable measures are done; 1: some failed or trials are not done; 2: bad input;
    130: interrupted, the same command resumes.
    """
    command = command_line()
    with exit_on_signal(
        lambda: f"Interrupted; finished measurements are stored. To resume:\n  {command}"
    ):
        from workbench.cli.console import SafeConsole
        from workbench.evaluation import check_measure_names

        check_measure_names(measure or [])
        console = SafeConsole()
        folder = _find(study, outputs)
        trials, unfinished = _trials(folder)
        runner = "`workbench ablate`" if (folder / STUDY).exists() else "`workbench train`"
        for label, state in unfinished:
            console.print(f"{label}: is not done ({state}); run {runner} first")
        failures = _evaluate(trials, measure or [], concurrent, console)
        if (folder / STUDY).exists():
            track_study(folder, tracking_uri, console, show(folder, console))
        else:
            track_trial(folder, tracking_uri, console)
    raise typer.Exit(NOT_ALL_MEASURED if failures or unfinished else ALL_MEASURED)


def _find(study: str, outputs: Path) -> Path:
    """Return the folder of a study or of one trial."""
    from workbench.record import CONFIG

    folder = Path(study)
    return folder if (folder / CONFIG).is_file() else find(study, outputs)


def _trials(folder: Path) -> tuple[list[_Trial], list[tuple[str, str]]]:
    """Return the finished trials, and the label and state of each unfinished one."""
    from analysis.frames import read_study
    from workbench.record import TrialRecord

    if (folder / STUDY).exists():
        known = [
            _Trial(
                f"{entry['condition']}, seed {entry['seed']}",
                folder / entry["folder"],
                entry["id"],
            )
            for entry in read_study(folder)["trials"]
        ]
    else:
        known = [_Trial(folder.name, folder)]
    records = {trial.label: TrialRecord(trial.folder, trial.id) for trial in known}
    states = {label: record.damage() or record.state() for label, record in records.items()}
    done = [trial for trial in known if states[trial.label] == "done"]
    return done, [(label, state) for label, state in states.items() if state != "done"]


def _evaluate(
    trials: list[_Trial], measures: list[str], concurrent: int | None, console: Console
) -> int:
    """Evaluate the trials, print results as they arrive, and return the number of failures."""
    from rich.text import Text

    from workbench.evaluation import evaluate_trials

    failures, inapplicable = 0, dict[str, str]()
    labels = {trial.folder: trial.label for trial in trials}
    with console.status("") as status_line:
        done, current = 0, dict[Path, str]()

        def show_progress() -> None:
            activities = [f"{labels[one]}: measuring {name}" for one, name in current.items()]
            counts = f"{done} of {len(trials)} trials done"
            status_line.update(Text("; ".join([counts, *(activities or ["loading"])])))

        def on_start(folder: Path, measure: str) -> None:
            current[folder] = measure
            show_progress()

        show_progress()
        for folder, result in evaluate_trials([*labels], measures, concurrent, on_start):
            done += 1
            current.pop(folder, None)
            show_progress()
            label = labels[folder]
            if isinstance(result, str):
                failures += 1
                console.print(Text(f"{label}: {result}", "red"), soft_wrap=True)
                continue
            console.print(Text(f"{label}: {_summary(result)}"), soft_wrap=True)
            for status in result:
                if status.state == "failed":
                    failures += 1
                    text = f"{label}: {status.measure}: {status.detail}"
                    console.print(Text(text, "red"), soft_wrap=True)
                elif status.state == "incompatible":
                    inapplicable.setdefault(status.measure, status.detail)
    if inapplicable:
        console.print("\nMeasures that do not apply here:")
        for name, reason in inapplicable.items():
            console.print(Text(f"  {name}: {reason}"), soft_wrap=True)
    return failures


def _summary(result: Sequence[MeasureStatus]) -> str:
    """Return how many measures were run and which were skipped, in one line."""
    measured = [status.seconds for status in result if status.state == "measured"]
    stored = [status.measure for status in result if status.state == "stored"]
    parts = [f"{len(measured)} measured in {sum(measured):.0f} s"] if measured else []
    if stored:
        names = f" ({', '.join(stored)})" if len(stored) <= MOST_NAMES else ""
        parts.append(f"{len(stored)} skipped, already measured{names}")
    return ", ".join(parts) or "nothing measured"
