"""Loading an agent from a trial's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.workbench.fakes import trial
from workbench.errors import WorkbenchError
from workbench.trial import load_agent, run_trial


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trial")
    run_trial(trial({"procedure.ema_decay": 0.9, "measures.predictive": None}), folder)
    return folder


def test_loaded_agent_reproduces_the_last_measurement(finished: Path) -> None:
    result = run_trial(trial({"procedure.ema_decay": 0.9, "measures.predictive": None}), finished)
    parts, agent = load_agent(finished)
    assert not agent.training
    measure = parts.config.measures["decision"].build(parts)
    row = measure(agent, parts.planner)
    assert row == {name: result["metrics"][name] for name in row}
    # The agent has the averaged weights, not the latest ones.
    pairs = zip(agent.parameters(), parts.model.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def test_missing_or_damaged_files_are_reported(finished: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match=r"config\.yaml"):
        load_agent(tmp_path)
    shutil.copy(finished / "config.yaml", tmp_path)
    with pytest.raises(WorkbenchError, match=r"checkpoint\.pt: there is no checkpoint"):
        load_agent(tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes((finished / "checkpoint.pt").read_bytes()[:500])
    with pytest.raises(WorkbenchError, match=r"checkpoint\.pt: is damaged"):
        load_agent(tmp_path)


def test_checkpoint_of_another_trial_and_edited_configuration_are_rejected(
    finished: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "trial"))
    other = torch.load(folder / "checkpoint.pt", weights_only=True)
    torch.save(other | {"id": "0123456789ab"}, folder / "checkpoint.pt")
    with pytest.raises(WorkbenchError, match=r"checkpoint\.pt: is the checkpoint of trial 01234"):
        load_agent(folder)
    (folder / "result.json").unlink()
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("simulations: 4", "simulations: 2"))
    shutil.copy(finished / "checkpoint.pt", folder)
    with pytest.raises(WorkbenchError, match=r"config\.yaml beside it describes trial"):
        load_agent(folder)
