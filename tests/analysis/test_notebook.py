"""The notebooks run on stored results."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import analysis
from analysis.frames import find_study

FOLDER = Path(analysis.__file__).parent / "notebooks"
ACCURACY, LOSSES = "accuracy_vs_decision", "where_decisions_are_lost"


def run(name: str) -> tuple[int, str]:
    """Run a notebook; return its number of images, and its Markdown and plain-text output."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.get("data", {}) for output in outputs]
    text = " ".join(str(data.get(f"text/{kind}", "")) for data in shown
                    for kind in ("markdown", "plain"))  # fmt: skip
    return sum("image/png" in data for data in shown), text


def test_accuracy_notebook_runs_without_evaluation(
    broken_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_STUDY", str(broken_study))
    images, text = run(ACCURACY)
    assert images == 3
    assert "after 50,000 environment steps" in text
    assert "| 2 paired seeds" in text
    assert "Optimal-move rate" in text


def test_losses_notebook_runs_on_evaluated_study(
    evaluated_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_STUDY", str(evaluated_study))
    images, text = run(LOSSES)
    assert images == 5
    assert "unchanged" in text


def test_losses_notebook_asks_for_evaluation(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_STUDY", str(study))
    with pytest.raises(CellExecutionError, match="run `workbench evaluate`"):
        run(LOSSES)


def test_relative_study_folder_is_found_from_the_folder_of_the_notebook(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jupyter starts a kernel in the notebook's folder, not where its command was given."""
    root = study.parent
    notebooks = root / "analysis" / "notebooks"
    notebooks.mkdir(parents=True)
    monkeypatch.chdir(notebooks)
    monkeypatch.setenv("WORKBENCH_STUDY", "gcn_vs_cnn")
    assert find_study("another") == root / "gcn_vs_cnn"
    monkeypatch.setenv("WORKBENCH_STUDY", str(study))
    assert find_study("another") == study
    monkeypatch.delenv("WORKBENCH_STUDY")
    monkeypatch.setenv("WORKBENCH_OUTPUTS", ".")
    assert find_study("gcn_vs_cnn") == root / "gcn_vs_cnn"


def test_command_in_the_readme_writes_to_the_outputs_only() -> None:
    """`jupyter execute` resolves `--output` from the folder of the notebook."""
    root = FOLDER.parents[1]
    text = (root / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (command,) = [line for line in text.splitlines() if "jupyter execute" in line]
    assert "--inplace" not in command
    notebook = next(word for word in command.split() if word.endswith(".ipynb"))
    assert (root / notebook).is_file()
    output = command.split("--output=")[1].split()[0]
    target = (root / notebook).parent.joinpath(output).resolve()
    assert target.is_relative_to((root / "outputs").resolve())


def test_notebooks_are_stored_without_outputs() -> None:
    paths = sorted(FOLDER.glob("*.ipynb"))
    assert [path.stem for path in paths] == [ACCURACY, LOSSES]
    for path in paths:
        assert all(not c.get("outputs") for c in nbformat.read(path, as_version=4).cells)
