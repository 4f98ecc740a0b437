"""The predictive measure with models whose error is known beforehand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.measures.exact.solved_sequences import evaluation_set, policies
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.predictive_error import PredictiveError
from workbench.models.world_model import WorldModel
from workbench.trial import build
from workbench.types import Edge, Heads, LatentSpec, ModelSpec

DEPTH = 3
NAMES = ("value_error", "policy_error", "reward_error", "termination_error")
HERE = ("value_error", "policy_error", "illegal_mass")
"""Metrics of a state, which exist at depth 0 too."""


class Fake(WorldModel):
    """Follows the true states; what it predicts is the truth, or a constant."""

    def __init__(self, environment: GameTableEnvironment, constant: float | None) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", ()), 9, frozenset(), needs_state=True)
        self.built_environment, self.constant = environment, constant

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        assert torch.equal(observation, self.built_environment.observe(state))
        result: Tensor = state
        return result

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        then, real = self.built_environment.step(latent, action, generator)
        if self.constant is None:
            return then, Edge(real.reward, -torch.ones(len(then)), real.terminated.float())
        flat = torch.full((len(then),), self.constant)
        return then, Edge(flat, -torch.ones(len(then)), flat)

    def predict(self, latent: Tensor) -> Heads:
        q = self.built_environment.q(latent)
        best = q.max(-1, keepdim=True).values
        if self.constant is not None:
            return Heads(torch.zeros(len(latent), 9), torch.full((len(latent),), self.constant))
        # All the probability on the optimal moves, unevenly; an end has no policy.
        logits = torch.where(q == best, torch.arange(9.0), -100.0)
        return Heads(logits, best.squeeze(1).nan_to_num(neginf=5.0))


def sequences(environment: GameTableEnvironment, depth: int) -> EvaluationSet:
    return evaluation_set(environment, environment.positions(), depth)


def measured(model: WorldModel, environment: GameTableEnvironment) -> dict[str, float | None]:
    return PredictiveError(sequences(environment, DEPTH))(model, None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def data(tic_tac_toe: GameTableEnvironment) -> EvaluationSet:
    return sequences(tic_tac_toe, DEPTH)


def test_exact_model_has_zero_error(tic_tac_toe: GameTableEnvironment) -> None:
    row = measured(Fake(tic_tac_toe, None), tic_tac_toe)
    names = {*NAMES, *HERE}
    expected = {f"predictive/{name}" for name in names}
    expected |= {f"predictive/{n}@{k}" for n in names for k in range(n not in HERE, DEPTH + 1)}
    assert set(row) == expected
    for name, error in row.items():
        assert error == pytest.approx(0.0, abs=1e-6), name


def test_termination_of_a_simulator_is_derived_from_its_discount(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    changes = {"model.dynamics": "true", "planner.interior_legality": True}
    model = build(trial(changes | {"losses.reward": None, "losses.termination": None})).model
    row = measured(model, tic_tac_toe)
    assert row["predictive/reward_error"] == row["predictive/termination_error"] == 0.0
    assert row["predictive/value_error"] > 0.0  # type: ignore[operator]


def test_error_of_a_constant_prediction_is_its_mse(
    tic_tac_toe: GameTableEnvironment, data: EvaluationSet
) -> None:
    row = measured(Fake(tic_tac_toe, 0.25), tic_tac_toe)
    for k in range(DEPTH + 1):
        q = [tic_tac_toe.q(s[None])[0] for s in data.state[:, k]]
        alive = [x for x in q if bool(x.isfinite().any())]
        values = [float(x.max()) for x in alive]
        square = sum((0.25 - v) ** 2 for v in values) / len(values)
        assert row[f"predictive/value_error@{k}"] == pytest.approx(square)
        # A uniform policy over nine moves gives the optimal ones m / 9 of the probability.
        nats = sum(math.log(9 / int((x == x.max()).sum())) for x in alive) / len(alive)
        assert row[f"predictive/policy_error@{k}"] == pytest.approx(nats, rel=1e-5)
        illegal = sum(int((~x.isfinite()).sum()) / 9 for x in alive) / len(alive)
        assert row[f"predictive/illegal_mass@{k}"] == pytest.approx(illegal, rel=1e-5)
        if k == 0:
            continue
        made = [
            (s, a, t) for s, a, t in zip(*_moves(data, k), strict=True) if _alive(tic_tac_toe, s)
        ]
        rewards = [float(tic_tac_toe.table.reward[s, a]) for s, a, _ in made]
        ends = [float(not _alive(tic_tac_toe, t)) for _, _, t in made]
        for name, truth in (("reward", rewards), ("termination", ends)):
            expected = sum((0.25 - x) ** 2 for x in truth) / len(truth)
            assert row[f"predictive/{name}_error@{k}"] == pytest.approx(expected)


def _moves(data: EvaluationSet, k: int) -> tuple[list[int], list[int], list[int]]:
    """States, moves made from them and where these lead, at depth k."""
    return (
        data.state[:, k - 1].tolist(),
        data.action[:, k - 1].tolist(),
        data.state[:, k].tolist(),
    )


def _alive(environment: GameTableEnvironment, state: int) -> bool:
    return bool(environment.table.legal[state].any())


def test_mean_error_averages_over_the_depths(tic_tac_toe: GameTableEnvironment) -> None:
    row = measured(Fake(tic_tac_toe, 0.25), tic_tac_toe)
    for name in NAMES:
        by_depth = [row[f"predictive/{name}@{k}"] for k in range(name not in HERE, DEPTH + 1)]
        assert row[f"predictive/{name}"] == pytest.approx(sum(by_depth) / len(by_depth))  # type: ignore[arg-type]


def test_case_counts_are_the_numbers_of_states(
    tic_tac_toe: GameTableEnvironment, data: EvaluationSet
) -> None:
    facts = PredictiveError(sequences(tic_tac_toe, DEPTH)).info()
    alive = [sum(_alive(tic_tac_toe, s) for s in column) for column in data.state.T.tolist()]
    assert alive[0] == 3 * 4520
    assert facts.positions == 4520
    assert facts.counts["predictive/value_error"] == alive
    assert facts.counts["predictive/policy_error"] == alive
    # A move is made from every state that goes on; from the last depth none is.
    assert facts.counts["predictive/reward_error"] == alive[:-1]
    assert facts.counts["predictive/termination_error"] == alive[:-1]


def test_naive_levels_are_the_scores_of_the_best_constant(
    tic_tac_toe: GameTableEnvironment, data: EvaluationSet
) -> None:
    levels = PredictiveError(sequences(tic_tac_toe, DEPTH)).info().levels
    made = [(s, t) for s, _, t in zip(*_moves(data, 2), strict=True) if _alive(tic_tac_toe, s)]
    share = sum(not _alive(tic_tac_toe, t) for _, t in made) / len(made)
    assert levels["predictive/termination_error@2"]["naive"] == pytest.approx(share * (1 - share))
    uniform = measured(Fake(tic_tac_toe, 0.25), tic_tac_toe)
    for name, level in levels.items():
        assert level["oracle"] == 0.0
        # No constant beats the best one; for the policy it is the uniform guess itself.
        if "policy" in name or "illegal" in name:
            assert level["naive"] == pytest.approx(uniform[name], rel=1e-5)
        else:
            assert level["naive"] <= uniform[name]  # type: ignore[operator]


def test_actions_come_from_behaviour_uniform_and_oracle_sources(
    tic_tac_toe: GameTableEnvironment, data: EvaluationSet
) -> None:
    assert data.source.bincount().tolist() == [4520] * 3
    best, made = [0, 0, 0], [0, 0, 0]
    for k in range(DEPTH):
        for row in range(0, 3 * 4520, 7):
            state, action = int(data.state[row, k]), int(data.action[row, k])
            if not _alive(tic_tac_toe, state):
                assert int(data.state[row, k + 1]) == state
                continue
            assert bool(tic_tac_toe.table.legal[state, action])
            q = tic_tac_toe.q(torch.tensor([state]))[0]
            optimal = bool(q[action] == q.max())
            assert optimal or SOURCES[row // 4520] != "oracle"
            best[row // 4520] += optimal
            made[row // 4520] += 1
    learning, chance, perfect = (b / m for b, m in zip(best, made, strict=True))
    assert chance < learning < perfect == 1.0


def test_policies_of_the_sources_are_softmax_uniform_and_greedy() -> None:
    q = torch.tensor([[1.0, 0.0, -1.0, -math.inf], [0.5, 0.5, 0.5, -math.inf]])
    found = policies(q, torch.zeros(2, dtype=torch.int64))
    # e^(-4 (1 - q) / 2) for moves with values 1, 0 and -1; uniform if all values are equal.
    assert found[0].tolist() == pytest.approx([1.0, math.exp(-2), math.exp(-4), 0.0])
    assert found[1].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert policies(q, torch.ones(2, dtype=torch.int64))[0].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert policies(q, torch.full((2,), 2))[0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_metrics_by_source_average_to_the_total(
    tic_tac_toe: GameTableEnvironment, data: EvaluationSet
) -> None:
    measure = PredictiveError(data, by_source=True)
    row = measure(Fake(tic_tac_toe, 0.25), None)  # type: ignore[arg-type]
    counts = measure.info().counts
    for name, k in (("value_error", 2), ("reward_error", 3)):
        parts = [f"predictive/{name}@{k}[source={source}]" for source in SOURCES]
        index = k - (name not in HERE)
        weights = [counts[f"predictive/{name}[source={source}]"][index] for source in SOURCES]
        total = sum(row[part] * n for part, n in zip(parts, weights, strict=True))  # type: ignore[operator]
        assert total / sum(weights) == pytest.approx(row[f"predictive/{name}@{k}"])
        assert sum(weights) == counts[f"predictive/{name}"][index]
        assert len({row[part] for part in parts}) == 3


def test_evaluation_set_does_not_depend_on_the_trial(tic_tac_toe: GameTableEnvironment) -> None:
    torch.manual_seed(1)
    first = sequences(TicTacToe().build(), DEPTH).digest
    torch.manual_seed(2)
    assert sequences(tic_tac_toe, DEPTH).digest == first
    facts = []
    for seed in (1, 2):
        config = trial({"seed": seed})
        facts.append(config.measures["predictive"].build(build(config)).info())
    assert facts[0].digest == facts[1].digest
    assert facts[0] == facts[1]
    assert sequences(tic_tac_toe, DEPTH + 1).digest != first
