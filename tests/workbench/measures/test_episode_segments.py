"""Episode segments of OpenSpiel games and of an environment that only counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from tests.workbench.measures.exact_model import ExactModel
from workbench.environments.cartpole import CartPole
from workbench.environments.forward_only.simulator_environment import SimulatorEnvironment
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.environments.games.openspiel_environment import OpenSpielEnvironment
from workbench.environments.hex import Hex
from workbench.environments.history import History
from workbench.environments.minatar import MinAtar
from workbench.measures.equivalence import Equivalence
from workbench.measures.evaluation_sets import episode_segments as module
from workbench.measures.evaluation_sets.episode_segments import cached_segments, episode_segments
from workbench.measures.latents import Latents
from workbench.measures.play.opponents import RolloutPlayer
from workbench.measures.prediction import true_latents
from workbench.measures.prediction.equivalence_error import EquivalenceError
from workbench.measures.prediction.evaluation_set import SOURCES, EvaluationSet
from workbench.measures.prediction.latent_accuracy import LatentAccuracy
from workbench.measures.prediction.predictive_error import PredictiveError
from workbench.measures.predictive import Predictive
from workbench.models.world_model import WorldModel
from workbench.trial import build
from workbench.types import Edge, EnvironmentSpec, Heads, LatentSpec, ModelSpec, gather

pytestmark = pytest.mark.usefixtures("cache")

MANY, DEPTH = 40, 4
END, CUTS, GAMMA = 6, (9, 7, 8), 0.9


class Counting:
    """Shows a number, the number of actions, and the length at which the episode is truncated.

    Action 1 adds one; 6 is terminal with reward 1.
    """

    def reset(self, seed: int) -> NDArray[Any]:
        self.number, self.moves, self.cut = seed % 3, 0, CUTS[seed % 7 % 3]
        return self._observation()

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        self.number, self.moves = self.number + action, self.moves + 1
        over = self.number == END
        return self._observation(), float(over), over, self.moves == self.cut

    def _observation(self) -> NDArray[Any]:
        return np.array([self.number, self.moves, self.cut], np.float32)


class Long:
    """Shows its initial number and the number of actions, and never ends."""

    def reset(self, seed: int) -> NDArray[Any]:
        self.shown = np.array([seed, 0], np.float32)
        return self.shown.copy()

    def step(self, action: int) -> tuple[NDArray[Any], float, bool, bool]:
        self.shown[1] += 1
        return self.shown.copy(), 0.0, False, False


class Naming(WorldModel):
    """Its code is noise that is the same for all of a game."""

    def __init__(self) -> None:
        super().__init__()
        self.spec = ModelSpec(LatentSpec("vector", ()), 2, frozenset())

    def represent(self, observation: Tensor, generator: Generator, state: Any = None) -> Tensor:
        digits = observation[:, :1].double() * torch.arange(1.0, 33.0).double().sqrt()
        return digits.frac().float()

    def step(self, latent: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Edge]:
        return latent, Edge(torch.zeros(len(latent)), torch.ones(len(latent)))

    def predict(self, latent: Tensor) -> Heads:
        return Heads(torch.zeros(len(latent), 2), torch.zeros(len(latent)))


@pytest.fixture(scope="module")
def environment() -> OpenSpielEnvironment:
    built = Hex(size=5).build()
    assert isinstance(built, OpenSpielEnvironment)
    return built


@pytest.fixture(scope="module")
def data(environment: OpenSpielEnvironment) -> EvaluationSet:
    return episode_segments(environment, MANY, DEPTH)


@pytest.fixture(scope="module")
def counter_segments() -> EvaluationSet:
    spec = EnvironmentSpec("counting", (3,), 2, cloneable=False)
    return episode_segments(SimulatorEnvironment(spec, Counting, GAMMA), MANY, DEPTH)


def test_segments_equal_openspiel_games(
    environment: OpenSpielEnvironment, data: EvaluationSet
) -> None:
    assert data.source.bincount().tolist() == [MANY, MANY]
    assert data.state is not None
    ends = 0
    for k in range(DEPTH):
        before, after = (
            environment.openspiel_states(data.at(k)),
            environment.openspiel_states(data.at(k + 1)),
        )
        for row, (one, then) in enumerate(zip(before, after, strict=True)):
            assert bool(data.before_end[row, k]) is not one.is_terminal()
            assert bool(data.reached[row, k]) is not one.is_terminal()
            if one.is_terminal():
                assert one.history() == then.history()
                continue
            assert data.legal[row, k].nonzero().flatten().tolist() == one.legal_actions()
            mover = one.current_player()
            one.apply_action(int(data.action[row, k]))
            assert one.history() == then.history()
            assert float(data.reward[row, k]) == one.player_reward(mover)
            assert float(data.discount[row, k]) == (0.0 if one.is_terminal() else -1.0)
            ends += one.is_terminal()
    assert ends > 0
    for k in range(DEPTH + 1):
        assert torch.equal(data.observation[:, k], environment.observe(data.at(k)))


def test_segments_of_a_source_are_distinct_and_start_early_and_late(
    environment: OpenSpielEnvironment, data: EvaluationSet
) -> None:
    for source in (0, 1):
        rows = data.source == source
        start_observations = data.observation[rows, 0].flatten(1).float()
        whole = torch.cat([start_observations, data.action[rows].float()], 1)
        assert len(torch.unique(whole, dim=0)) == MANY
        plies = data.at(0).length[rows]  # type: ignore[union-attr]
        assert int(plies.min()) <= 5
        assert int(plies.max()) >= 12
    start_observations = data.observation[:, 0].flatten(1)
    assert len(data.roots) == len(torch.unique(start_observations, dim=0)) < 2 * MANY
    assert len(torch.unique(start_observations[data.roots], dim=0)) == len(data.roots)


def test_segments_of_one_game_share_its_number(
    environment: OpenSpielEnvironment, data: EvaluationSet
) -> None:
    games: dict[int, list[list[int]]] = {}
    for game, at in zip(data.game.tolist(), environment.openspiel_states(data.at(0)), strict=True):
        games.setdefault(game, []).append(at.history())
    assert len(games) > 10
    for histories in games.values():
        longest = max(histories, key=len)
        for history in histories:
            assert longest[: len(history)] == history
            assert (len(longest) - len(history)) % module.APART == 0


def test_no_game_dominates_the_set() -> None:
    data = episode_segments(
        SimulatorEnvironment(EnvironmentSpec("long", (2,), 2, cloneable=False), Long, 1.0), 200, 2
    )
    assert len(data.action) == 200
    many = data.game.bincount()
    many = many[many > 0]
    assert many[: module.GAMES].tolist() == [module.OF_A_GAME] * module.GAMES
    assert len(many) == 2 * module.GAMES


def test_behaviour_source_plays_winning_actions_more_often_than_random_play(
    environment: OpenSpielEnvironment, data: EvaluationSet
) -> None:
    taken: dict[int, list[bool]] = {0: [], 1: []}
    for k in range(DEPTH):
        alive = data.reached[:, k].nonzero().flatten()
        for row, one in zip(
            alive.tolist(), environment.openspiel_states(gather(data.at(k), alive)), strict=True
        ):
            wins = {move for move in one.legal_actions() if one.child(move).is_terminal()}
            if wins:
                taken[int(data.source[row])].append(int(data.action[row, k]) in wins)
    assert len(taken[0]) >= 5  # who plays better leaves few
    assert all(taken[0])
    assert len(taken[1]) > 10
    assert not all(taken[1])


def test_history_environment_has_the_same_segments(data: EvaluationSet) -> None:
    seen = episode_segments(History(environment=Hex(size=5), frames=2).build(), MANY, DEPTH)
    # Learners can play it too, and the same moves are made.
    assert torch.equal(seen.source, data.source)
    assert torch.equal(seen.action, data.action)
    assert torch.equal(seen.observation[:, :, 4:], data.observation)


def test_behaviour_source_plans_ahead_in_single_agent_environments() -> None:
    data = episode_segments(CartPole().build(), MANY, DEPTH)
    ended = data.reached[:, -1] & ~data.before_end[:, -1] | ~data.reached[:, -1]
    # Gymnasium's documentation: at random the pole falls after some twenty steps.
    falls = [float(ended[data.source == source].float().mean()) for source in (0, 1)]
    assert falls[0] < 0.05
    assert falls[1] > 0.1


def test_rollout_player_selects_the_action_with_the_best_random_return(
    tic_tac_toe: GameTableEnvironment,
) -> None:
    table = tic_tac_toe.table

    def action_value(state: int, action: int) -> float:
        """Mean return of the player to move under random play of both sides."""
        then = int(table.successor[state, action])
        gained = float(table.reward[state, action])
        if bool(table.terminal[then]):
            return gained
        replies = table.legal[then].nonzero().flatten().tolist()
        return gained - sum(action_value(then, reply) for reply in replies) / len(replies)

    positions = tic_tac_toe.positions()
    late = positions[tic_tac_toe.legal(positions).sum(1) == 4][::40]
    player = RolloutPlayer(tic_tac_toe, 4000, 9, torch.Generator().manual_seed(0))
    player.observe(late, tic_tac_toe.observe(late), None)
    rows = torch.arange(1, len(late))
    chosen = player.act(rows, tic_tac_toe.legal(late[rows]))
    assert len(chosen) > 20
    for state, action in zip(late[1:].tolist(), chosen.tolist(), strict=True):
        known = {a: action_value(state, a) for a in table.legal[state].nonzero().flatten().tolist()}
        # Of 444 rollouts a mean is off by at most 1 / 21 in two of three cases.
        assert known[action] > max(known.values()) - 0.2


def test_forward_only_episodes_are_recorded_to_termination_and_truncation(
    counter_segments: EvaluationSet,
) -> None:
    assert counter_segments.state is None
    assert set(counter_segments.source.tolist()) == {SOURCES.index("uniform")}
    ends = cuts = 0
    for row in range(len(counter_segments.action)):
        number, moves, last = counter_segments.observation[row, 0].tolist()
        going = True
        for k in range(DEPTH):
            assert bool(counter_segments.reached[row, k]) is going
            if not going:
                assert not bool(counter_segments.before_end[row, k + 1])
                continue
            number, moves = number + float(counter_segments.action[row, k]), moves + 1
            assert counter_segments.observation[row, k + 1].tolist() == [number, moves, last]
            over, cut = number == END, moves == last
            assert float(counter_segments.reward[row, k]) == float(over)
            assert float(counter_segments.discount[row, k]) == pytest.approx(0.0 if over else GAMMA)
            # The state at a truncation is still observed.
            assert bool(counter_segments.before_end[row, k + 1]) is not over
            going = not over and not cut
            ends, cuts = ends + over, cuts + (cut and not over)
    assert ends > 0
    assert cuts > 0


def test_abandoned_episode_does_not_count_as_terminated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 3)
    monkeypatch.setattr(module, "ROUNDS", 2)
    spec = EnvironmentSpec("counting", (3,), 2, cloneable=False)
    data = episode_segments(SimulatorEnvironment(spec, Counting, GAMMA), MANY, DEPTH)
    moves = data.observation[:, 0, 1].long()
    for k in range(DEPTH):
        # A number of at most 2 at the beginning, and three moves: no end can be met.
        assert torch.equal(data.reached[:, k], moves + k < 3)
        assert torch.equal(data.before_end[:, k], moves + k <= 3)


def test_small_environments_give_all_their_segments() -> None:
    spec = EnvironmentSpec("counting", (3,), 1, cloneable=False)  # nothing but to stay
    data = episode_segments(SimulatorEnvironment(spec, Counting, GAMMA), 10_000, DEPTH)
    start_observations = {tuple(seen) for seen in data.observation[:, 0].tolist()}
    assert len(start_observations) == len(data.action) == len(data.roots)
    assert start_observations <= {(n, m, cut) for n in range(3) for cut in CUTS for m in range(cut)}


def test_exact_model_has_zero_error_and_no_value_error(
    environment: OpenSpielEnvironment, data: EvaluationSet
) -> None:
    measure = PredictiveError(data, by_source=True)
    row = measure(ExactModel(environment), None)  # type: ignore[arg-type]
    names = {name.split("/")[1].split("@")[0].split("[")[0] for name in row}
    assert names == {"reward_error", "termination_error", "illegal_mass"}
    assert all(row[f"predictive/{name}_error"] == 0.0 for name in ("reward", "termination"))
    assert {name.split("source=")[1] for name in row if "source=" in name} == {
        "behaviour]", "uniform]"
    }  # fmt: skip
    facts = measure.info()
    assert facts.positions == len(data.roots)
    assert facts.counts["predictive/reward_error"] == data.reached.sum(0).tolist()
    assert {level["oracle"] for level in facts.levels.values()} == {None}
    ended = (data.reached[:, 1] & ~data.before_end[:, 2]).sum() / data.reached[:, 1].sum()
    chance = facts.levels["predictive/termination_error@2"]["naive"]
    assert chance == pytest.approx(float(ended * (1 - ended)))


def test_imagined_returns_are_compared_with_recorded_returns(
    environment: OpenSpielEnvironment, data: EvaluationSet, counter_segments: EvaluationSet
) -> None:
    exact = EquivalenceError(data, cut=False)(ExactModel(environment), None)  # type: ignore[arg-type]
    assert exact["predictive/policy_evaluation_error"] == 0.0
    chance = EquivalenceError(counter_segments, cut=False).info().levels
    for k in range(1, DEPTH + 1):
        made = counter_segments.reached[:, k - 1]
        start_observations, acts = (
            counter_segments.observation[made, 0, 0],
            counter_segments.action[made, :k].cumsum(1),
        )
        earned = [
            next((GAMMA**i for i, n in enumerate(then) if start + n == END), 0.0)
            for start, then in zip(start_observations.tolist(), acts.tolist(), strict=True)
        ]
        level = chance[f"predictive/policy_evaluation_error@{k}"]
        assert level == {"naive": pytest.approx(sum(earned) / len(earned)), "oracle": None}
    assert chance["predictive/value_equivalence_error"] == {"oracle": None}


def test_true_states_as_latents_are_retrieved(
    environment: OpenSpielEnvironment, data: EvaluationSet
) -> None:
    row = LatentAccuracy(data, 200)(ExactModel(environment), None)  # type: ignore[arg-type]
    for k in range(1, DEPTH + 1):
        assert row[f"predictive/latent_error@{k}"] == 0.0
        assert row[f"predictive/hits_1@{k}"] == 1.0


def test_probes_are_evaluated_on_other_games_than_those_fitted() -> None:
    data = episode_segments(
        SimulatorEnvironment(EnvironmentSpec("long", (2,), 2, cloneable=False), Long, 1.0), 60, 2
    )
    row = LatentAccuracy(data, 10)(Naming(), None)  # type: ignore[arg-type]
    # The latent names the game, and observations depend on nothing else: a probe that learned the
    # names of some games knows nothing of others.
    for name in ("linear", "mlp"):
        assert row[f"predictive/probe_r2_{name}@0"] < 0.2


def test_states_are_encoded_in_chunks(
    environment: OpenSpielEnvironment, data: EvaluationSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = LatentAccuracy(data, 200)(ExactModel(environment), None)  # type: ignore[arg-type]
    asked: list[int] = []

    def encode(observation: Tensor) -> Tensor:
        asked.append(len(observation))
        return observation.flatten(1).float()

    monkeypatch.setattr(true_latents, "AT_ONCE", 100 * 7)
    states = true_latents.unique_states(data)[0]
    assert len(states) > 14
    states.encode(ExactModel(environment, encode))
    assert asked == [7] * (len(states) // 7) + [len(states) % 7] * (len(states) % 7 > 0)
    assert LatentAccuracy(data, 200)(ExactModel(environment), None) == whole  # type: ignore[arg-type]


def test_segments_depend_neither_on_the_trial_nor_on_their_number(
    environment: OpenSpielEnvironment, data: EvaluationSet
) -> None:
    torch.manual_seed(4)
    again = episode_segments(Hex(size=5).build(), MANY, DEPTH)
    assert again.digest == data.digest
    few = episode_segments(environment, 10, DEPTH + 1)
    for source in (0, 1):
        ten = few.source == source
        start_observations = data.observation[data.source == source, 0][:10]
        assert torch.equal(few.observation[ten, 0], start_observations)
        assert torch.equal(few.action[ten, :DEPTH], data.action[data.source == source][:10])
    assert few.digest != data.digest


def test_cached_segments_are_not_generated_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = Hex(size=5).build()
    first = cached_segments(Hex(size=5), environment, 6, 2)
    assert len([*cache.glob("excerpts-*.npz")]) == 1

    def never(*_: Any) -> EvaluationSet:
        raise AssertionError("made again")

    sizes = [cached_segments(Hex(size=n), Hex(size=n).build(), 6, 2) for n in (5, 6)]
    assert sizes[0].digest == first.digest
    assert sizes[1].observation.shape[2:] == (4, 6, 6)
    other = cached_segments(Hex(size=5, discount=0.9), Hex(size=5, discount=0.9).build(), 6, 2)
    assert torch.equal(other.action, first.action)
    assert other.digest != first.digest
    monkeypatch.setattr(module, "episode_segments", never)
    read = cached_segments(Hex(size=5), environment, 6, 2)
    assert read.digest == first.digest
    assert torch.equal(read.observation, first.observation)
    assert not read.exact
    with pytest.raises(AssertionError, match="made again"):
        cached_segments(Hex(size=5), environment, 6, 3)


def test_segments_are_played_in_separate_environments() -> None:
    pytest.importorskip("minatar")
    config = MinAtar(max_steps=30)
    environment = config.build()
    playing, generator = environment.reset(2, Generator().manual_seed(1)), Generator()
    before = environment.save(playing)
    assert len(cached_segments(config, environment, 6, 2).action) == 6
    then, _ = environment.step(playing, torch.ones(2, dtype=torch.int64), generator)
    back, _ = environment.step(
        environment.restore(before), torch.ones(2, dtype=torch.int64), generator
    )
    assert torch.equal(then.observation, back.observation)
    assert then.slot.tolist() == [0, 1]  # no other environment was built
    assert back.slot.tolist() == [2, 3]


ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "hex": {"preset": "muzero_hex", "planner.simulations": 2},
    "minatar": {"preset": "muzero_minatar", "planner.simulations": 2},
    "cartpole": {"preset": "muzero_cartpole", "planner.simulations": 2},
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_predictions_of_agents_in_environments_without_an_oracle_are_measured(name: str) -> None:
    pytest.importorskip("minatar" if name == "minatar" else "torch")
    config = trial({}, base=ENVIRONMENTS[name])
    parts = build(config)
    row: dict[str, Any] = {}
    for measure in (Predictive(), Latents(), Equivalence()):
        sized = measure.model_copy(update={"positions": 20, "depth": 2})
        assert not [*sized.incompatibilities(config)]
        row |= sized.build(parts)(parts.model, parts.planner)
    for metric in ("reward_error", "termination_error", "latent_error", "mrr", "probe_r2_linear"):
        value = row[f"predictive/{metric}@2"]
        assert isinstance(value, float), metric
        assert np.isfinite(value), metric
    assert "predictive/value_error" not in row
    assert ("predictive/illegal_mass" in row) == (name == "hex")  # elsewhere all moves are legal
