"""Two groups of parameters that descend in turn against each other (GameGAN's shape)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tests.seams.conftest import component
from workbench.components import ModelConfig, ProcedureConfig
from workbench.config import TrialConfig
from workbench.contracts import TrialParts
from workbench.models.world_model import WorldModel
from workbench.training.learner import Optimisers
from workbench.training.settings import OptimiserConfig
from workbench.trial import run_trial
from workbench.types import Edge, Heads, LatentSpec, ModelSpec


class Forger(WorldModel):
    """A decoder that forges observations, and a critic that is to tell them from real ones."""

    spec = ModelSpec(LatentSpec("vector", (4,)), 9, frozenset({"policy", "value"}))

    def __init__(self) -> None:
        super().__init__()
        self.forge, self.critic = nn.Linear(4, 27), nn.Linear(27, 1)

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        return torch.randn(len(observation), 4, generator=generator)

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        nothing = torch.zeros(len(latent))
        return latent, Edge(nothing, nothing)

    def predict(self, latent: Tensor) -> Heads:
        return Heads(latent.new_zeros(len(latent), 9), latent.new_zeros(len(latent)))

    def decode(self, latent: Tensor) -> Tensor:
        return self.forge(latent)

    def parts(self) -> dict[str, nn.Module]:
        return {"generator": self.forge, "discriminator": self.critic}


class InTurn:
    """Odd updates teach the discriminator, even ones the generator."""

    def __init__(self, parts: TrialParts) -> None:
        self.parts, self.steps, self.updates, self.model = parts, 0, 0, parts.model
        groups = {name: list(part.parameters()) for name, part in parts.model.parts().items()}
        self.optimisers = Optimisers({k: (p, OptimiserConfig()) for k, p in groups.items()})
        self.moved: list[set[str]] = []

    fraction = property(lambda self: self.updates / 20)
    agent = property(lambda self: self.model)

    def advance(self) -> None:
        stream, turn = self.parts.streams["data"], ("discriminator", "generator")[self.updates % 2]
        real = torch.rand(16, 27, generator=stream)
        forged = self.model.decode(self.model.represent(real, stream))
        before = {k: v.clone() for k, v in self.model.state_dict().items()}
        loss = F.softplus(-self.model.critic(forged)).mean()
        if turn == "discriminator":
            scores = self.model.critic(torch.cat([real, forged])).squeeze(1)
            loss = F.binary_cross_entropy_with_logits(scores, (torch.arange(32) < 16).float())
        self.optimisers.step(turn, loss)
        now = self.model.state_dict()
        self.moved.append({k.split(".")[0] for k in now if not torch.equal(now[k], before[k])})
        self.updates += 1

    def diagnostics(self) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.model.state_dict(), "groups": self.optimisers.state_dict()}


def test_parameter_groups_are_updated_alternately(
    enrol: Callable[..., None], assemble: Callable[..., TrialConfig], tmp_path: Path
) -> None:
    made: list[InTurn] = []
    methods = {
        "spec": lambda self, built_environment: Forger.spec,
        "build": lambda self, *_: Forger(),
    }
    enrol("model", "forger", component(ModelConfig, **methods))
    build = lambda self, parts: made.append(InTurn(parts)) or made[0]  # noqa: E731
    enrol("procedure", "in_turn", component(ProcedureConfig, build=build))
    run_trial(assemble(environment="tic_tac_toe", model="forger", procedure="in_turn"), tmp_path)
    assert made[0].moved == [{"critic"}, {"forge"}] * 10
