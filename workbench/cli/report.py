"""`workbench report`: figures, tables and findings of a study from its finished trials."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from workbench.cli.completion import complete_study
from workbench.cli.shared_options import Outputs, TrackingUri
from workbench.cli.tracking import track_study
from workbench.errors import WorkbenchError, did_you_mean

if TYPE_CHECKING:
    from rich.console import Console

STUDY = "study.json"


def report(
    study: Annotated[
        str, typer.Argument(help="Name or folder of a study.", autocompletion=complete_study)
    ],
    into: Annotated[
        Path | None,
        typer.Option(help="Folder to write to; by default `report` in the study's folder."),
    ] = None,
    width: Annotated[
        Literal["column", "page"],
        typer.Option(
            help="Width of the figures: one column (3.25 in) or the page (6.75 in) of a paper."
        ),
    ] = "page",
    outputs: Outputs = Path("outputs"),
    tracking_uri: TrackingUri = None,
) -> None:
    """Write the report of a study, and show its table and findings.

    Edits of `primary`, `predictive`, `baseline`, `comparisons`, `match` and `question` in the study
    file take effect without a new launch.
    """
    folder = find(study, outputs)
    from workbench.cli.console import SafeConsole

    console = SafeConsole()
    track_study(folder, tracking_uri, console, show(folder, console, into, width))


def find(study: str, outputs: Path) -> Path:
    """Return the folder of a study.

    Raises:
        WorkbenchError: there is no such study; the message lists the existing ones.
    """
    for folder in (outputs / study, Path(study)):
        if (folder / STUDY).is_file():
            return folder
    known = sorted(path.parent.name for path in outputs.glob(f"*/{STUDY}"))
    existing = f"existing studies: {', '.join(known)}" if known else "it has no studies yet"
    meant = did_you_mean(Path(study).name, known)
    raise WorkbenchError(f"no study '{study}' in {outputs}{meant or ';'} {existing}")


def show(
    folder: Path,
    console: Console,
    into: Path | None = None,
    width: Literal["column", "page"] = "page",
) -> list[Path]:
    """Write a study's report, show its table, findings and files, and return the files."""
    from rich.text import Text

    from ablations.edited_design import edited_design
    from analysis.report import write_report
    from analysis.style import WIDTHS

    design, edits = edited_design(folder)

    try:
        with console.status(f"drawing the figures of {folder.name}"):
            written = write_report(folder, into, WIDTHS[width], design, edits)
    except OSError as error:
        raise WorkbenchError(
            f"{error.filename or into or folder}: cannot be written: {error.strerror} "
            "(`workbench report --into DIR` writes a report elsewhere)"
        ) from None
    for text in (written.summary, written.findings, *(f"Note: {n}" for n in written.notices)):
        console.print(Text(f"\n{text}"), soft_wrap=True)
    console.print()
    for line in (str(_short(written.index)), *_grouped(written.figures)):
        console.print(Text(f"  {line}"), soft_wrap=True)
    return [written.index, *written.figures, *written.tables]


def _grouped(figures: Sequence[Path]) -> list[str]:
    """Return one line per figure with all its formats, such as `curves.{pdf,png}`."""
    formats: dict[Path, list[str]] = {}
    for path in figures:
        formats.setdefault(_short(path).with_suffix(""), []).append(path.suffix.lstrip("."))
    return [f"{stem}.{{{','.join(sorted(kinds))}}}" for stem, kinds in formats.items()]


def _short(path: Path) -> Path:
    with suppress(ValueError):
        return path.resolve().relative_to(Path.cwd())
    return path
