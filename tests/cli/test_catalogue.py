"""`workbench list` and `workbench describe`: what configurations can name."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.test_cli import run
from workbench.components import DynamicsConfig
from workbench.config import read_trial
from workbench.documents import parse
from workbench.metrics import METRICS
from workbench.registry import FOLDERS, register, unregister

Printed = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def shown(monkeypatch: Patch, capsys: Printed, *arguments: str, columns: int = 0) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(monkeypatch, *arguments) == 0
    return capsys.readouterr().out


def refused(monkeypatch: Patch, capsys: Printed, *arguments: str) -> str:
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_list_shows_every_component_with_its_options(monkeypatch: Patch, capsys: Printed) -> None:
    text = shown(monkeypatch, capsys, "list")
    assert re.search(r"^planner\n(  .*\n)*  puct +\S", text, re.MULTILINE)
    assert re.search(r"^preset\n(  .*\n)*  muzero +MuZero \(", text, re.MULTILINE)
    text = shown(monkeypatch, capsys, "list", "planner", "--options")
    assert re.search(r"^ +simulations: int > 0.* = \d+  \w+", text, re.MULTILINE)
    assert "did you mean 'planner'?" in refused(monkeypatch, capsys, "list", "planer")


def test_list_metric_shows_unit_direction_measure_and_version(
    monkeypatch: Patch, capsys: Printed
) -> None:
    text = shown(monkeypatch, capsys, "list", "metric")
    line = next(line for line in text.splitlines() if "predictive/policy_error" in line)
    assert "nats, lower is better; measure `predictive`, version 1" in line
    assert len(text.splitlines()) == 1 + len(METRICS)


def test_json_list_has_every_kind(monkeypatch: Patch, capsys: Printed) -> None:
    found = json.loads(shown(monkeypatch, capsys, "list", "--json"))
    assert set(found) == {*FOLDERS, "preset", "metric"}
    assert {"name": "muzero"}.items() <= found["preset"][3].items()
    keys = {"name", "description", "unit", "better", "measure", "version"}
    assert all(set(metric) == keys for metric in found["metric"])
    found = json.loads(shown(monkeypatch, capsys, "list", "representation", "--options", "--json"))
    cnn = next(one for one in found["representation"] if one["name"] == "cnn")
    expected = {"type": "integer", "default": 2, "description": "number of convolutions"}
    assert expected.items() <= cnn["options"]["depth"].items()


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_list_respects_the_width_of_the_terminal(
    columns: int, monkeypatch: Patch, capsys: Printed
) -> None:
    for kind in ("representation", "preset"):
        text = shown(monkeypatch, capsys, "list", kind, "--options", columns=columns)
        assert max(map(len, text.splitlines())) <= columns


def test_describe_component_shows_documentation_types_and_bounds(
    monkeypatch: Patch, capsys: Printed
) -> None:
    text = shown(monkeypatch, capsys, "describe", "representation.gcn")
    assert text.startswith("representation gcn\n")
    assert "workbench.models.representation.gcn.GCN" in text
    assert "  edges: original | shuffled | empty = original  " in text
    assert shown(monkeypatch, capsys, "describe", "cnn").startswith("representation cnn\n")
    text = shown(monkeypatch, capsys, "describe", "self_play")
    assert "  optimiser.learning_rate: float > 0 = " in text
    assert re.search(
        r"^  temperature.sampled_actions: int >= 0.* \| null = 30  ", text, re.MULTILINE
    )
    assert "  temperature.value: float | list of list = " in text
    assert "encoder: representation = " in shown(
        monkeypatch, capsys, "describe", "representation.contrastive"
    )


def test_describe_names_the_choices_of_an_ambiguous_name(
    monkeypatch: Patch, capsys: Printed
) -> None:
    message = refused(monkeypatch, capsys, "describe", "contrastive")
    assert "choose one of: representation.contrastive, loss.contrastive" in message


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("guumbel", "'gumbel'"),
        ("representaton.cnn", "'representation.cnn'"),
        ("representation.resnt", "'resnet'"),
        ("muzro", "'muzero'"),
        ("predictive/value_eror", "'predictive/value_error'"),
    ],
)
def test_describe_suggests_the_closest_name(
    name: str, suggestion: str, monkeypatch: Patch, capsys: Printed
) -> None:
    message = refused(monkeypatch, capsys, "describe", name)
    assert f"did you mean {suggestion}?" in message


def test_described_preset_is_a_complete_trial(monkeypatch: Patch, capsys: Printed) -> None:
    text = shown(monkeypatch, capsys, "describe", "gumbel_muzero")
    values = yaml.safe_load(text.split("\n\n", 1)[1])
    config = read_trial(parse(yaml.safe_dump(values), "described.yaml"))
    assert config == read_trial(parse("preset: gumbel_muzero", "t.yaml"))
    found = json.loads(shown(monkeypatch, capsys, "describe", "preset.muzero", "--json"))
    assert found["values"]["planner"]["simulations"] == 25


def test_describe_metric(monkeypatch: Patch, capsys: Printed) -> None:
    text = shown(monkeypatch, capsys, "describe", "predictive/value_error")
    assert "unit:        squared" in text
    assert "better:      lower" in text


def test_component_without_docstring_or_descriptions_is_listed(
    monkeypatch: Patch, capsys: Printed
) -> None:
    bare: Any = type("Bare", (DynamicsConfig,), {"__module__": __name__, "__doc__": None})
    register("dynamics", "bare")(bare)
    try:
        assert "  bare" in shown(monkeypatch, capsys, "list", "dynamics", "--options")
        assert "dynamics bare" in shown(monkeypatch, capsys, "describe", "bare")
    finally:
        unregister("dynamics", "bare")


def completions(line: str, folder: Path) -> set[str]:
    settings = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
        "_WORKBENCH_COMPLETE": "complete_bash",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "workbench"],
        capture_output=True, text=True, cwd=folder, env=os.environ | settings,
    )  # fmt: skip
    return set(ran.stdout.split())


def test_shell_completes_presets_components_and_studies(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / "study.json").touch()
    assert completions("workbench train --preset gum", tmp_path) == {"gumbel_muzero"}
    assert completions("workbench describe representation.gc", tmp_path) == {"representation.gcn"}
    assert completions("workbench report f", tmp_path) == {"first"}
