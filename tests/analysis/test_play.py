"""Studies whose only decision metric is a return or a score, without an oracle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.formatting import title_in_sentence
from analysis.frames import load_study
from analysis.report import write_report
from analysis.tables import comparisons_tables, main_tables
from workbench.metrics import METRICS, spec
from workbench.record import METRICS as ROWS
from workbench.record import read_rows


def replaced(row: dict[str, Any], name: str, predictive: bool) -> dict[str, Any]:
    """Return the row with one play metric instead of its decision metrics.

    The metric grows as the regret of the synthetic trials falls. Without `predictive` the
    predictive metrics are dropped too.
    """
    kept = {
        key: value
        for key, value in row.items()
        if not key.startswith("decision/") and (predictive or not key.startswith("predictive/"))
    }
    score = 1 - row["decision/search_regret_decisive"]
    return {**kept, f"decision/search_{name}": score, f"decision/prior_{name}": score / 2}


@pytest.fixture
def with_play(make_study: Callable[..., Path]) -> Callable[[str, bool], Path]:
    def make(name: str, predictive: bool) -> Path:
        primary = f"decision/search_{name}"
        folder = make_study(conditions=("cnn", "gcn"), seeds=(0, 1), primary=primary)
        for trial in (folder / "trials").iterdir():
            rows = [replaced(row, name, predictive) for row in read_rows(trial / ROWS)]
            (trial / ROWS).write_text("".join(json.dumps(row) + "\n" for row in rows))
            result = json.loads((trial / "result.json").read_text())
            result["metrics"] = replaced(result["metrics"], name, predictive)
            result["levels"] = {f"decision/search_{name}": {"naive": 0.25}}
            (trial / "result.json").write_text(json.dumps(result))
        return folder

    return make


@pytest.mark.parametrize(
    ("name", "predictive", "heading", "shown"),
    [
        ("return", True, "Return: mean", "| search ↑"),
        ("return", False, "Return: mean", "| search ↑"),
        ("score_mcts_100", True, "Score: mean", "| search, MCTS 100 (%) ↑"),
    ],
)
def test_report_of_play_metrics_is_complete(
    with_play: Callable[[str, bool], Path],
    name: str,
    predictive: bool,
    heading: str,
    shown: str,
) -> None:
    folder = with_play(name, predictive)
    report = write_report(folder)
    results = load_study(folder)
    (table,) = [t for t in main_tables(results) if t.title.startswith(heading)]
    text = table.markdown()
    assert shown in text
    assert "naive" in text
    assert not any("Losing" in t.title or "Regret" in t.title for t in main_tables(results))
    assert ("no rankings to compare" in report.findings) != predictive
    assert ("ranked oppositely" in report.summary) == predictive
    assert "losing" not in report.index.read_text().lower()
    (differences,) = comparisons_tables(results)[:1]
    found = spec(f"decision/search_{name}")
    assert found is not None
    assert title_in_sentence(found) in differences.title


def test_metric_titles_are_unique() -> None:
    titles = [metric.title for metric in METRICS.values()]
    assert len(set(titles)) == len(titles)
