"""Supervised learning of a vector, with no actions (the Predictron's shape)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from tests.seams.conftest import component
from workbench.components import EnvironmentConfig, MeasureConfig, ModelConfig, ProcedureConfig
from workbench.config import TrialConfig
from workbench.contracts import MeasureInfo, TrialParts
from workbench.models.world_model import WorldModel
from workbench.training.learner import Optimisers
from workbench.training.settings import OptimiserConfig
from workbench.trial import run_trial
from workbench.types import Edge, EnvironmentSpec, Heads, LatentSpec, ModelSpec

SIZE, QUESTIONS = 6, 3
ANSWER = torch.tensor([[1.0, 0, 0, 0, 1, 0], [0, 2, 0, -1, 0, 0], [0, 0, 1, 1, 1, 1]])


class Examples:
    """Observations without moves."""

    spec = EnvironmentSpec("examples", (SIZE,), actions=0)

    def reset(self, batch: int, generator: Generator) -> Tensor:
        return torch.randn(batch, SIZE, generator=generator)

    def observe(self, state: Tensor) -> Tensor:
        return state


class Process(WorldModel):
    """A Markov reward process unrolled without actions; value is a vector."""

    spec = ModelSpec(LatentSpec("vector", (16,)), 0, frozenset({"value"}))

    def __init__(self) -> None:
        super().__init__()
        self.h, self.g, self.f = nn.Linear(SIZE, 16), nn.Linear(16, 16), nn.Linear(16, QUESTIONS)

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        return self.h(observation)

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        nothing = torch.zeros(len(latent))
        return latent + self.g(latent.relu()), Edge(nothing, nothing + 1)

    def predict(self, latent: Tensor) -> Heads:
        return Heads(latent.new_zeros(len(latent), 0), self.f(latent))


class Supervised:
    def __init__(self, parts: TrialParts) -> None:
        self.parts, self.steps, self.updates, self.loss = parts, 0, 0, 0.0
        groups = {"all": (list(parts.model.parameters()), OptimiserConfig(learning_rate=0.02))}
        self.optimisers = Optimisers(groups)

    @property
    def fraction(self) -> float:
        return self.updates / 300

    @property
    def agent(self) -> WorldModel:
        return self.parts.model

    def advance(self) -> None:
        stream, model = self.parts.streams["examples"], self.parts.model
        seen = self.parts.environment.reset(64, stream)
        unroll = model.unroll(model.represent(seen, stream), torch.zeros(64, 3, 0), stream, 1.0)
        error = ((unroll.heads.value - (seen @ ANSWER.T)[:, None]) ** 2).mean()
        self.optimisers.step("all", error)
        self.loss, self.steps, self.updates = (
            float(error.detach()),
            self.steps + 64,
            self.updates + 1,
        )

    def diagnostics(self) -> dict[str, float]:
        return {"training/loss": self.loss}

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.parts.model.state_dict(), "groups": self.optimisers.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.parts.model.load_state_dict(state["model"])


def test_supervised_procedure_trains_without_actions(
    enrol: Callable[..., None], assemble: Callable[..., TrialConfig], tmp_path: Path
) -> None:
    class Error:
        @torch.no_grad()
        def __call__(self, agent: WorldModel, planner: Any) -> dict[str, float | None]:
            seen = torch.eye(SIZE)
            guess = agent.predict(agent.represent(seen, torch.Generator())).value
            return {"error": float((guess - ANSWER.T).abs().max())}

        def info(self) -> MeasureInfo:
            return MeasureInfo("", SIZE, {}, {})

    spec = lambda self: Examples.spec  # noqa: E731
    build = lambda self: Examples()  # noqa: E731
    enrol("environment", "examples", component(EnvironmentConfig, spec=spec, build=build))
    methods = {
        "spec": lambda self, built_environment: Process.spec,
        "build": lambda self, *_: Process(),
    }
    enrol("model", "process", component(ModelConfig, **methods))
    enrol(
        "procedure", "supervised", component(ProcedureConfig, build=lambda self, p: Supervised(p))
    )
    enrol("measure", "error", component(MeasureConfig, build=lambda self, parts: Error()))
    config = assemble(
        environment="examples", model="process", procedure="supervised", measures={"error": {}}
    )
    result = run_trial(config, tmp_path)
    assert result["metrics"]["error"] < 0.1
