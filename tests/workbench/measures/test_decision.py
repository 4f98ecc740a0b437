"""The decision measure with agents whose decisions are known beforehand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import RecordingPlanner, trial
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.measures.exact.decision_quality import DecisionQuality
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.models.world_model import WorldModel
from workbench.trial import build
from workbench.types import Edge, Heads, LatentSpec, ModelSpec, Plan


class Chooser(WorldModel):
    """Prefers moves by a table of logits [S, A]; it plans nothing."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", ()), 9, frozenset(), needs_state=True)
        self.logits = logits

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        result: Tensor = state
        return result

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        raise AssertionError("no search is made")

    def predict(self, latent: Tensor) -> Heads:
        return Heads(self.logits[latent], torch.zeros(len(latent)))


class TablePlanner:
    """The move with the highest score of a table [S, A], legal ones before illegal."""

    differentiable = False

    def __init__(self, score: Tensor) -> None:
        self.score = score

    def plan(
        self, model: Any, root: Tensor, legal: Tensor, generator: Generator, explore: bool = False
    ) -> Plan:
        assert not explore
        score = self.score[root].masked_fill(~legal, -torch.inf)
        policy = torch.nn.functional.one_hot(score.argmax(-1), 9).float()
        zero = torch.zeros(len(root))
        return Plan(policy, zero, policy, policy, zero)


def quality(environment: GameTableEnvironment) -> DecisionQuality:
    positions = environment.positions()
    return DecisionQuality(
        environment, SolvedPositions(environment, positions, environment.q(positions))
    )


def everything(environment: GameTableEnvironment) -> Tensor:
    """[S, A] Exact values of the moves in all 5,478 states."""
    return environment.q(torch.arange(environment.table.size))


def test_optimal_prior_and_worst_search_have_the_extreme_scores(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    q = everything(tic_tac_toe)
    measure = quality(tic_tac_toe)
    row = measure(Chooser(q.nan_to_num(neginf=-9)), TablePlanner(-q))
    assert row["decision/prior_optimal_rate"] == row["decision/prior_optimal_rate_decisive"] == 1.0
    assert row["decision/prior_regret"] == row["decision/prior_regret_decisive"] == 0.0
    # On a decisive position the worst move is by definition not optimal.
    assert row["decision/search_optimal_rate_decisive"] == 0.0
    assert row["decision/search_optimal_rate"] == pytest.approx((4520 - 3191) / 4520)
    best, worst = q.max(-1).values, q.masked_fill(~q.isfinite(), torch.inf).amin(-1)
    regret = (best - worst)[q.isfinite().any(-1)].double()
    assert row["decision/search_regret"] == pytest.approx(float(regret.mean()))
    assert row["decision/search_regret_decisive"] == pytest.approx(float(regret.sum()) / 3191)
    assert row["decision/losing_lines"] == (
        row["decision/losing_lines_first"] + row["decision/losing_lines_second"]  # type: ignore[operator]
    )
    assert row["decision/losing_lines_second"] > 0  # type: ignore[operator]


def test_perfect_search_has_no_losing_line_whatever_its_prior(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    q = everything(tic_tac_toe)
    row = quality(tic_tac_toe)(Chooser(-q), TablePlanner(q))
    assert row["decision/search_optimal_rate"] == 1.0
    assert row["decision/losing_lines"] == 0.0
    assert row["decision/prior_optimal_rate_decisive"] == 0.0


def test_random_play_is_optimal_in_58_0_percent_of_positions_and_40_5_of_decisive_ones(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    facts = quality(tic_tac_toe).info()
    assert facts.positions == 4520
    for agent in ("prior", "search"):
        level = facts.levels[f"decision/{agent}_optimal_rate"]
        assert level["naive"] == pytest.approx(0.5797, abs=5e-5)
        assert level["oracle"] == 1.0
        level = facts.levels[f"decision/{agent}_optimal_rate_decisive"]
        assert level["naive"] == pytest.approx(0.4046, abs=5e-5)
        assert facts.levels[f"decision/{agent}_regret"]["oracle"] == 0.0
    assert facts.levels["decision/losing_lines"]["oracle"] == 0.0


def test_naive_regret_is_that_of_uniform_actions(tic_tac_toe: GameTableEnvironment) -> None:
    level = quality(tic_tac_toe).info().levels["decision/search_regret"]["naive"]
    total = 0.0
    for row in everything(tic_tac_toe).tolist():
        legal = [x for x in row if x > -2]
        total += sum(max(legal) - x for x in legal) / len(legal) if legal else 0.0
    assert level == pytest.approx(total / 4520)


def test_evaluation_does_not_explore_and_is_reproducible(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    config = trial({"planner.noise_fraction": 1.0})
    parts = build(config)
    planner = RecordingPlanner(parts.planner)
    measure = config.measures["decision"].build(parts)
    before = {name: stream.clone() for name, stream in parts.streams.state_dict().items()}
    rows = [measure(parts.model.eval(), planner) for _ in range(2)]
    assert rows[0] == rows[1]
    assert planner.explored
    assert not any(planner.explored)
    assert sum(len(plan.value) for plan in planner.plans) == 2 * 4520
    assert set(parts.streams.state_dict()) == set(before)
