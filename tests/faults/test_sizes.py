"""Sizes that do not fit the memory, and conditions that only fail when they are built."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ablations.plan import check_models
from ablations.session import Request, ablate
from ablations.study import read_study
from workbench.cli import main
from workbench.config import TrialConfig
from workbench.errors import WorkbenchError

CAPACITY = 10**12

STUDY = """\
study: sizes
preset: muzero
axes:
  width:
    small: {model.dynamics.width: 8}
    large: {model.dynamics.width: 16}
    larger: {model.dynamics.width: 24}
seeds: 1
"""


def test_train_and_ablate_refuse_what_does_not_fit_the_memory_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "--preset", "muzero", f"--set=procedure.capacity={CAPACITY}"]
    monkeypatch.setattr(sys, "argv", ["workbench", *command, "--output", str(tmp_path / "trial")])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 2
    answer = "the trial cannot be built: 72,000.0 GB do not fit the memory; reduce the sizes"
    assert capsys.readouterr().err == f"--preset muzero: {answer}\n"
    assert not (tmp_path / "trial").exists()

    file = tmp_path / "study.yaml"
    file.write_text(f"study: big\npreset: muzero\nbase: {{procedure.capacity: {CAPACITY}}}\n")
    request = Request(file, tmp_path / "out", "workbench ablate", lambda folder: [], dry_run=True)
    with pytest.raises(WorkbenchError) as refused:
        ablate(request, Console(file=StringIO()))
    assert str(refused.value) == f"{file}: condition 'base': {answer}"


def test_a_dry_run_builds_the_model_of_every_condition(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY)

    def count(config: TrialConfig) -> Mapping[str, int]:
        width = config.model.dynamics.width  # type: ignore[attr-defined]
        if width == 8:
            return {"total": 1}
        raise ArithmeticError("no swap is possible") if width == 16 else MemoryError

    with pytest.raises(WorkbenchError) as refused:
        check_models(read_study(file), count)
    assert str(refused.value).splitlines() == [
        f"{file}: condition 'large': the trial cannot be built: ArithmeticError: no swap is "
        "possible",
        f"{file}: condition 'larger': the trial cannot be built: there is too little memory",
    ]
