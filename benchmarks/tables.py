"""Writes the tables of stored benchmark figures as Markdown.

    python -m benchmarks.tables FIGURES.json [MORE.json ...] [--into benchmarks/README.md]

Without `--into` they are printed. With it, the text between the two marks of the file is replaced.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from tabulate import tabulate

from benchmarks.measurement import SCHEMA, number
from workbench.errors import WorkbenchError
from workbench.record import write_text

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"

Record = Mapping[str, Any]


def read(file: Path) -> dict[str, Any]:
    """Read a document. Raises WorkbenchError if it is not a benchmark of this schema."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WorkbenchError(f"{file}: cannot be read: {error}") from None
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise WorkbenchError(f"{file}: schema: found {schema}, expected {SCHEMA}")
    return dict(found)


def markdown(found: Record) -> str:
    """Return machine and command, then one table per row of the benchmark."""
    parts = [_about(found)]
    for row, figures in groupby(found["figures"], key=itemgetter("row")):
        parts.append(f"### {row}\n\n{_table(list(figures))}")
    return "\n\n".join(parts)


def _about(found: Record) -> str:
    machine, effort = found["machine"], found["effort"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    threads = f"{effort['threads']} thread{'s' if effort['threads'] != 1 else ''}"
    return (
        f"`{found['command']}`, {machine['date']}: {threads}, {effort['repeats']} pairs of timings "
        f"per figure; {machine['processor']}, {machine['cores']} cores, load {machine['load']} at "
        f"the start; {versions}."
    )


def _table(figures: Sequence[Record]) -> str:
    case = _names(figure["case"] for figure in figures)
    extras = _names(figure["extras"] for figure in figures)
    header = [*case, "measured", "quartiles", "floor", "floor value", "ratio to floor", *extras]
    body = [[*_cells(figure, case, extras)] for figure in figures]
    return tabulate(body, header, tablefmt="github", disable_numparse=True)


def _names(records: Iterable[Record]) -> list[str]:
    """Return all names in the order of their first occurrence."""
    return list(dict.fromkeys(name for record in records for name in record))


def _cells(figure: Record, case: Sequence[str], extras: Sequence[str]) -> Iterator[str]:
    yield from (str(figure["case"].get(name, "")) for name in case)
    yield f"{number(figure['median'])} {figure['unit']}"
    yield f"{number(figure['low'])} to {number(figure['high'])}"
    yield figure["floor"]
    yield "" if figure["floor_median"] is None else number(figure["floor_median"])
    yield "" if figure["ratio"] is None else f"{figure['ratio']:.2f}"
    for name in extras:
        yield number(figure["extras"][name]) if name in figure["extras"] else ""


def write_between_marks(text: str, file: Path) -> None:
    """Replace the text between the marks of a file.

    Raises:
        WorkbenchError: the file does not have both marks, in their order.
    """
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise WorkbenchError(f"{file}: needs the lines {BEGIN} and {END}")
    write_text(file, f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    """Run the command line."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument(
        "figures", type=Path, nargs="+", help="what `workbench bench --json` wrote"
    )
    arguments.add_argument("--into", type=Path, help="a file with the marks")
    options = arguments.parse_args()
    try:
        text = "\n\n".join(markdown(read(file)) for file in options.figures)
        if options.into is None:
            print(text)
        else:
            write_between_marks(text, options.into)
    except WorkbenchError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
