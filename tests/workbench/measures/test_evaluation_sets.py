"""Frozen positions: what they are, that they stay the same, and how agents are judged on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from workbench.environments.connect_four import ConnectFour
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.environments.games.openspiel_environment import MoveHistory
from workbench.environments.games.solved_connect_four import SolvedConnectFour
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.measures.evaluation_sets import positions
from workbench.measures.evaluation_sets.positions import (
    EvaluationPositions,
    cached_positions,
    evaluation_positions,
)
from workbench.measures.evaluation_sets.sequences import cached_sequences
from workbench.measures.exact.decision_quality import DecisionQuality
from workbench.measures.exact.solved_positions import SolvedPositions
from workbench.measures.play.episodes import play
from workbench.measures.play.opponents import PerfectPlayer
from workbench.measures.prediction.predictive_error import PredictiveError
from workbench.models.world_model import WorldModel
from workbench.trial import build
from workbench.types import Edge, Heads, LatentSpec, ModelSpec, Plan, tree_map

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module")
def environment() -> SolvedConnectFour:
    built = ConnectFour().build()
    assert isinstance(built, SolvedConnectFour)
    return built


@pytest.fixture(scope="module")
def frozen(environment: SolvedConnectFour) -> EvaluationPositions:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(positions, "GAMES", 3)
        return evaluation_positions(environment, 30)


def test_positions_have_distinct_observations_and_none_is_terminal(
    environment: SolvedConnectFour, frozen: EvaluationPositions
) -> None:
    seen = environment.observe(frozen.state)
    assert len(seen) == len(frozen.q) == 30
    assert len(torch.unique(seen.flatten(1), dim=0)) == 30
    assert not any(one.is_terminal() for one in environment.openspiel_states(frozen.state))
    assert torch.equal(frozen.q.isfinite(), environment.legal(frozen.state))
    # From the opening, from the middle and from late in the game.
    plies = frozen.state.length
    assert int(plies.min()) < 6
    assert int(plies.max()) > 15


def test_positions_depend_neither_on_their_number_nor_on_the_trial(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    torch.manual_seed(1)
    many = evaluation_positions(tic_tac_toe, 200)
    torch.manual_seed(2)
    few = evaluation_positions(TicTacToe().build(), 50)
    assert torch.equal(many.state[:50], few.state)
    assert torch.equal(few.q, tic_tac_toe.q(few.state))
    assert few.digest != many.digest
    assert evaluation_positions(tic_tac_toe, 50).digest == few.digest


def test_positions_alternate_between_random_search_and_near_optimal_play(
    tic_tac_toe: GameTableEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Perfect play keeps the draw that tic-tac-toe is; random play soon loses it.
    monkeypatch.setattr(positions, "ERRORS", 0.0)
    found = evaluation_positions(tic_tac_toe, 240)
    value = found.q.max(-1).values
    assert bool((value[2::3] == 0).all())
    decided = [float((value[kind::3] != 0).float().mean()) for kind in range(3)]
    assert decided[0] > decided[1] > decided[2] == 0


def test_near_optimal_play_errs_at_the_declared_rate(
    tic_tac_toe: GameTableEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tic_tac_toe.positions()
    # One move of several is the best, so that a random move rarely hits it.
    q = tic_tac_toe.q(table)
    state = table[(q == q.max(-1, keepdim=True).values).sum(-1) == 1]
    state = state[tic_tac_toe.legal(state).sum(-1) == 4].repeat(40)
    monkeypatch.setattr(positions, "ERRORS", 0.4)
    player = PerfectPlayer(tic_tac_toe, Generator().manual_seed(0), positions.ERRORS)
    player.observe(state, tic_tac_toe.observe(state), None)
    action = player.act(torch.arange(len(state)), tic_tac_toe.legal(state))
    best = action == tic_tac_toe.q(state).argmax(-1)
    # A quarter of the random moves is the best one all the same.
    assert float(best.float().mean()) == pytest.approx(1 - 0.4 * 3 / 4, abs=0.02)


def test_every_fifth_position_of_a_game_is_kept_with_a_random_offset(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    generator = Generator().manual_seed(0)
    witness = positions._RecordingPlayer(PerfectPlayer(tic_tac_toe, generator, positions.ERRORS))
    initial = tic_tac_toe.reset(10, generator)
    play(tic_tac_toe, initial, [witness], torch.zeros(10, dtype=torch.int64), generator)
    plies = [(~tic_tac_toe.observe(s)[:, 2]).flatten(1).sum(-1).tolist() for s in witness.seen]
    # Ten games, two of them from each offset; at move 0, games 0 and 5; at move 1, 4 and 9; ...
    assert [len(p) for p in plies[:5]] == [2] * 5
    assert all(set(p) <= {ply} for ply, p in enumerate(plies))


def test_cached_positions_equal_generated_ones_and_are_not_generated_again(
    tic_tac_toe: GameTableEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TicTacToe()
    first = cached_positions(config, tic_tac_toe, 40)
    path = cached_sequences(config, tic_tac_toe, 40, 3)
    assert torch.equal(path.state[:40, 0], first.state)
    assert torch.equal(path.value[:40, 0], first.q.max(-1).values)

    def never(*_: Any) -> EvaluationPositions:
        raise AssertionError("made again")

    monkeypatch.setattr(positions, "evaluation_positions", never)
    assert cached_positions(config, tic_tac_toe, 40).digest == first.digest
    assert cached_sequences(config, tic_tac_toe, 40, 3).digest == path.digest
    for other in (TicTacToe(discount=0.9), config):
        with pytest.raises(AssertionError, match="made again"):
            cached_positions(other, tic_tac_toe, 41 if other is config else 40)


class SolverModel(WorldModel):
    """Follows the true game and predicts the truth; the prior is that of a perfect player."""

    def __init__(self, environment: SolvedConnectFour) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", ()), 7, frozenset(), needs_state=True)
        self.environment = environment

    def represent(
        self, observation: Tensor, generator: Generator, state: Any = None
    ) -> MoveHistory:
        assert torch.equal(observation, self.environment.observe(state))
        result: MoveHistory = state
        return result

    def step(
        self, latent: MoveHistory, action: Tensor, generator: Generator
    ) -> tuple[MoveHistory, Edge]:
        then, real = self.environment.step(latent, action, generator)
        return then, Edge(real.reward, real.discount, real.terminated.float())

    def predict(self, latent: MoveHistory) -> Heads:
        q = self.environment.q(latent)
        best = q.max(-1).values
        return Heads(100 * q.nan_to_num(neginf=-9.0), best.nan_to_num(neginf=5.0))


class WorstPlanner:
    """Move with the lowest value."""

    differentiable = False

    def plan(
        self,
        model: Any,
        root: MoveHistory,
        legal: Tensor,
        generator: Generator,
        explore: bool = False,
    ) -> Plan:
        score = (-model.environment.q(root)).masked_fill(~legal, -torch.inf)
        zero = torch.zeros(len(legal))
        return Plan(score, zero, score, score, zero)


def test_best_and_worst_moves_have_the_extreme_scores(
    environment: SolvedConnectFour, frozen: EvaluationPositions
) -> None:
    measure = DecisionQuality(
        environment, SolvedPositions(environment, frozen.state, frozen.q, frozen.digest)
    )
    row = measure(SolverModel(environment), WorstPlanner())
    assert row["decision/prior_optimal_rate"] == row["decision/prior_optimal_rate_decisive"] == 1.0
    assert row["decision/prior_regret"] == row["decision/prior_regret_decisive"] == 0.0
    assert row["decision/search_optimal_rate_decisive"] == 0.0
    regret = optimal = decisive = blind = 0.0
    for values in frozen.q.tolist():
        legal = [x for x in values if x > -2]
        regret += max(legal) - min(legal)
        optimal += max(legal) == min(legal)
        decisive += max(legal) != min(legal)
        blind += legal.count(max(legal)) / len(legal)
    assert row["decision/search_regret"] == pytest.approx(regret / 30)
    assert row["decision/search_regret_decisive"] == pytest.approx(regret / decisive)
    assert row["decision/search_optimal_rate"] == pytest.approx(optimal / 30)
    facts = measure.info()
    assert (facts.positions, facts.digest) == (30, frozen.digest)
    level = facts.levels["decision/prior_optimal_rate"]
    assert level == {"naive": pytest.approx(blind / 30), "oracle": 1.0}
    assert set(facts.levels) == set(row)
    assert not any("losing" in name for name in row)


def test_metrics_of_decisive_positions_are_null_without_any(environment: SolvedConnectFour) -> None:
    # One column is left, with two cells.
    moves = [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 4, 4, 5, 5, 4, 4, 5, 5, 4, 4, 5, 5]
    late = environment.after_moves([[*moves, 2, 3, 3, 2, 2, 3, 3, 2, 2, 3, 3, 2, 6, 6, 6, 6]])
    assert environment.legal(late).sum() == 1
    measure = DecisionQuality(environment, SolvedPositions(environment, late, environment.q(late)))
    row = measure(SolverModel(environment), WorstPlanner())
    assert row["decision/prior_optimal_rate"] == 1.0
    assert row["decision/prior_regret_decisive"] is None
    assert "decision/prior_regret_decisive" not in measure.info().levels


def test_exact_model_of_connect_four_has_zero_error(
    environment: SolvedConnectFour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "GAMES", 2)
    sequences = cached_sequences(ConnectFour(), environment, 6, 2)
    measure = PredictiveError(sequences)
    row = measure(SolverModel(environment), None)  # type: ignore[arg-type]
    assert {name.split("@")[0] for name in row} == {
        *(f"predictive/{part}_error" for part in ("value", "policy", "reward", "termination")),
        "predictive/illegal_mass",
    }
    assert all(value == pytest.approx(0.0, abs=1e-6) for value in row.values())
    facts = measure.info()
    assert (facts.positions, facts.digest) == (6, sequences.digest)
    assert facts.counts["predictive/value_error"][0] == 3 * 6
    for k in range(2):
        here = tree_map(lambda states, k=k: states[:, k], sequences.state)
        q, made = environment.q(here), sequences.reached[:, k]
        chosen = q.gather(1, sequences.action[:, k : k + 1]).squeeze(1)
        assert bool(chosen.isfinite()[made].all())
        assert bool((chosen == q.max(-1).values)[12:][made[12:]].all())


def test_measures_of_connect_four_share_one_cached_set(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "GAMES", 2)
    measures = {"decision": {"positions": 9}, "predictive": {"positions": 3, "depth": 1}}
    facts = []
    for seed in (1, 2):
        over = {"environment": {"name": "connect_four"}, "seed": seed, "measures": measures}
        config = trial(over)
        parts = build(config)
        built = [measure.build(parts) for measure in config.measures.values()]
        facts.append([measure.info() for measure in built])
        written = {path: path.stat().st_mtime_ns for path in cache.glob("*.npz")}
        if seed == 1:
            first = written
    assert facts[0] == facts[1]
    assert written == first
    assert len(first) == 3
