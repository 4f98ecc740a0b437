"""`workbench sync`: bring MLflow up to date from the folders of the trials."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.completion import complete_study
from workbench.cli.report import find
from workbench.cli.shared_options import Outputs, TrackingUri

UP_TO_DATE, SOME_FAILED = 0, 1


def sync(
    study: Annotated[
        str, typer.Argument(help="Name or folder of a study.", autocompletion=complete_study)
    ],
    outputs: Outputs = Path("outputs"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Write to MLflow what it lacks of a study, such as after a server failed.

    The folders of the trials hold all results. No run and no value is written twice. Exit code 0:
    the store is up to date; 1: some trials could not be written; 2: bad input.
    """
    folder = find(study, outputs)
    from rich.text import Text

    from ablations.manifest import locked
    from ablations.tracking.address import store_of
    from ablations.tracking.study import read_tracked_study
    from ablations.tracking.sync import bring_up_to_date
    from ablations.tracking.views import invitation
    from workbench.cli.console import SafeConsole

    console = SafeConsole()
    store = store_of(folder.absolute().parent, tracking_uri)
    with locked(folder), console.status("bringing MLflow up to date"):
        tracked = read_tracked_study(folder)
        synced = bring_up_to_date(tracked, store, _report(folder))
    for warning in synced.warnings:
        console.print(Text(f"Warning: {warning}", "yellow"), soft_wrap=True)
    number = f"{synced.runs} run{'s' if synced.runs != 1 else ''}" if synced.runs else "nothing"
    console.print(f"{store.shown}: {number} written", highlight=False, soft_wrap=True)
    for line in invitation(store, synced.experiment, tracked.name):
        console.print(Text(line), soft_wrap=True)
    raise typer.Exit(SOME_FAILED if synced.failed else UP_TO_DATE)


def _report(folder: Path) -> list[Path]:
    """Return the files of the study's report, the page first; empty if there is none."""
    page = folder / "report" / "index.html"
    if not page.is_file():
        return []
    files = (path for path in sorted(page.parent.rglob("*")) if path.is_file() and path != page)
    return [page, *files]
