"""The generated reference pages agree with the commands, configurations and metrics."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from types import ModuleType

import pytest

from tests.docs.markdown import ROOT
from workbench.config import presets
from workbench.metrics import METRICS

FOLDER = ROOT / "docs/reference"


@cache
def generator() -> ModuleType:
    """Import the script, which lies outside the packages."""
    path = ROOT / "docs/generate_reference.py"
    spec = importlib.util.spec_from_file_location("generate_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@cache
def pages() -> dict[str, str]:
    found: dict[str, str] = generator().pages()
    return found


def test_every_page_of_the_folder_is_generated() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(pages())


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.md")))
def test_committed_page_is_up_to_date(name: str) -> None:
    committed = (FOLDER / name).read_text(encoding="utf-8")
    assert committed == pages()[name], "run `make references` and commit the result"


def test_command_page_has_spellings_bounds_defaults_and_variables() -> None:
    rows = pages()["commands.md"].splitlines()
    assert any(
        row.startswith("| `--outputs` | path |") and "| `outputs` | `WORKBENCH_OUTPUTS` |" in row
        for row in rows
    )
    assert any(row.startswith("| `--set` | text; may be repeated |") for row in rows)
    assert any(row.startswith("| `--concurrent` | integer, at least 1 |") for row in rows)
    assert any(row.startswith("| `--dry-run` |  |") for row in rows)


def test_preset_page_has_settings_and_their_sources() -> None:
    text = pages()["presets.md"]
    assert all(f"\n## {name}\n" in text for name in presets())
    section = text.split("\n## muzero\n")[1].split("\n## ")[0]
    assert "| `planner.simulations` | `25` | muzero |" in section
    assert "| `losses.policy.weight` | `1.0` | muzero |" in section
    assert "| `planner.c1` | `1.25` |  |" in section  # a default


def test_metric_page_has_all_metrics_and_what_applies() -> None:
    text = pages()["metrics.md"]
    assert all(f"| `{name}` |" in text for name in METRICS)
    header = next(line for line in text.splitlines() if line.startswith("| environment"))
    row = next(line for line in text.splitlines() if line.startswith("| `tic_tac_toe`"))
    applies = dict(zip(header.split("|"), row.split("|"), strict=True))
    assert applies[" `exploitability` "] == " yes "
    assert applies[" `returns` "].strip() == ""


def test_cells_escape_what_would_end_them() -> None:
    assert generator().table(("a",), [("x | y",)])[2] == "| x \\| y |"
    assert generator().table(("a",), []) == []
