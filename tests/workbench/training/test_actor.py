"""Self-play: what is stored are real games, and what explores does so only while training."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyspiel
import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import RecordingPlanner, TableModel, trial
from workbench.contracts import TrialParts
from workbench.randomness import Streams
from workbench.training.actor import Actor
from workbench.training.replay_buffer import Episodes, ReplayBuffer
from workbench.training.self_play_loop import SelfPlayLoop
from workbench.training.settings import RandomStartConfig, TemperatureConfig
from workbench.training.step_storage import StepReader
from workbench.trial import build
from workbench.types import EnvironmentSpec, Plan, Transition

GAME = pyspiel.load_game("tic_tac_toe")
NO_RANDOM_START = RandomStartConfig(fraction=0.0)


def split_episodes(episodes: Episodes) -> list[dict[str, Tensor]]:
    """The steps of each episode by itself, by name."""
    steps, count = episodes.steps, (episodes.length + 1).tolist()
    read = StepReader(steps.layout, tuple(steps.layout.keys))(steps, np.arange(len(steps)))
    rows = {name: values.split(count) for name, values in read.items()}
    return [{name: split[e] for name, split in rows.items()} for e in range(len(count))]


def play(
    parts: TrialParts,
    rounds: int,
    batch: int = 32,
    opening: RandomStartConfig = NO_RANDOM_START,
    temperature: TemperatureConfig = TemperatureConfig(),  # noqa: B008
) -> list[Episodes]:
    actor = Actor(parts, batch, opening, temperature)
    handed = []
    for _ in range(rounds):
        made, episodes = actor.step(parts.model)
        assert made == batch
        if episodes is not None:
            handed.append(episodes)
    return handed


@cache
def _built(noise: float) -> TrialParts:
    return build(trial({"planner.noise_fraction": noise}))


def parts_of(noise: float = 0.25) -> TrialParts:
    """Parts on fresh streams; the networks are as initialised and stay so."""
    return replace(_built(noise), streams=Streams(0))


def board(observation: Tensor) -> pyspiel.State:
    """The OpenSpiel state that a mover-relative observation shows."""
    own, other, _ = observation.flatten(1)
    counts = int(own.sum()), int(other.sum())
    first, second = (own, other) if counts[0] == counts[1] else (other, own)
    stones = [plane.nonzero().flatten().tolist() for plane in (first, second)]
    state = GAME.new_initial_state()
    for i in range(sum(counts)):
        state.apply_action(stones[i % 2][i // 2])
    return state


def check_game(episodes: Episodes, e: int) -> pyspiel.State:
    """Replay one stored episode by OpenSpiel's rules; returns where it began."""
    rows, length = split_episodes(episodes)[e], int(episodes.length[e])
    start = board(rows["observation"][0])
    state = start.clone()
    for t in range(length):
        assert rows["legal"][t].nonzero().flatten().tolist() == state.legal_actions()
        assert torch.equal(rows["observation"][t], seen(state))
        policy, action = rows["policy"][t], int(rows["action"][t])
        assert float(policy.sum()) == pytest.approx(1)
        assert not policy[~rows["legal"][t]].any()
        assert policy[action] > 0
        mover = state.current_player()
        state.apply_action(action)
        assert float(rows["reward"][t]) == state.player_reward(mover)
        assert float(rows["discount"][t]) == (0.0 if state.is_terminal() else -1.0)
    assert state.is_terminal()
    assert bool(episodes.terminated[e])
    # The final row is the state where the game ended; nothing follows.
    assert torch.equal(rows["observation"][length], seen(state))
    assert not rows["legal"][length].any()
    for name in ("reward", "discount", "value"):
        assert float(rows[name][length]) == 0.0
    return start


def seen(state: pyspiel.State) -> Tensor:
    text = str(state).replace("\n", "")
    own, other = ("x", "o") if text.count("x") == text.count("o") else ("o", "x")
    planes = [[float(c == stone) for c in text] for stone in (own, other, ".")]
    return torch.tensor(planes).view(3, 3, 3)


def test_stored_episodes_are_legal_games_from_the_initial_position() -> None:
    count = 0
    for episodes in play(parts_of(), 30):
        for e in range(len(episodes.length)):
            assert not check_game(episodes, e).history()
            count += 1
    assert count > 90


def test_random_start_actions_are_played_but_not_stored() -> None:
    openings: Counter[int] = Counter()
    for episodes in play(parts_of(), 60, opening=RandomStartConfig(fraction=1.0, max_actions=3)):
        for e in range(len(episodes.length)):
            openings[len(check_game(episodes, e).history())] += 1
    # No game can end within three moves, so every episode begins after 1, 2 or 3 of them.
    total = sum(openings.values())
    assert set(openings) == {1, 2, 3}
    assert all(abs(n - total / 3) < 5 * (total * 2 / 9) ** 0.5 for n in openings.values())


def test_random_start_that_ends_the_game_is_replaced_by_the_initial_state() -> None:
    starts: Counter[int] = Counter()
    for episodes in play(parts_of(), 40, opening=RandomStartConfig(fraction=1.0, max_actions=9)):
        for e in range(len(episodes.length)):
            starts[len(check_game(episodes, e).history())] += 1
    assert starts[0] > 0
    assert set(starts) <= set(range(9))


def test_acting_explores_and_uses_no_other_random_stream() -> None:
    parts = parts_of()
    planner = RecordingPlanner(parts.planner)
    play(replace(parts, planner=planner), 5)
    assert planner.explored == [True] * 5
    assert "learner" not in parts.streams.state_dict()


def test_root_noise_changes_the_actions() -> None:
    calm = play(parts_of(0.0), 12)
    noisy = play(parts_of(1.0), 12)
    assert not torch.equal(
        split_episodes(calm[0])[0]["policy"][0], split_episodes(noisy[0])[0]["policy"][0]
    )


class TwoToOnePlanner:
    """Two thirds of the visits on the last legal move, one third on the first."""

    differentiable = False

    def plan(
        self, model: Any, root: Any, legal: Tensor, generator: Generator, explore: bool = False
    ) -> Plan:
        order = torch.arange(1, legal.shape[1] + 1) * legal
        row = torch.arange(len(legal))
        policy = torch.zeros(legal.shape)
        policy[row, order.argmax(1)] += 2 / 3
        policy[row, order.masked_fill(~legal, 99).argmin(1)] += 1 / 3
        zero = torch.zeros(len(legal))
        return Plan(policy, zero, policy, policy, zero)


@pytest.mark.parametrize("moves", [0, 1, 3, None])
def test_actions_after_the_sampled_ones_are_greedy(moves: int | None) -> None:
    planner = RecordingPlanner(TwoToOnePlanner())
    parts = replace(parts_of(), planner=planner)
    actor = Actor(parts, 64, NO_RANDOM_START, TemperatureConfig(sampled_actions=moves))
    differs = []
    for t in range(5):
        actor.step(parts.model)
        action = actor.state_dict()["action"]
        differs.append(not torch.equal(action, planner.plans[t].best_action()))
    assert differs == [moves is None or t < moves for t in range(5)]


@pytest.mark.parametrize("value", [2.0, 0.25, 0.02, 0.002])
def test_actions_are_sampled_by_visits_to_the_power_of_one_over_temperature(value: float) -> None:
    # Visits 1 : 2 give the greater one odds of 2^(1/T): certainty at small T.
    parts = replace(parts_of(), planner=TwoToOnePlanner())
    actor = Actor(
        parts, 4000, NO_RANDOM_START, TemperatureConfig(sampled_actions=1, value=((0.0, value),))
    )
    actor.step(parts.model)
    share = float((actor.state_dict()["action"] == 8).float().mean())
    expected = 2 ** (1 / value) / (1 + 2 ** (1 / value))
    assert share == pytest.approx(
        expected, abs=5 * (expected * (1 - expected) / 4000) ** 0.5 + 1e-9
    )


class Corridor:
    """One player walks on by 1 a move, reward 1, until cut (or ended) after `limit` moves."""

    def __init__(self, limit: int, cut: bool, horizon: int | None) -> None:
        self.spec = EnvironmentSpec("corridor", (1,), 2, horizon=horizon)
        self.limit, self.cut = limit, cut

    def reset(self, batch: int, generator: Generator) -> Tensor:
        return torch.zeros(batch, dtype=torch.int64)

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        then = state + 1
        last = then >= self.limit
        no = torch.zeros_like(last)
        discount = torch.full((len(state),), 0.9)
        reward = torch.ones(len(state))
        if self.cut:
            return then, Transition(reward, discount, no, last)
        return then, Transition(reward, discount * (~last), last, no)

    def observe(self, state: Tensor) -> Tensor:
        return state

    def legal(self, state: Tensor) -> Tensor:
        return torch.ones(len(state), 2, dtype=torch.bool)

    def chance(self, state: Tensor) -> None:
        return None


def corridor_parts(limit: int, cut: bool, horizon: int | None) -> TrialParts:
    states = limit + 2
    successor = torch.arange(1, states + 1).clamp(max=states - 1)[:, None].expand(-1, 2)
    flat = torch.zeros(states, 2)
    value = 100.0 + torch.arange(states)
    model = TableModel(successor, flat, flat + 0.9, flat, value)
    return replace(parts_of(), environment=Corridor(limit, cut, horizon), model=model)


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("horizon", [None, 100])
@pytest.mark.parametrize("limit", [3, 15, 16, 17, 32, 40])
def test_complete_episodes_of_any_length_reach_the_replay(
    limit: int, cut: bool, horizon: int | None
) -> None:
    parts = corridor_parts(limit, cut, horizon)
    (episodes,) = play(parts, limit, batch=3)
    assert episodes.length.tolist() == [limit] * 3
    assert episodes.terminated.tolist() == [not cut] * 3
    for name in ("observation", "action", "legal", "policy", "reward", "discount", "value"):
        assert [len(rows[name]) for rows in split_episodes(episodes)] == [limit + 1] * 3, name
    rows = split_episodes(episodes)[0]
    assert rows["observation"].tolist() == list(range(limit + 1))
    # A cut leaves the model's expectation behind, an end leaves nothing.
    assert float(rows["value"][-1]) == (100.0 + limit if cut else 0.0)
    replay = ReplayBuffer(1000, episodes.steps.layout)
    replay.add(episodes)
    assert len(replay) == 3 * limit


@pytest.mark.parametrize(
    ("games", "batch", "ratio", "warm_up"), [(16, 16, 1.0, 64), (16, 64, 3.0, 100), (10, 4, 0.3, 1)]
)
def test_number_of_updates_is_the_exact_ratio_of_steps_since_the_warm_up(
    games: int, batch: int, ratio: float, warm_up: int
) -> None:
    config = trial(
        {
            "procedure.parallel_environments": games,
            "procedure.batch_size": batch,
            "procedure.replay_ratio": ratio,
            "procedure.warm_up": warm_up,
            "procedure.capacity": 5000,
            "planner.simulations": 2,
        }
    )
    procedure = SelfPlayLoop(build(config), config.procedure)  # type: ignore[arg-type]
    first_update_step = None
    for step in range(1, 41):
        procedure.advance()
        assert procedure.steps == step * games
        if first_update_step is None and procedure._replay and len(procedure._replay) >= warm_up:
            first_update_step = procedure.steps - games
        if first_update_step is not None:
            expected_updates = (procedure.steps - first_update_step) * ratio / batch
            # Each window trained on is one of the batch; never more than one update behind.
            assert procedure.updates == int(expected_updates + 1e-9)
    assert first_update_step is not None
    assert procedure.updates > 0


CARTPOLE = {
    "environment": {"name": "cartpole", "max_steps": 33},
    "planner": "policy",
    "measures": {"predictive": None, "decision": None},
    "targets.value": {"name": "n_step", "steps": 3},
    "procedure.random_start.fraction": 0.0,
    "procedure.sequence_length": 7,
    "procedure.temperature.sampled_actions": None,
}


def long_games(sequence: int, rounds: int = 90) -> list[Episodes]:
    """One game of CartPole after another, cut by the clock after 33 moves, by the prior."""
    parts = build(trial(CARTPOLE))
    actor = Actor(parts, 1, NO_RANDOM_START, TemperatureConfig(sampled_actions=None), sequence)
    handed = [actor.step(parts.model)[1] for _ in range(rounds)]
    return [episodes for episodes in handed if episodes is not None]


def test_sequences_are_consecutive_segments_of_the_same_games() -> None:
    whole = [split_episodes(episodes)[0] for episodes in long_games(0)]
    pieces = long_games(7)
    assert {int(piece.length) for piece in pieces} >= {7}
    rows = [split_episodes(piece)[0] for piece in pieces]
    assert max(len(row["action"]) for row in rows) == 7 + 1
    played = torch.cat([row["observation"][:-1] for row in rows])
    full = torch.cat([game["observation"][:-1] for game in whole])
    many = min(len(played), len(full))
    assert many > 40
    assert torch.equal(played[:many], full[:many])
    model = build(trial(CARTPOLE)).model
    ends = {sum(len(game["action"]) - 1 for game in whole[: n + 1]) for n in range(len(whole))}
    made = 0
    for piece, row, after in zip(pieces, rows, rows[1:], strict=False):
        made += int(piece.length)
        if made in ends:
            continue
        # An unfinished game: the next part starts where this ends; the model's value bootstraps it.
        final = row["observation"][-1:]
        assert torch.equal(final, after["observation"][:1])
        assert not bool(piece.terminated)
        expected = model.predict(model.represent(final, Generator())).value
        assert torch.allclose(row["value"][-1:], expected, atol=1e-6)
