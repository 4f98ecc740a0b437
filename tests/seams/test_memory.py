"""A recurrent, noisy model (as World Models): memory is carried over, and reset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from tests.seams.conftest import run_in_two
from workbench.components import ModelConfig
from workbench.config import TrialConfig
from workbench.errors import ConfigError
from workbench.models.value_encoding import Scalar, ValueEncoding
from workbench.models.world_model import WorldModel
from workbench.record import TrialRecord
from workbench.training.actor import Actor
from workbench.training.settings import RandomStartConfig, TemperatureConfig
from workbench.trial import build, run_trial
from workbench.types import Edge, Environment, EnvironmentSpec, Heads, LatentSpec, ModelSpec


@dataclass(frozen=True)
class Carried:
    code: Tensor  # [B, 8] a noisy code of what is seen
    hidden: Tensor  # [B, 8]
    seen: Tensor  # [B] real observations since the episode began


class Recurrent(WorldModel):
    spec = ModelSpec(LatentSpec("vector", (8,)), 9, frozenset({"policy", "value"}), memory=True)

    def __init__(self) -> None:
        super().__init__()
        self.see, self.cell, self.out = nn.Linear(27, 8), nn.GRUCell(8, 8), nn.Linear(16, 10)

    def code(self, observation: Tensor, generator: Generator) -> Tensor:
        mean = self.see(observation.flatten(1).float())
        return mean + 0.1 * torch.randn(mean.shape, generator=generator)

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Carried:
        code = self.code(observation, generator)
        return Carried(code, torch.zeros_like(code), torch.ones(len(code)))

    def observe(
        self, latent: Carried, action: Tensor, observation: Tensor, generator: Generator, state: Any
    ) -> Carried:
        hidden = self.cell(latent.code, latent.hidden)
        return Carried(self.code(observation, generator), hidden, latent.seen + 1)

    def step(self, latent: Carried, action: Tensor, generator: Generator) -> tuple[Carried, Edge]:
        hidden = self.cell(latent.code, latent.hidden)
        noise = 0.1 * torch.randn(hidden.shape, generator=generator)
        nothing = torch.zeros(len(hidden))
        return Carried(hidden + noise, hidden, latent.seen), Edge(nothing, nothing - 1)

    def predict(self, latent: Carried) -> Heads:
        out = self.out(torch.cat([latent.code, latent.hidden], -1))
        return Heads(out[:, :9], out[:, 9], raw={"value": out[:, 9:]})

    @property
    def value_encodings(self) -> dict[str, ValueEncoding]:
        return {"value": Scalar()}


class RecurrentConfig(ModelConfig):
    """A recurrent, noisy fake."""

    def spec(self, environment: EnvironmentSpec) -> ModelSpec:
        return Recurrent.spec

    def build(self, environment: Environment, discount: float, seed: int) -> WorldModel:
        torch.manual_seed(seed)
        return Recurrent()


@pytest.fixture
def config(enrol: Callable[..., None], configure: Callable[..., TrialConfig]) -> TrialConfig:
    enrol("model", "recurrent", RecurrentConfig)
    return configure(
        model="recurrent",
        losses={"reward": None, "termination": None},
        measures={"predictive": None},
    )


def test_actor_carries_memory_and_resets_it_every_episode(config: TrialConfig) -> None:
    parts = build(config)
    actor = Actor(parts, 8, RandomStartConfig(), TemperatureConfig())
    for _ in range(25):
        played = actor.state_dict()["unfinished"]["length"].clone()
        actor.step(parts.model)
        assert torch.equal(actor._memory.seen, played + 1.0)
        carried = actor._memory.hidden.abs().sum(-1) > 0
        assert torch.equal(carried, played > 0)


def test_bootstrap_at_a_truncation_uses_the_carried_memory(
    config: TrialConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = build(config)
    step, predict = parts.environment.step, parts.model.predict

    def cut(*given: Any) -> Any:
        then, made = step(*given)
        return then, replace(made, truncated=~made.terminated)

    def count(latent: Carried) -> Heads:
        return replace(predict(latent), value=latent.seen)

    monkeypatch.setattr(parts.environment, "step", cut)
    monkeypatch.setattr(parts.model, "predict", count)
    actor = Actor(parts, 8, RandomStartConfig(), TemperatureConfig())
    _, episodes = actor.step(parts.model)
    assert episodes is not None
    # One move: the first state and the one where it was cut have been seen.
    assert episodes.steps["value"].view(8, 2)[:, 1].tolist() == [2.0] * 8


def test_resumed_trial_restores_its_memory(config: TrialConfig, tmp_path: Path) -> None:
    run_trial(config, tmp_path / "whole")
    run_in_two(config, tmp_path / "cut")
    rows = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("whole", "cut")]
    assert rows[0] == rows[1]
    assert TrialRecord(tmp_path / "cut").state() == "done"


def test_reanalyse_rejects_models_with_memory(
    enrol: Callable[..., None], configure: Callable[..., TrialConfig]
) -> None:
    enrol("model", "recurrent", RecurrentConfig)
    without = {
        "losses": {"reward": None, "termination": None},
        "procedure__reanalyse__policy": True,
    }
    configure(model="recurrent", **without)
    with pytest.raises(ConfigError, match=r"reanalyse.*model 'recurrent'.*memory between steps"):
        configure(model="recurrent", **without, procedure__reanalyse__ratio=0.5)
