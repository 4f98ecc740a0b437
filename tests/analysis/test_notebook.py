"""The notebook runs from top to bottom on stored results."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import analysis

NOTEBOOK = Path(analysis.__file__).parent / "notebooks" / "gcn_vs_cnn.ipynb"


def test_notebook_shows_answer_figure_and_numbers(
    broken_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_STUDY", str(broken_study))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.get("data", {}) for output in outputs]
    assert sum("image/png" in data for data in shown) == 3
    text = " ".join(str(data.get("text/markdown", "")) for data in shown)
    assert "After 50,000 environment steps and 2 paired seeds" in text
    assert "Optimal-move rate" in text


def test_notebook_is_stored_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
