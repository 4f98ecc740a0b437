"""The JSON Schemas that editors read: they accept shipped files and refuse common mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from ablations.study_schema import study_schema
from workbench import config_schema, documents
from workbench.config import dump, preset, presets, read_trial

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "configs").glob("*.yaml"))
PRESETS = list(presets().values())
COMMITTED = {
    ROOT / "configs" / "study.schema.json": "workbench schema study",
    ROOT / "workbench" / "presets" / "trial.schema.json": "workbench schema trial",
}


@cache
def validator(kind: str) -> Draft202012Validator:
    schema = study_schema() if kind == "study" else config_schema.trial_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_committed_schema_is_up_to_date(path: Path) -> None:
    command = COMMITTED[path]
    # In a process of its own, without the components of other tests.
    generated = subprocess.run(
        [sys.executable, "-m", *command.split()], capture_output=True, text=True, check=True
    ).stdout
    fresh = path.read_text(encoding="utf-8") == generated
    assert fresh, "a component has changed; run `make references`"


@pytest.mark.parametrize("path", [*STUDIES, *PRESETS], ids=lambda path: path.name)
def test_shipped_file_names_its_schema_and_matches_it(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    named = path.parent / first.removeprefix("# yaml-language-server: $schema=")
    assert named in COMMITTED
    kind = named.name.partition(".")[0]
    assert not [e.message for e in validator(kind).iter_errors(documents.load(path).plain())]


@pytest.mark.parametrize("name", presets())
def test_complete_configuration_of_a_preset_matches_the_schema(name: str) -> None:
    values = dump(read_trial(preset(name)))
    assert not [e.message for e in validator("trial").iter_errors(json.loads(json.dumps(values)))]


def errors(text: str) -> list[Any]:
    named = text if text.startswith("study") else f"study: s\n{text}"
    plain = documents.parse(named, "s.yaml").plain()
    return list(validator("study").iter_errors(plain))


@pytest.mark.parametrize(
    "text",
    [
        "base: {planner.simulations: 5, model.representation.width: 8}",
        "base: {model: {representation.width: 8}, losses.reward: null, losses: {policy: 0.5}}",
        "base: {model.dynamics: true, targets.value: {name: n_step, steps: 3}}",
        "base: {model.representation: {name: contrastive, encoder: {name: cnn, width: 8}}}",
        "base: {model.representation.encoder.width: 8, model.decoder: null}",
        "base: {procedure.temperature.value: [[0.0, 1.0], [0.5, 0.25]]}",
        "base: {procedure.temperature.value: 0.5, procedure.random_start.fraction: 0}",
        "axes: {planner.simulations: [5, 25], model.dynamics: [mlp, true]}",
        "axes: {encoder: {small: {model.representation: mlp}, same: null}}",
        "primary: decision/search_regret[simulations=25]\npredictive: predictive/value_error@3",
        "seeds: [3, 4]\nbaseline: {encoder: cnn}\nexclude: [{encoder: cnn, size: 3}]",
        "comparisons: [{baseline: a, against: {encoder: b}}]\nbudget: {steps: 100, minutes: null}",
    ],
)
def test_valid_study_matches_the_schema(text: str) -> None:
    assert not errors(text)


@pytest.mark.parametrize(
    "text",
    [
        "primry: x",
        "study: Bad Name",
        "preset: muzer",
        "seeds: 0",
        "seeds: many",
        "base: {planner.simulatons: 5}",
        "base: {planner.simulations: 0}",
        "base: {planner.simulations: many}",
        "base: {planner: {simulatons: 5}}",
        "base: {model.representation: {name: cnn, latent_kind: vectr}}",
        "base: {model.representation: {name: cnn, hidden: 3}}",
        "base: {model.representation: cn}",
        "base: {losses: {policy: high}}",
        "axes: {encoder: {small: {model.representaton: mlp}}}",
        "axes: {planner.simulations: 5}",
        "axes: {a b: [1]}",
        "primary: predictive/value_error",
        "match: {part: encoder}",
        "budget: {step: 3}",
    ],
)
def test_mistake_does_not_match_the_schema(text: str) -> None:
    assert errors(text)
