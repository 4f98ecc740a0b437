"""`workbench evaluate`: measure trained agents from their checkpoints."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.completion import complete_study
from workbench.cli.interruption import exit_on_signal
from workbench.cli.report import STUDY, find, show
from workbench.cli.shared_options import Outputs

if TYPE_CHECKING:
    from rich.console import Console

ALL_MEASURED, NOT_ALL_MEASURED = 0, 1


@dataclass(frozen=True)
class _Trial:
    label: str
    folder: Path


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
) -> None:
    """Run all applicable measures on the checkpoints of finished trials, without training.

    Stored measurements are skipped, so a new measure costs only its own time. Exit code 0: all
    applicable measures are done; 1: some failed or trials are not done; 2: bad input;
    130: interrupted, the same command resumes.
    """
    command = shlex.join(["workbench", *sys.argv[1:]])
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
            show(folder, console)
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
            _Trial(f"{entry['condition']}, seed {entry['seed']}", folder / entry["folder"])
            for entry in read_study(folder)["trials"]
        ]
    else:
        known = [_Trial(folder.name, folder)]
    states = {trial.label: TrialRecord(trial.folder).state() for trial in known}
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
        done = 0

        def show_progress(activity: str = "") -> None:
            status_line.update(f"{done} of {len(trials)} trials done{activity}")

        def on_start(folder: Path, measure: str) -> None:
            show_progress(f"; {labels[folder]}: measuring {measure}")

        show_progress()
        for folder, result in evaluate_trials([*labels], measures, concurrent, on_start):
            done += 1
            show_progress()
            label = labels[folder]
            if isinstance(result, str):
                failures += 1
                console.print(Text(f"{label}: {result}", "red"), soft_wrap=True)
                continue
            counts = Counter(status.state for status in result)
            seconds = sum(status.seconds for status in result)
            console.print(
                f"{label}: {counts['measured']} measured in {seconds:.0f} s, "
                f"{counts['stored']} already stored", highlight=False)  # fmt: skip
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
