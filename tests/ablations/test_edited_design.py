"""Edits of a study file between its launch and a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ablations.edited_design import edited_design

FILE = """\
study: small
preset: muzero
axes:
  planner.simulations: [2, 4]
seeds: 2
primary: decision/search_regret
"""
CONDITIONS = ("simulations=2", "simulations=4")


@pytest.fixture
def launched(tmp_path: Path) -> tuple[Path, Path]:
    """A study file, and the folder of the study after its launch."""
    file, folder = tmp_path / "small.yaml", tmp_path / "outputs" / "small"
    folder.mkdir(parents=True)
    file.write_text(FILE)
    (folder / "study.yaml").write_text(FILE)
    manifest = {
        "study": "small",
        "question": "",
        "primary": "decision/search_regret",
        "predictive": "predictive/value_error",
        "file": str(file),
        "conditions": [{"name": name} for name in CONDITIONS],
        "trials": [],
    }
    (folder / "study.json").write_text(json.dumps(manifest))
    return file, folder


def test_unchanged_and_missing_files_change_nothing(launched: tuple[Path, Path]) -> None:
    file, folder = launched
    assert edited_design(folder) == ({}, [])
    file.write_text(FILE + "# a comment\n")
    assert edited_design(folder) == ({}, [])
    file.unlink()
    assert edited_design(folder) == ({}, [])


def test_edited_primary_and_comparisons_take_effect(launched: tuple[Path, Path]) -> None:
    file, folder = launched
    comparison = "comparisons: [{baseline: simulations=4, against: simulations=2}]\n"
    file.write_text(FILE.replace("search_regret", "prior_regret") + comparison)
    design, (notice,) = edited_design(folder)
    assert design["primary"] == "decision/prior_regret"
    assert design["comparisons"] == [{"baseline": "simulations=4", "against": "simulations=2"}]
    assert notice.endswith("this report uses its current `primary`, `comparisons`.")
    assert str(file) in notice


def test_edits_that_need_new_trials_are_stated(launched: tuple[Path, Path]) -> None:
    file, folder = launched
    file.write_text(FILE.replace("seeds: 2", "seeds: 3"))
    design, (notice,) = edited_design(folder)
    assert design == {}
    assert "its `seeds` do not hold for these trials" in notice
    file.write_text(FILE.replace("[2, 4]", "[2, 8]") + "baseline: simulations=8\n")
    design, notices = edited_design(folder)
    assert design == {}
    assert "uses the stored `baseline`" in notices[0]
    assert "its `axes` do not hold" in notices[1]


def test_mistake_in_the_edited_file_is_stated(launched: tuple[Path, Path]) -> None:
    file, folder = launched
    file.write_text(FILE.replace("search_regret", "search_regrets"))
    design, (notice,) = edited_design(folder)
    assert design == {}
    assert "has mistakes, so this report uses the stored study" in notice
    assert "search_regrets" in notice


def test_file_of_another_study_is_ignored(launched: tuple[Path, Path]) -> None:
    file, folder = launched
    file.write_text(FILE.replace("study: small", "study: other").replace("regret", "blunder_rate"))
    assert edited_design(folder) == ({}, [])
