"""Two agents that move at once for one reward (LIIR's shape): the climbing game."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from tests.seams.conftest import component
from workbench.components import EnvironmentConfig, ModelConfig
from workbench.config import TrialConfig
from workbench.models.value_encoding import Scalar, ValueEncoding
from workbench.models.world_model import WorldModel
from workbench.record import TrialRecord
from workbench.training.checkpoint import load
from workbench.trial import build, run_trial
from workbench.types import Edge, EnvironmentSpec, Heads, LatentSpec, ModelSpec, Transition

AGENTS, MOVES = 2, 3
PAY = torch.tensor([[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]])


class Climbing:
    """One joint move, then the end."""

    spec = EnvironmentSpec("climbing", (AGENTS,), MOVES, agents=AGENTS, horizon=1)

    def reset(self, batch: int, generator: Generator) -> Tensor:
        return torch.zeros(batch, dtype=torch.int64)

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        ended = torch.ones_like(state, dtype=torch.bool)
        reward = PAY[action[:, 0], action[:, 1]]
        return state + 1, Transition(reward, torch.zeros_like(reward), ended, ~ended)

    def observe(self, state: Tensor) -> Tensor:
        return torch.eye(AGENTS).expand(len(state), AGENTS, AGENTS)

    def legal(self, state: Tensor) -> Tensor:
        return torch.ones(len(state), AGENTS, MOVES, dtype=torch.bool)


class Team(WorldModel):
    """A policy for each agent and one value for the team."""

    spec = ModelSpec(
        LatentSpec("vector", (AGENTS, 16)), MOVES, frozenset({"policy", "value"}), agents=AGENTS
    )

    def __init__(self) -> None:
        super().__init__()
        self.h, self.p, self.v = nn.Linear(AGENTS, 16), nn.Linear(16, MOVES), nn.Linear(16, 1)

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        return self.h(observation).tanh()

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        nothing = torch.zeros(len(latent))
        return latent, Edge(nothing, nothing)

    def predict(self, latent: Tensor) -> Heads:
        value = self.v(latent.mean(-2))
        return Heads(self.p(latent), value.squeeze(-1), raw={"value": value})

    @property
    def value_encodings(self) -> dict[str, ValueEncoding]:
        return {"value": Scalar()}


def test_two_agents_share_the_self_play_loop(
    enrol: Callable[..., None], assemble: Callable[..., TrialConfig], tmp_path: Path
) -> None:
    methods = {"spec": lambda self: Climbing.spec, "build": lambda self: Climbing()}
    enrol("environment", "climbing", component(EnvironmentConfig, **methods))
    methods = {"spec": lambda self, built_environment: Team.spec, "build": lambda self, *_: Team()}
    enrol("model", "team", component(ModelConfig, **methods))
    config = assemble(
        environment="climbing",
        model="team",
        targets={"value": "outcome", "policy": "search_policy"},
        losses={"value": 1.0, "policy": 0.0},
        procedure={"name": "self_play", "steps": 4096, "parallel_environments": 64,
                   "batch_size": 64, "warm_up": 64,
                   "unroll": 0, "optimiser": {"learning_rate": 0.02}},
    )  # fmt: skip
    run_trial(config, tmp_path)
    state = load(TrialRecord(tmp_path).checkpoint)
    assert state is not None
    procedure: Any = config.procedure.build(build(config))
    procedure.load_state_dict(state["procedure"])
    replay = procedure._replay
    action, reward = (replay.steps[name][replay.starts] for name in ("action", "reward"))
    assert action.shape[1] == AGENTS
    assert torch.equal(reward, PAY[action[:, 0], action[:, 1]])
    agent = Team()
    agent.load_state_dict(state["procedure"]["learner"]["model"])
    value = agent.predict(agent.represent(torch.eye(AGENTS)[None], torch.Generator())).value
    # With the policies left as they were, the team's value is their mean pay.
    assert abs(float(value.detach()) - float(reward.mean())) < 1.5
