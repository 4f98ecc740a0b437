"""The study's report: one page to read, with every figure and table beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from analysis.captions import captions
from analysis.caveats import cautions, matched_sizes
from analysis.figures import draw_figures
from analysis.findings import answer
from analysis.formatting import count
from analysis.frames import StudyResults, load_study
from analysis.provenance import data_digest, provenance
from analysis.study_agreement import by_condition, discordance, predictive_metrics
from analysis.style import save
from analysis.table_format import Table
from analysis.tables import (
    all_correlations_table,
    comparisons_tables,
    correlation_table,
    main_tables,
    selection_table,
    write_tables,
)
from workbench.record import write_text

FOLDER = "report"


@dataclass(frozen=True)
class Report:
    """Where the report lies, and what it says in short."""

    index: Path
    figures: list[Path]
    tables: list[Path]
    answer: str
    summary: str
    """Plain-text tables for the terminal."""


def write_report(folder: Path, into: Path | None = None) -> Report:
    """Write a report from the results that are stored in a study's folder.

    Args:
        into: where it is written; by default `<folder>/report/`.

    Raises:
        WorkbenchError: the results cannot be read.
    """
    results = load_study(folder)
    target = into or folder / FOLDER
    drawn = draw_figures(results)
    data = provenance(results)
    figures = {name: save(figure, target / "figures", name, data) for name, figure in drawn.items()}
    tables = write_tables(results, target / "tables")
    said, sections = answer(results), _sections(results)
    downloads = [path for paths in figures.values() for path in paths] + tables
    page = _environment().get_template("report.html.j2").render(
        results=results,
        study=results.study,
        answer=said,
        cautions=cautions(results),
        images={name: _embedded(paths) for name, paths in figures.items()},
        captions=captions(results),
        sections=sections,
        conditions=_conditions(results),
        made=_how_made(results),
        launches=results.study.get("launches") or [],
        notes=sorted({note for notes in results.trials["notes"] for note in notes}),
        downloads=_downloads(downloads, target),
    )  # fmt: skip
    _remove_former(target, downloads)
    write_text(target / "index.html", page)
    return Report(
        index=target / "index.html",
        figures=[path for paths in figures.values() for path in paths],
        tables=tables,
        answer=said.text,
        summary=_summary(results, sections),
    )


def _remove_former(target: Path, written: list[Path]) -> None:
    """Figures and tables that the last report had and this one has not: they show other data."""
    index = target / "index.html"
    page = index.read_text(encoding="utf-8") if index.exists() else ""
    for address in set(re.findall(r'href="((?:figures|tables)/[\w.-]+)"', page)):
        if target / address not in written:
            (target / address).unlink(missing_ok=True)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = _code
    return environment


def _code(text: str) -> Markup:
    """Escaped text with `names` in backticks set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _embedded(paths: list[Path]) -> str:
    """The SVG as a data address: the page stays whole wherever it is sent."""
    svg = next(path for path in paths if path.suffix == ".svg")
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii")


def _sections(results: StudyResults) -> dict[str, list[Table]]:
    sections = {
        "main": main_tables(results),
        "comparisons": comparisons_tables(results),
        "mismatch": [
            selection_table(results),
            correlation_table(results),
            all_correlations_table(results),
        ],
    }
    return {
        name: [table for table in tables if not table.cells.empty]
        for name, tables in sections.items()
    }


def _conditions(results: StudyResults) -> dict[str, list[str]]:
    """By condition, what it says otherwise than the baseline; empty where that was not noted."""
    noted = results.study["conditions"]
    if not all("differs" in condition for condition in noted):
        return {}
    return {condition["name"]: condition["differs"] for condition in noted}


def _how_made(results: StudyResults) -> dict[str, str]:
    """Facts of provenance, in the order they are read."""
    study, trials = results.study, results.trials
    done = trials[trials["state"] == "done"]
    budget = {key: value for key, value in (study.get("budget") or {}).items() if value is not None}
    facts = {
        "Command": str(study.get("command", "")),
        "Study file": str(study.get("file", "")),
        "Seeds": ", ".join(map(str, study.get("seeds", []))),
        "Declared budget": ", ".join(f"{key} {value:,}" for key, value in budget.items()),
        "Environment steps reached": _spread(done["step"]),
        "Updates reached": _spread(done["updates"]),
        "Seconds a trial, training": _spread(done["seconds"]),
        "Seconds a trial, measuring": _spread(done["evaluation_seconds"]),
        "Peak memory, MB": _spread(done["memory_mb"]),
        "Matched parameters": _matched(results),
        "Evaluation set": ", ".join(
            sorted({str(h)[:16] for h in done["evaluation_hash"].dropna()})
        ),
        "Positions": _spread(done["positions"]),
        "Data": f"SHA-256 {data_digest(results)}, also in the metadata of every figure",
        "Rule": "last checkpoint of each finished trial, never the best",
    }
    return {key: value for key, value in facts.items() if value}


def _spread(values: pd.Series[Any]) -> str:
    there = pd.to_numeric(values).dropna()
    if there.empty:
        return ""
    low, high = float(there.min()), float(there.max())
    return f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f} to {high:,.0f}"


def _matched(results: StudyResults) -> str:
    match, sizes = results.study.get("match"), matched_sizes(results)
    if not match or not sizes:
        return ""
    off = max(sizes.values()) / max(1.0, min(sizes.values())) - 1
    listed = ", ".join(f"{name} {size:,.0f}" for name, size in sizes.items())
    declared = f"declared within {match['tolerance']:.1%}"
    return f"{match['part']}: {listed}; they differ by {off:.1%}, {declared}"


def _downloads(paths: list[Path], target: Path) -> dict[str, list[str]]:
    """Relative addresses by the name of the figure or table."""
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(path.stem, []).append(path.relative_to(target).as_posix())
    return found


def _summary(results: StudyResults, sections: Mapping[str, list[Table]]) -> str:
    tables = [*sections["main"], *sections["comparisons"]]
    lines = [f"{table.title}\n\n{table.plain()}" for table in tables]
    if len(results.failures):
        lines.append(
            f"{count(len(results.failures), 'trial')} not finished; reasons in the report."
        )
    if results.study["predictive"] in predictive_metrics(results):
        opposed = discordance(by_condition(results, results.study["predictive"])).discordant
        lines.append(f"Pairs of conditions ranked oppositely by the two metrics: {opposed}.")
    return "\n\n".join(lines) + "\n"
