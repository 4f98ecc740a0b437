"""`workbench report`: figures, tables and the answer of a study, from what is done of it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.shared_options import Outputs
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from rich.console import Console

STUDY = "study.json"


def report(
    study: Annotated[str, typer.Argument(help="A study's name, or its folder.")],
    into: Annotated[
        Path | None,
        typer.Option(help="Where it is written; by default the folder `report` of the study's."),
    ] = None,
    outputs: Outputs = Path("outputs"),
) -> None:
    """Write the report of a study, and show its table and answer."""
    folder = find(study, outputs)
    from rich.console import Console

    show(folder, Console(), into)


def find(study: str, outputs: Path) -> Path:
    """The folder of a study.

    Raises:
        WorkbenchError: there is none; the message lists those that exist.
    """
    for folder in (outputs / study, Path(study)):
        if (folder / STUDY).is_file():
            return folder
    known = sorted(path.parent.name for path in outputs.glob(f"*/{STUDY}"))
    there = f"; there are: {', '.join(known)}" if known else "; there is none yet"
    raise WorkbenchError(f"no study '{study}' in {outputs}{there}")


def show(folder: Path, console: Console, into: Path | None = None) -> list[Path]:
    """Write a study's report, and show its table, its answer and its files; gives the files."""
    from rich.text import Text

    from analysis.report import write_report

    try:
        with console.status(f"drawing the figures of {folder.name}"):
            written = write_report(folder, into)
    except OSError as error:
        raise WorkbenchError(
            f"{error.filename}: cannot be written: {error.strerror} "
            "(`workbench report --into` writes a report elsewhere)"
        ) from None
    for text in (written.summary, written.answer):
        console.print(Text(f"\n{text}"), soft_wrap=True)
    console.print()
    for line in (str(_short(written.index)), *_grouped(written.figures)):
        console.print(Text(f"  {line}"), soft_wrap=True)
    return [written.index, *written.figures, *written.tables]


def _grouped(figures: Sequence[Path]) -> list[str]:
    """A line for every figure, whatever number of formats it comes in: `curves.{pdf,png}`."""
    formats: dict[Path, list[str]] = {}
    for path in figures:
        formats.setdefault(_short(path).with_suffix(""), []).append(path.suffix.lstrip("."))
    return [f"{stem}.{{{','.join(sorted(kinds))}}}" for stem, kinds in formats.items()]


def _short(path: Path) -> Path:
    with suppress(ValueError):
        return path.resolve().relative_to(Path.cwd())
    return path
