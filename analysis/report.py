"""Report of a study: one self-contained page, plus all figures and tables as files."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from analysis.captions import captions
from analysis.caveats import caveats, matched_sizes
from analysis.configurations import baseline, configurations, differences, unplanned_trials
from analysis.figures import draw_figures
from analysis.findings import CONCLUSION, Findings, derive_findings, findings_table
from analysis.formatting import count
from analysis.frames import StudyResults, load_study
from analysis.provenance import data_digest, provenance
from analysis.style import PAGE, save
from analysis.table_format import Table
from analysis.tables import (
    all_correlations_table,
    comparisons_tables,
    correlation_table,
    main_tables,
    selection_table,
    write_tables,
)
from analysis.terms import used_terms
from workbench.config_diff import as_written, flat
from workbench.record import write_text

FOLDER = "report"
CSS_INCH = 96
"""Number of CSS pixels per inch."""


@dataclass(frozen=True)
class Report:
    """Paths of a written report, and its text for the terminal."""

    index: Path
    figures: list[Path]
    tables: list[Path]
    findings: str
    """At most three sentences."""
    summary: str
    """Plain-text tables for the terminal."""
    notices: list[str]
    """Sentences about what the report does not cover; often empty."""


def write_report(
    folder: Path,
    into: Path | None = None,
    width: float = PAGE,
    design: Mapping[str, Any] | None = None,
    notices: Sequence[str] = (),
) -> Report:
    """Write the report of a study from its stored results.

    Args:
        folder: folder of the study.
        into: folder to write to; by default `<folder>/report/`.
        width: width of the figures in inches.
        design: keys of the study's design that replace the stored ones, such as `primary`.
        notices: sentences for the top of the report.

    Raises:
        WorkbenchError: the results cannot be read.
    """
    results = load_study(folder)
    results = replace(results, study=results.study | dict(design or {}))
    target = into or folder / FOLDER
    drawn = draw_figures(results, width)
    data = provenance(results)
    figures = {name: save(figure, target / "figures", name, data) for name, figure in drawn.items()}
    tables = write_tables(results, target / "tables")
    findings, sections = derive_findings(results), _sections(results)
    notices = [*notices, *unplanned_trials(results)]
    texts = captions(results)
    shown = {name: text for name, text in texts.items() if name in figures}
    downloads = [path for paths in figures.values() for path in paths] + tables
    page = _environment().get_template("report.html.j2").render(
        results=results,
        study=results.study,
        findings=findings,
        conclusion=CONCLUSION,
        notices=notices,
        caveats=caveats(results),
        images={name: _embedded(paths) for name, paths in figures.items()},
        widths={name: round(figure.get_figwidth() * CSS_INCH) for name, figure in drawn.items()},
        captions=texts,
        terms=used_terms(_words(findings, sections, shown)),
        sections=sections,
        conditions=differences(results) or _stored_differences(results),
        baseline=baseline(results),
        options=flat(configurations(results).get(baseline(results), {})),
        provenance=_provenance(results),
        launches=results.study.get("launches") or [],
        notes=sorted({note for notes in results.trials["notes"] for note in notes}),
        downloads=_downloads(downloads, target),
    )  # fmt: skip
    _remove_stale_files(target, downloads)
    write_text(target / "index.html", page)
    return Report(
        index=target / "index.html",
        figures=[path for paths in figures.values() for path in paths],
        tables=tables,
        findings=findings.text,
        summary=_summary(results, sections),
        notices=notices,
    )


def _remove_stale_files(target: Path, written: list[Path]) -> None:
    """Delete figures and tables that only the previous report had, because they show old data."""
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
    environment.filters["written"] = as_written
    return environment


def _code(text: str) -> Markup:
    """Escape the text and set `names` in backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _embedded(paths: list[Path]) -> str:
    """Return the SVG as a data URL, so that the page is self-contained."""
    svg = next(path for path in paths if path.suffix == ".svg")
    return "data:image/svg+xml;base64," + base64.b64encode(svg.read_bytes()).decode("ascii")


def _sections(results: StudyResults) -> dict[str, list[Table]]:
    sections = {
        "findings": [findings_table(results)],
        "main": main_tables(results),
        "comparisons": comparisons_tables(results),
        "agreement": [
            selection_table(results),
            correlation_table(results),
            all_correlations_table(results),
        ],
    }
    return {
        name: [table for table in tables if not table.cells.empty]
        for name, tables in sections.items()
    }


def _stored_differences(results: StudyResults) -> dict[str, list[str]]:
    """Return the differences from the baseline that the launch recorded; empty if it did not."""
    conditions = results.study["conditions"]
    if not all("differs" in condition for condition in conditions):
        return {}
    return {condition["name"]: condition["differs"] for condition in conditions}


def _provenance(results: StudyResults) -> dict[str, str]:
    """Return the facts of the provenance section, in display order."""
    study, trials = results.study, results.trials
    done = trials[trials["state"] == "done"]
    budget = {key: value for key, value in (study.get("budget") or {}).items() if value is not None}
    entries = {
        "Command": str(study.get("command", "")),
        "Study file": str(study.get("file", "")),
        "Seeds": ", ".join(map(str, study.get("seeds", []))),
        "Declared budget per trial": ", ".join(f"{key} {value:,}" for key, value in budget.items()),
        "Environment steps reached": _range(done["step"]),
        "Updates reached": _range(done["updates"]),
        "Training time per trial, s": _range(done["seconds"]),
        "Measuring time per trial, s": _range(done["evaluation_seconds"]),
        "Peak memory, MB": _range(done["memory_mb"]),
        "Matched parameters": _matched(results),
        "Evaluation set": ", ".join(
            sorted({str(h)[:16] for h in done["evaluation_hash"].dropna()})
        ),
        "Positions in the evaluation set": _positions(done),
        "Data": f"SHA-256 {data_digest(results)}, also in the metadata of every figure",
        "Checkpoint": "the last one of each finished trial, never the best",
    }
    return {key: value for key, value in entries.items() if value}


def _range(values: pd.Series[Any]) -> str:
    """Return the range of the known values in whole numbers; empty if there are none."""
    known = pd.to_numeric(values).dropna()
    if known.empty:
        return ""
    low, high = float(known.min()), float(known.max())
    return f"{low:,.0f}" if round(low) == round(high) else f"{low:,.0f} to {high:,.0f}"


def _positions(done: pd.DataFrame) -> str:
    """Return the number of positions, and the number up to symmetry if it is known."""
    positions, classes = _range(done["positions"]), _range(done["symmetry_classes"])
    return f"{positions} ({classes} up to symmetry)" if positions and classes else positions


def _matched(results: StudyResults) -> str:
    match, sizes = results.study.get("match"), matched_sizes(results)
    if not match or not sizes:
        return ""
    excess = max(sizes.values()) / max(1.0, min(sizes.values())) - 1
    counts = ", ".join(f"{name} {size:,.0f}" for name, size in sizes.items())
    allowed = f"declared tolerance {match['tolerance']:.1%}"
    return f"{match['part']}: {counts}; they differ by {excess:.1%}, {allowed}"


def _words(
    findings: Findings, sections: Mapping[str, list[Table]], shown: Mapping[str, str]
) -> str:
    """Return the texts of findings, tables and captions, to find the terms that they use."""
    tables = [table.markdown() for tables in sections.values() for table in tables]
    return " ".join([findings.text, *tables, *shown.values()])


def _downloads(paths: list[Path], target: Path) -> dict[str, list[str]]:
    """Return the relative paths of the files of each figure or table."""
    downloads: dict[str, list[str]] = {}
    for path in paths:
        downloads.setdefault(path.stem, []).append(path.relative_to(target).as_posix())
    return downloads


def _summary(results: StudyResults, sections: Mapping[str, list[Table]]) -> str:
    tables = [*sections["main"], *sections["comparisons"], *sections["findings"]]
    lines = [f"{table.title}\n\n{table.plain_text()}" for table in tables]
    for trial in results.damage.itertuples():
        lines.append(f"Damaged: {trial.condition}, seed {trial.seed}: {trial.reason}")
    if len(results.failures):
        lines.append(
            f"{count(len(results.failures), 'trial')} did not finish; the report gives the reasons."
        )
    return "\n\n".join(lines) + "\n"
