"""Matches: how games are played and scored, and what players of known strength score."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import problems_of, trial
from tests.workbench.measures.test_decision import Chooser, TablePlanner
from workbench.environments.connect_four import ConnectFour
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.errors import WorkbenchError
from workbench.measures.play.decision_rules import prior_action
from workbench.measures.play.episodes import AgentPlayer, RandomPlayer, fixed_generator, play
from workbench.measures.play.match_score import MatchScore, openings
from workbench.measures.play.opponents import TreeSearchPlayer
from workbench.models.world_model import WorldModel
from workbench.trial import build
from workbench.types import Edge, Heads, LatentSpec, ModelSpec


def everything(environment: GameTableEnvironment) -> Tensor:
    return environment.q(torch.arange(environment.table.size))


def perfect(environment: GameTableEnvironment) -> Chooser:
    return Chooser(everything(environment).nan_to_num(neginf=-9.0))


def test_every_state_of_a_game_table_converts_to_the_same_openspiel_state(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    state = torch.arange(0, tic_tac_toe.table.size, 7)
    shown, mover = tic_tac_toe.observe(state), tic_tac_toe.table.player[state]
    for row, one in enumerate(tic_tac_toe.openspiel_states(state)):
        assert one.is_terminal() == bool(tic_tac_toe.table.terminal[state[row]])
        cross, nought, empty = shown[row] if mover[row] == 0 else shown[row][[1, 0, 2]]
        board = "".join(str(one).split())
        for mark, plane in (("x", cross), ("o", nought), (".", empty)):
            assert [c == mark for c in board] == plane.flatten().tolist()


def test_win_rate_of_random_players_equals_the_exact_probability(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    # Of random games the first player wins 58.49 %, the second 28.81 %: 212/363 and 121/420.
    games = 20_000
    players = [RandomPlayer(fixed_generator("a")), RandomPlayer(fixed_generator("b"))]
    initial = tic_tac_toe.reset(games, Generator())
    played = play(tic_tac_toe, initial, players, torch.zeros(games, dtype=torch.int64), Generator())
    assert float((played.gained > 0).double().mean()) == pytest.approx(212 / 363, abs=0.01)
    assert float((played.gained < 0).double().mean()) == pytest.approx(121 / 420, abs=0.01)
    assert int(played.moves.min()) == 5
    assert int(played.moves.max()) == 9


def test_scores_of_the_two_seats_are_opposite(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    games = 64
    initial = tic_tac_toe.reset(games, Generator())
    turn = torch.arange(games) % 2
    gained = []
    for swap in (False, True):
        players = [
            AgentPlayer(perfect(tic_tac_toe), None, prior_action),
            RandomPlayer(fixed_generator("r")),
        ]  # type: ignore[arg-type]
        order = turn if not swap else 1 - turn
        seats = players if not swap else players[::-1]
        gained.append(play(tic_tac_toe, initial, seats, order, Generator()).gained)
    assert torch.equal(gained[0], -gained[1])
    assert bool((gained[0] >= 0).all())


class Counting(WorldModel):
    """A latent is the number of observed actions, and the environment state."""

    def __init__(self, environment: GameTableEnvironment) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", (2,)), 9, frozenset(), memory=True)
        self.environment, self.observe_calls = environment, 0

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        return torch.stack([torch.zeros_like(state), state], 1)

    def observe(
        self,
        latent: Tensor,
        action: Tensor,
        observation: Tensor,
        generator: Generator,
        state: Any = None,
    ) -> Tensor:
        # The action is the one that led from the remembered state to the one that is shown.
        assert torch.equal(self.environment.table.successor[latent[:, 1], action], state)
        return torch.stack([latent[:, 0] + 1, state], 1)

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        raise AssertionError("no search is made")

    def predict(self, latent: Tensor) -> Heads:
        pieces = (~self.environment.observe(latent[:, 1])[:, 2]).flatten(1).sum(-1)
        assert torch.equal(latent[:, 0], pieces)
        self.observe_calls += len(latent)
        return Heads(
            torch.rand(len(latent), 9, generator=fixed_generator("x")), torch.zeros(len(latent))
        )


def test_model_with_memory_observes_the_actions_of_both_players(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    model = Counting(tic_tac_toe)
    players = [AgentPlayer(model, None, prior_action), RandomPlayer(fixed_generator("r"))]  # type: ignore[arg-type]
    turn = torch.arange(40) % 2
    play(tic_tac_toe, tic_tac_toe.reset(40, Generator()), players, turn, Generator())
    assert model.observe_calls >= 40 * 2


def test_players_of_known_strength_have_the_expected_scores(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    q = everything(tic_tac_toe)
    measure = MatchScore(tic_tac_toe, 100, 2, [10, 1000], prior=True)
    row = measure(perfect(tic_tac_toe), TablePlanner(-q))
    assert set(row) == {
        f"decision/{name}_score{against}"
        for name in ("prior", "search")
        for against in ("", "_mcts_10", "_mcts_1000")
    }
    # A thousand rollouts play tic-tac-toe perfectly, and so every opening ends alike, from the
    # one side and from the other.
    assert row["decision/prior_score_mcts_1000"] == 0.5
    assert row["decision/prior_score"] > 0.85  # type: ignore[operator]
    assert row["decision/search_score"] < 0.3  # type: ignore[operator]
    assert row["decision/prior_score_mcts_10"] > 0.55  # type: ignore[operator]
    assert measure(perfect(tic_tac_toe), TablePlanner(-q)) == row


def test_naive_score_is_that_of_random_play_in_the_same_games(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    facts = MatchScore(tic_tac_toe, 400, 1, [10], prior=False).info()
    assert set(facts.levels) == {"decision/search_score", "decision/search_score_mcts_10"}
    assert facts.levels["decision/search_score"] == {"naive": 0.5}
    assert 0.05 < facts.levels["decision/search_score_mcts_10"]["naive"] < 0.35
    assert facts.positions == 200
    assert facts == MatchScore(tic_tac_toe, 400, 1, [10], prior=False).info()
    assert facts.digest != MatchScore(tic_tac_toe, 400, 2, [10], prior=False).info().digest


def test_tree_search_player_takes_an_immediate_win(tic_tac_toe: GameTableEnvironment) -> None:
    # X has two in a row and the move: a hundred rollouts, solved backwards, find the win.
    table, state = tic_tac_toe.table, torch.zeros(8, dtype=torch.int64)
    for move in (0, 3, 1, 4):
        state = table.successor[state, torch.full((8,), move)]
    player = TreeSearchPlayer(tic_tac_toe, 100, "test")
    player.observe(state, tic_tac_toe.observe(state), None)
    assert player.act(torch.arange(8), tic_tac_toe.legal(state)).tolist() == [2] * 8


@pytest.mark.parametrize("moves", [1, 2, 5])
def test_match_openings_are_random_and_not_terminal(moves: int) -> None:
    environment = ConnectFour().build()
    state, turn = openings(environment, 30, moves)
    assert state.length.tolist() == [moves] * 30
    assert turn.tolist() == [moves % 2] * 30
    assert not any(one.is_terminal() for one in environment.openspiel_states(state))
    assert len({tuple(row[:moves]) for row in state.action.tolist()}) >= min(30, 7**moves) * 0.6


def test_openings_longer_than_most_games_are_reported() -> None:
    environment = ConnectFour(rows=4, columns=4, in_line=2).build()
    with pytest.raises(WorkbenchError, match=r"7 moves.*'connect_four' 0 last.*shorten the open"):
        openings(environment, 2, 7)


def test_incompatible_environment_is_reported_with_its_reason() -> None:
    def messages(environment: str, measure: str) -> list[str]:
        return problems_of(
            f"preset: muzero\nenvironment: {environment}\nplanner: {{q_normalisation: min_max}}\n"
            f"measures: {{predictive: null, decision: null, {measure}}}\n"
        )

    problems = messages("cartpole", "matches: {}")
    assert any(
        "'matches' needs a two-player game, but environment 'cartpole'" in p for p in problems
    )
    problems = messages("tic_tac_toe", "matches: {opening_moves: 9}")
    assert any("opening_moves 9" in p and "'tic_tac_toe' has at most 9" in p for p in problems)
    assert any("games" in p for p in messages("tic_tac_toe", "matches: {games: 7}"))
    assert any(
        "mcts_rollouts" in p for p in messages("tic_tac_toe", "matches: {mcts_rollouts: [50]}")
    )
    assert not messages("tic_tac_toe", "matches: {mcts_rollouts: [10, 100]}")


def test_environment_without_openspiel_game_is_rejected_before_training(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    class EnvironmentWithoutOpenSpiel:
        spec = tic_tac_toe.spec

    with pytest.raises(WorkbenchError, match="'tic_tac_toe': it has no `openspiel_states`"):
        MatchScore(EnvironmentWithoutOpenSpiel(), 2, 1, [10], prior=True)  # type: ignore[arg-type]


def test_matches_do_not_change_the_random_streams_of_the_trial() -> None:
    config = trial({"measures": {"matches": {"games": 4}, "predictive": None, "decision": None}})
    parts = build(config)
    measure = config.measures["matches"].build(parts)
    before = set(parts.streams.state_dict())
    row = measure(parts.model.eval(), parts.planner)
    assert set(row) == {"decision/prior_score", "decision/search_score"}
    assert all(value is not None and 0 <= value <= 1 for value in row.values())
    assert set(parts.streams.state_dict()) == before


def test_perfect_play_is_never_beaten_and_draws_against_itself(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    # From an opening that is won for one side, whoever has that side wins: each has it once.
    matches = MatchScore(tic_tac_toe, 100, 2, [], prior=True, oracle=True)
    q = everything(tic_tac_toe)
    row = matches(perfect(tic_tac_toe), TablePlanner(-q))
    assert row["decision/prior_score_oracle"] == 0.5
    assert row["decision/search_score_oracle"] < 0.05  # type: ignore[operator]
    level = matches.info().levels["decision/prior_score_oracle"]["naive"]
    assert 0.0 < level < 0.3


def test_matches_can_use_other_numbers_of_simulations() -> None:
    parts = build(trial({"measures.matches": {"games": 10, "simulations": [2, 4]}}))
    found = parts.config.measures["matches"].build(parts)
    row = found(parts.model.eval(), parts.planner)
    assert row["decision/search_score[simulations=4]"] == row["decision/search_score"]
    assert set(row) == {
        "decision/prior_score", "decision/search_score",
        "decision/search_score[simulations=2]", "decision/search_score[simulations=4]",
    }  # fmt: skip
    assert set(found.info().levels) == set(row)


def test_missing_oracle_or_search_is_rejected() -> None:
    text = "preset: muzero\nenvironment: {name: othello}\nmeasures: {matches: {oracle: true}}\n"
    assert any("'othello' as configured has no oracle" in problem for problem in problems_of(text))
    text = "preset: muzero\nplanner: policy\nmeasures: {matches: {simulations: [2]}}\n"
    assert any("planner 'policy' has none" in problem for problem in problems_of(text))
