"""`workbench status`: the state of a study's trials, also while a launch runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.catalogue import Json
from workbench.cli.completion import complete_study
from workbench.cli.report import find
from workbench.cli.shared_options import Outputs

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from ablations.study_folder import StudyState, TrialState

STYLES = {"done": "green", "running": "cyan", "stopped": "yellow", "failed": "bold red"}


def status(
    study: Annotated[
        str, typer.Argument(help="Name or folder of a study.", autocompletion=complete_study)
    ],
    as_json: Json = False,
    outputs: Outputs = Path("outputs"),
) -> None:
    """Show the state of every trial of a study, and whether a launch runs.

    A finished trial shows its primary metric, any other one the completed fraction of its training.
    """
    from ablations.study_folder import read_state

    folder = find(study, outputs)
    state = read_state(folder)
    if as_json:
        typer.echo(json.dumps(state.as_json() | {"folder": str(folder.resolve())}, indent=2))
        return
    from rich.text import Text

    from workbench.cli.console import SafeConsole

    console = SafeConsole()
    console.print(_table(state))
    counts = ", ".join(f"{count} {name}" for name, count in state.counts().items())
    console.print(f"{state.primary} where done; {counts}", highlight=False)
    console.print(Text(_launch(state)))
    for trial in state.trials:
        if trial.failure is not None:
            word = "FAILED" if trial.state == "failed" else "DAMAGED"
            text = f"{word} {trial.condition} | seed {trial.seed}: {trial.failure}"
            console.print(Text(text, "red"), soft_wrap=True)


def _table(state: StudyState) -> Table:
    from rich.table import Table
    from rich.text import Text

    cells = {(trial.condition, trial.seed): _cell(trial) for trial in state.trials}
    seeds = dict.fromkeys(trial.seed for trial in state.trials)
    table = Table(box=None, pad_edge=False)
    table.add_column("condition \\ seed", overflow="fold")
    for seed in seeds:
        table.add_column(str(seed), justify="right")
    for condition in dict.fromkeys(trial.condition for trial in state.trials):
        row = [cells.get((condition, seed), Text("")) for seed in seeds]
        table.add_row(Text(condition), *row)
    return table


def _cell(trial: TrialState) -> Text:
    from rich.text import Text

    texts = {
        "done": "done" if trial.primary is None else f"{trial.primary:.3g}",
        "running": f"{trial.fraction:.0%}",
        "stopped": f"{trial.fraction:.0%} -",
        "failed": "failed",
        "new": "-",
    }
    return Text(texts[trial.state], STYLES.get(trial.state, "dim"))


def _launch(state: StudyState) -> str:
    if state.running:
        return f"A launch runs: {state.holder}"
    last = f"; the last one was {state.holder}" if state.holder else ""
    return f"No launch runs{last}"
