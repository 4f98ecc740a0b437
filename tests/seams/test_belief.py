"""A belief model whose plan is a policy for every information state (ReBeL's shape)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn

from tests.seams.conftest import component
from workbench.components import ModelConfig, PlannerConfig, ProcedureConfig
from workbench.config import TrialConfig
from workbench.contracts import TrialParts
from workbench.models.world_model import WorldModel
from workbench.training.learner import Optimisers
from workbench.training.settings import OptimiserConfig
from workbench.trial import run_trial
from workbench.types import Edge, Heads, LatentSpec, ModelSpec, Plan

HANDS, BETS = 3, 2
# Pass pays 0. A bet wins 1 against a weaker hand and loses 2 against a stronger one.
PAY = torch.tensor([[0.0, -2, -2], [1, 0, -2], [1, 1, 0]])


@dataclass(frozen=True)
class Belief:
    other: Tensor  # [B, HANDS] what is believed of the opponent's hand


class Beliefs(WorldModel):
    """Policies and values of every hand under a belief."""

    spec = ModelSpec(LatentSpec("belief", (HANDS,)), BETS, frozenset({"policy", "value"}))

    def __init__(self) -> None:
        super().__init__()
        self.f = nn.Sequential(nn.Linear(HANDS, 64), nn.ReLU(), nn.Linear(64, HANDS))

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Belief:
        return Belief(observation)

    def step(self, latent: Belief, action: Tensor, generator: Generator) -> tuple[Belief, Edge]:
        nothing = torch.zeros(len(latent.other))
        return latent, Edge(nothing, nothing)

    def predict(self, latent: Belief) -> Heads:
        return Heads(latent.other.new_zeros(len(latent.other), HANDS, BETS), self.f(latent.other))


class Solver:
    """The best reply of every hand to a belief; what CFR does over many steps, in one."""

    differentiable = False

    def plan(
        self, model: WorldModel, root: Belief, legal: Tensor, generator: Generator,
        explore: bool = False,
    ) -> Plan:  # fmt: skip
        bet = root.other @ PAY.T  # [B, HANDS]
        q = torch.stack([torch.zeros_like(bet), bet], -1)
        policy = (q == q.amax(-1, keepdim=True)).float()
        policy = policy / policy.sum(-1, keepdim=True)
        return Plan(policy, q.amax(-1), q, torch.zeros_like(q), torch.ones(len(bet)))


class SolverValues:
    """Regresses the values of all hands on the solver's."""

    def __init__(self, parts: TrialParts) -> None:
        self.parts, self.steps, self.updates, self.agent = parts, 0, 0, parts.model
        settings = OptimiserConfig(learning_rate=0.01)
        self.optimisers = Optimisers({"f": (list(self.agent.parameters()), settings)})

    fraction = property(lambda self: self.updates / 400)

    def advance(self) -> None:
        stream = self.parts.streams["beliefs"]
        seen = torch.rand(64, HANDS, generator=stream).pow(2)
        root = self.agent.represent(seen / seen.sum(-1, keepdim=True), stream)
        plan = self.parts.planner.plan(self.agent, root, torch.ones(64, BETS).bool(), stream)
        assert plan.policy.shape == (64, HANDS, BETS)
        error = nn.functional.huber_loss(self.agent.predict(root).value, plan.value)
        self.optimisers.step("f", error)
        self.updates += 1

    def diagnostics(self) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {"model": self.agent.state_dict()}


def test_values_of_all_information_states_are_learned_from_the_solver(
    enrol: Callable[..., None], assemble: Callable[..., TrialConfig], tmp_path: Path
) -> None:
    made: list[SolverValues] = []
    methods = {"spec": lambda self, environment: Beliefs.spec, "build": lambda self, *_: Beliefs()}
    enrol("model", "beliefs", component(ModelConfig, **methods))
    enrol("planner", "solver", component(PlannerConfig, build=lambda self, environment: Solver()))
    build = lambda self, parts: made.append(SolverValues(parts)) or made[0]  # noqa: E731
    enrol("procedure", "solver_values", component(ProcedureConfig, build=build))
    sections = {"environment": "tic_tac_toe", "model": "beliefs", "procedure": "solver_values"}
    run_trial(assemble(**sections, planner="solver"), tmp_path)
    certain = torch.eye(HANDS)  # one possible hand: the value is the minimax one, max(0, pay)
    learned = made[0].agent.predict(Belief(certain)).value
    assert torch.allclose(learned, PAY.T.clamp(min=0), atol=0.15)
