"""Studies whose decision metrics are returns or scores alone: no oracle, no losing line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.frames import load_study
from analysis.report import write_report
from analysis.tables import comparisons_tables, main_tables
from workbench.metrics import METRICS, spec
from workbench.record import METRICS as ROWS
from workbench.record import read_rows


def replaced(row: dict[str, Any], name: str, predictive: bool) -> dict[str, Any]:
    """The row with its decision metrics, and without `predictive` the others too, changed for one.

    It grows as the regret of the made-up trials falls.
    """
    kept = {
        key: value
        for key, value in row.items()
        if not key.startswith("decision/") and (predictive or not key.startswith("predictive/"))
    }
    gained = 1 - row["decision/search_regret_decisive"]
    return {**kept, f"decision/search_{name}": gained, f"decision/prior_{name}": gained / 2}


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
            result["levels"] = {f"decision/search_{name}": {"chance": 0.25}}
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
def test_the_report_is_whole(
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
    assert "chance" in text
    assert not any("Losing" in t.title or "Regret" in t.title for t in main_tables(results))
    assert ("no rankings to compare" in report.answer) != predictive
    assert ("ranked oppositely" in report.summary) == predictive
    assert "losing" not in report.index.read_text().lower()
    (differences,) = comparisons_tables(results)[:1]
    found = spec(f"decision/search_{name}")
    assert found is not None
    assert found.title in differences.title


def test_every_metric_of_play_has_a_title_of_its_own() -> None:
    titles = [metric.title for metric in METRICS.values()]
    assert len(set(titles)) == len(titles)
