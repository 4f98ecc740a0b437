"""Every term trains in a whole trial; one with parameters of its own survives a stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.seams.conftest import run_in_two
from tests.workbench.fakes import TINY, trial, with_decoder
from workbench.models.systems.composed import Composed
from workbench.models.world_model import WorldModel
from workbench.record import read_rows
from workbench.registry import register, unregister
from workbench.trial import build, run_trial
from workbench.types import Environment, EnvironmentSpec, ModelSpec

LATENT = {"targets.latent": "next_latent"}
TERMS: dict[str, dict[str, Any]] = {
    "consistency": {"losses.consistency": 2.0, **LATENT},
    "plain_consistency": {"losses.consistency": {"heads": "none", "distance": "mse"}, **LATENT},
    "slow_consistency": {
        "losses.consistency": 1.0,
        "targets.latent": {"name": "next_latent", "network": "agent"},
    },
    "infonce": {"losses.contrastive": {"score": "bilinear", "projection": 8}, **LATENT},
    "hinge": {"losses.contrastive": {"term": "hinge", "sigma": 2.0}, **LATENT},
    "paired": {"model.representation": {"name": "contrastive", "encoder": "mlp"}},
    "nodes": {
        "model.representation": {"name": "gcn", "latent_kind": "nodes"},
        "model.dynamics": {"name": "gcn"},
        "losses.consistency": 1.0,
        "losses.contrastive": {"term": "hinge"},
        **LATENT,
    },
    "grid": {
        "model.representation": {"name": "cnn", "latent_kind": "grid"},
        "model.dynamics": "conv",
        "losses.consistency": 1.0,
        "losses.contrastive": 1.0,
        **LATENT,
    },
    "value_equivalence": {
        "losses.value_equivalence": 1.0,
        "targets.next_value": "next_value",
    },
    "self_consistency": {"losses.self_consistency": 1.0},
    "real_self_consistency": {"losses.self_consistency": {"actions": "real"}},
    "symlog": {"model.prediction.value.kind": "symlog"},
    "atoms": {"model.prediction.value": {"transform": "symlog", "atoms": 5}},
}


def tiny(changes: dict[str, Any]) -> Any:
    quick = {**TINY, "procedure.steps": 350, "measures": {"predictive": None, "decision": None}}
    if "model.representation" in changes:
        quick = {k: v for k, v in quick.items() if not k.startswith("model.representation")}
    return trial(changes, base=quick)


@pytest.mark.parametrize("name", TERMS)
def test_trial_with_the_loss_runs_and_reports_its_error(name: str, tmp_path: Path) -> None:
    config = tiny(TERMS[name])
    run_trial(config, tmp_path)
    measured = [row for row in read_rows(tmp_path / "metrics.jsonl") if "training/loss" in row]
    assert measured
    for term in config.losses:
        assert all(row[f"training/{term}"] > 0 for row in measured)


@pytest.mark.parametrize("name", ["consistency", "infonce", "self_consistency"])
def test_resumed_trial_equals_an_uninterrupted_one(name: str, tmp_path: Path) -> None:
    config = tiny(TERMS[name])
    run_trial(config, tmp_path / "whole")
    run_in_two(config, tmp_path / "cut")
    rows = [(tmp_path / folder / "metrics.jsonl").read_bytes() for folder in ("whole", "cut")]
    assert rows[0] == rows[1]
    states = [
        torch.load(tmp_path / folder / "checkpoint.pt", weights_only=True)["procedure"]["learner"]
        for folder in ("whole", "cut")
    ]
    for part in ("model", "losses"):
        mine, theirs = states[0][part], states[1][part]
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)
    assert bool(states[0]["losses"]) == (name != "self_consistency")


def test_heads_of_a_loss_are_trained_and_initialised_from_the_seed_of_the_trial(
    tmp_path: Path,
) -> None:
    config = tiny(TERMS["consistency"])
    first, again = (build(config).losses["consistency"] for _ in range(2))
    other: Any = build(config.model_copy(update={"seed": 1})).losses["consistency"]
    run_trial(config, tmp_path)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert isinstance(first, torch.nn.Module)
    assert isinstance(again, torch.nn.Module)
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
        assert not torch.equal(value, state["procedure"]["learner"]["losses"][f"consistency.{key}"])
        if key.endswith("weight") and value.dim() == 2:
            assert not torch.equal(value, other.state_dict()[key])


@pytest.fixture
def decoding() -> Iterator[str]:
    @register("model", "decoding")
    class Decoding(Composed):
        """The composed model with a linear decoder."""

        def spec(self, environment: EnvironmentSpec) -> ModelSpec:
            spec = super().spec(environment)
            return replace(spec, heads=spec.heads | {"observation"})

        def build(self, environment: Environment, discount: float, seed: int) -> WorldModel:
            model = super().build(environment, discount, seed)
            return with_decoder(model, environment.spec.observation)

    yield "decoding"
    unregister("model", "decoding")


def test_reconstruction_learns_to_decode_the_board_from_latents(
    decoding: str, tmp_path: Path
) -> None:
    terms = {"policy": None, "value": None, "reward": None, "termination": None}
    config = tiny(
        {
            "model": {
                "name": decoding,
                "representation": "mlp",
                "dynamics": "mlp",
                "prediction": "mlp",
            },
            "losses": {**terms, "reconstruction": 1.0},
            "targets.observation": "next_observation",
            "procedure.steps": 1000,
            "procedure.replay_ratio": 6.0,
            "procedure.optimiser.learning_rate": 0.01,
        }
    )
    run_trial(config, tmp_path)
    rows = read_rows(tmp_path / "metrics.jsonl")
    measured = [row["training/reconstruction"] for row in rows if "training/reconstruction" in row]
    # Initially ln 2 per plane, twice: for the first state and for the mean of the others.
    assert measured[0] > 0.8
    assert measured[-1] < 0.5 * measured[0]
