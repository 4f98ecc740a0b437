"""`workbench evaluate`: measure trained agents again, from their checkpoints."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.interruption import ending_at_once
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
    study: Annotated[str, typer.Argument(help="A study's name, its folder, or a trial's folder.")],
    measure: Annotated[
        list[str] | None,
        typer.Option(help="Only this measure; can be repeated. By default all that fit."),
    ] = None,
    concurrent: Annotated[
        int | None,
        typer.Option(min=1, help="Trials at once; by default as many as there are cores."),
    ] = None,
    outputs: Outputs = Path("outputs"),
) -> None:
    """Measure finished trials by all there is, from their checkpoints: nothing is trained.

    What was measured before is kept, so a new measure costs that measure only. Exit code 0: all
    that fits is measured; 1: some could not be; 2: bad input; 130: interrupted, the same command
    goes on.
    """
    command = shlex.join(["workbench", *sys.argv[1:]])
    with ending_at_once(lambda: f"Interrupted; what is measured is kept. To go on:\n  {command}"):
        from rich.console import Console

        from workbench.evaluation import check_names

        check_names(measure or [])
        console = Console()
        folder = _find(study, outputs)
        trials, waiting = _trials(folder)
        runs = "`workbench ablate`" if (folder / STUDY).exists() else "`workbench train`"
        for label, state in waiting:
            console.print(f"{label}: is not done ({state}); run {runs} first")
        missed = _evaluate(trials, measure or [], concurrent, console)
        if (folder / STUDY).exists():
            show(folder, console)
    raise typer.Exit(NOT_ALL_MEASURED if missed or waiting else ALL_MEASURED)


def _find(study: str, outputs: Path) -> Path:
    """The folder of a study or of one trial."""
    from workbench.record import CONFIG

    folder = Path(study)
    return folder if (folder / CONFIG).is_file() else find(study, outputs)


def _trials(folder: Path) -> tuple[list[_Trial], list[tuple[str, str]]]:
    """Those to be measured, and of the others label and state."""
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
    trials: list[_Trial], wanted: list[str], concurrent: int | None, console: Console
) -> int:
    """How many measures, or whole trials, could not be had; told as they come."""
    from rich.text import Text

    from workbench.evaluation import evaluate_trials

    missed, unfit, states = 0, dict[str, str](), Counter[str]()
    labels = {trial.folder: trial.label for trial in trials}
    with console.status("") as now:
        done = 0

        def tell(doing: str = "") -> None:
            now.update(f"{done} of {len(trials)} trials done{doing}")

        def begins(folder: Path, measure: str) -> None:
            tell(f"; {labels[folder]}: measuring {measure}")

        tell()
        for folder, found in evaluate_trials([*labels], wanted, concurrent, begins):
            done += 1
            tell()
            label = labels[folder]
            if isinstance(found, str):
                missed += 1
                console.print(Text(f"{label}: {found}", "red"), soft_wrap=True)
                continue
            here = Counter(outcome.state for outcome in found)
            seconds = sum(outcome.seconds for outcome in found)
            console.print(
                f"{label}: {here['measured']} measured in {seconds:.0f} s, "
                f"{here['kept']} kept", highlight=False)  # fmt: skip
            for outcome in found:
                if outcome.state == "failed":
                    missed += 1
                    text = f"{label}: {outcome.measure}: {outcome.detail}"
                    console.print(Text(text, "red"), soft_wrap=True)
                elif outcome.state == "does not fit":
                    unfit.setdefault(outcome.measure, outcome.detail)
            states += here
    if unfit:
        console.print("\nNot measured here, because it does not fit:")
        for name, reason in unfit.items():
            console.print(Text(f"  {name}: {reason}"), soft_wrap=True)
    return missed
