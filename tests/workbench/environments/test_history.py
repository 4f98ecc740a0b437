"""Histories against observations that are written down as they come and stacked by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.seams.conftest import run_in_two
from tests.workbench.fakes import problems_of
from workbench.components import EnvironmentConfig
from workbench.config import TrialConfig, dump, identity, read_trial
from workbench.documents import wrap
from workbench.environments.cartpole import CartPole
from workbench.environments.connect_four import ConnectFour
from workbench.environments.gymnasium import Gymnasium
from workbench.environments.history import History
from workbench.environments.minatar import MinAtar
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.environments.wrappers.history_environment import HistoryEnvironment
from workbench.errors import Place
from workbench.training import checkpoint
from workbench.trial import build, run_trial
from workbench.types import EnvironmentSpec, Transition, choose, gather, leaves, rebuild

BATCH = 6
WORLDS: list[EnvironmentConfig] = [TicTacToe(), ConnectFour(), CartPole(max_steps=25), MinAtar()]


def named(config: EnvironmentConfig) -> str:
    return config.component


class Played:
    """Random games, seen as a history, and beside it what the very same world showed alone."""

    def __init__(self, config: History) -> None:
        self.seen, self.plain = config.build(), config.of.build()
        self.state, self.bare = (
            world.reset(BATCH, Generator().manual_seed(1)) for world in (self.seen, self.plain)
        )
        self.shown: list[list[Tensor]] = [[o] for o in self.plain.observe(self.bare)]
        self.over = torch.zeros(BATCH, dtype=torch.bool)
        self.random = Generator().manual_seed(2)

    def move(self) -> None:
        legal = self.plain.legal(self.bare)
        assert torch.equal(self.seen.legal(self.state), legal)
        weights = legal.float() + self.over[:, None]
        action = torch.multinomial(weights, 1, generator=self.random).squeeze(1)
        g, h = (Generator().manual_seed(3) for _ in range(2))
        self.state, told = self.seen.step(self.state, action, g)
        self.bare, wanted = self.plain.step(self.bare, action, h)
        assert all(torch.equal(a, b) for a, b in zip(leaves(told), leaves(wanted), strict=True))
        for row, observation in enumerate(self.plain.observe(self.bare)):
            if not self.over[row]:
                self.shown[row].append(observation)
        self.over |= wanted.terminated
        if not self.plain.spec.copyable:
            self.over |= wanted.truncated

    def stacked(self, frames: int) -> Tensor:
        """The last `frames` of what was shown, after zeros, along the first axis of each."""
        none = torch.zeros_like(self.shown[0][0])
        lists = [[*[none] * frames, *one][-frames:] for one in self.shown]
        return torch.stack([torch.cat(one) for one in lists])


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("config", WORLDS, ids=named)
def test_it_shows_the_last_observations_oldest_first_and_stays_at_the_end(
    config: Any, frames: int
) -> None:
    game = Played(History(of=config, frames=frames))
    for _ in range(45):
        seen = game.seen.observe(game.state)
        assert seen.dtype == game.shown[0][0].dtype
        assert torch.equal(seen, game.stacked(frames))
        game.move()
    assert bool(game.over.any())


def test_a_time_limit_is_no_wall_to_a_search_that_looks_past_it() -> None:
    config = CartPole(max_steps=3)
    game = Played(History(of=config, frames=1))
    for _ in range(6):
        game.move()
        assert torch.equal(game.seen.observe(game.state), game.plain.observe(game.bare))


def test_a_past_position_is_shown_as_its_own_mover_saw_it() -> None:
    """By hand: 4 then 0; the present mover is the one who played 4."""
    world, g = History(frames=3).build(), Generator()
    state = world.reset(1, g)
    for cell in (4, 0):
        state, _ = world.step(state, torch.tensor([cell]), g)
    begun, after_one, now = world.observe(state)[0].flatten(1).long().split(3)
    assert [plane.sum() for plane in begun] == [0, 0, 9]
    own, other, _ = after_one  # seen by the second player: the stone at 4 is the other's
    assert (own.sum(), other.nonzero().flatten().tolist()) == (0, [4])
    own, other, _ = now
    assert (own.nonzero().tolist(), other.nonzero().tolist()) == ([[4]], [[0]])


def test_rows_of_states_are_gathered_and_chosen_like_any() -> None:
    game = Played(History(frames=3))
    begun = game.state
    for _ in range(3):
        game.move()
    wanted, world = game.stacked(3), game.seen
    assert torch.equal(
        world.observe(gather(game.state, torch.tensor([4, 1]))), wanted[torch.tensor([4, 1])]
    )
    mask = torch.arange(BATCH) % 2 == 0
    mixed = world.observe(choose(mask, game.state, begun))
    assert torch.equal(mixed, wanted.where(mask[:, None, None, None], world.observe(begun)))


# --- what it is ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", WORLDS, ids=named)
def test_it_is_the_world_itself_in_all_but_what_is_seen(config: EnvironmentConfig) -> None:
    inside, spec = config.spec(), History(of=config, frames=3).spec()
    channels, *board = inside.observation
    assert spec.name == f"history:{inside.name}"
    assert spec.observation == (3 * channels, *board)
    assert not spec.oracle
    assert not spec.enumerable
    assert spec.shows_past
    assert inside == replace(
        spec,
        name=inside.name,
        observation=inside.observation,
        shows_past=inside.shows_past,
        oracle=inside.oracle,
        enumerable=inside.enumerable,
    )


def test_discounts_are_one_wherever_it_is_written() -> None:
    for config in (
        History(discount=0.9),
        History(of=TicTacToe(discount=0.9)),
        History(discount=0.9, of=TicTacToe(discount=0.9)),
    ):
        assert config.discount == config.of.discount == 0.9
    world, g = History(discount=0.9).build(), Generator()
    _, transition = world.step(world.reset(1, g), torch.tensor([0]), g)
    assert transition.discount.tolist() == [pytest.approx(-0.9)]
    assert History().discount == History().of.discount == 1.0
    deep = History(discount=0.5, of=History(of=CartPole(max_steps=7)))
    assert deep.of.of.discount == 0.5  # type: ignore[attr-defined]
    assert deep.of.of.max_steps == 7  # type: ignore[attr-defined]


def test_two_different_discounts_are_told_with_both_names() -> None:
    world = "{name: history, discount: 0.8, of: {name: tic_tac_toe, discount: 0.9}}"
    told = problems_of(f"preset: muzero\nenvironment: {world}\n")[0]
    assert told.startswith("t.yaml:2: environment: ")
    assert "'history' has discount 0.8, and environment 'tic_tac_toe' in it 0.9" in told


def test_a_wrong_discount_is_told_where_it_was_written() -> None:
    for text, key in (
        ("{name: history, discount: 2.0}", "environment.discount"),
        ("{name: history, of: {name: cartpole, discount: 2.0}}", "environment.of.discount"),
    ):
        told = problems_of(f"preset: muzero\nenvironment: {text}\n")[0]
        assert told.startswith(f"t.yaml:2: {key}: input should be less than or equal to 1")


# --- several agents ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counter:
    """A world of two agents that each see [the number of moves, their own number]."""

    spec = EnvironmentSpec("counter", (2,), 2, agents=2)

    def reset(self, batch: int, generator: Generator) -> Tensor:
        return torch.ones(batch, dtype=torch.int64)

    def step(
        self, state: Tensor, action: Tensor, generator: Generator
    ) -> tuple[Tensor, Transition]:
        none = torch.zeros(len(state))
        return state + 1, Transition(none, none + 1, none.bool(), none.bool())

    def observe(self, state: Tensor) -> Tensor:
        mine = torch.tensor([10.0, 20.0]).expand(len(state), 2)
        return torch.stack([state[:, None].float().expand(-1, 2), mine], -1)

    def legal(self, state: Tensor) -> Tensor:
        return torch.ones(len(state), 2, 2, dtype=torch.bool)

    def chance(self, state: Tensor) -> None:
        return None


def test_every_agent_has_a_history_of_its_own() -> None:
    spec = replace(Counter.spec, name="history:counter", observation=(6,))
    world, g = HistoryEnvironment(spec, Counter(), 3), Generator()
    state, _ = world.step(world.reset(1, g), torch.zeros(1, 2), g)
    assert world.observe(state).tolist() == [[[0, 0, 1, 10, 2, 10], [0, 0, 1, 20, 2, 20]]]


# --- in a trial ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [Gymnasium(id="CartPole-v1"), MinAtar()], ids=named)
def test_saved_live_worlds_go_on_as_if_never_stopped(config: Any, tmp_path: Path) -> None:
    game = Played(History(of=config, frames=3))
    for _ in range(12):
        game.move()
    form: Any = game.seen.save(game.state)
    checkpoint.save(tmp_path / "c.pt", {"state": leaves(form)})
    stored = checkpoint.load(tmp_path / "c.pt")
    assert stored is not None
    game.seen = History(of=config, frames=3).build()
    game.state = game.seen.restore(rebuild(form, stored["state"]))
    for _ in range(20):
        assert torch.equal(game.seen.observe(game.state), game.stacked(3))
        game.move()


def configure(environment: Any, **overlay: Any) -> TrialConfig:
    small: dict[str, Any] = {
        "preset": "muzero",
        "environment": environment,
        "measures": {"predictive": None, "decision": None},
        "planner.q_normalisation": "min_max",
        "planner.simulations": 4,
        "procedure.opening.fraction": 0.0,
        "procedure.steps": 160,
        "procedure.games": 8,
        "procedure.batch": 8,
        "procedure.warm_up": 64,
        "procedure.replay_ratio": 0.5,
        "evaluate_every": 4,
    }
    dotted = {key.replace("__", "."): value for key, value in overlay.items()}
    return read_trial(wrap(small | dotted, Place("test")))


CARTS = {"name": "history", "of": {"name": "cartpole", "max_steps": 15}, "discount": 0.99}
SCALARS = {"name": "mlp", "value.kind": "scalar", "reward.kind": "scalar"}
GAMES = {"name": "history", "of": "tic_tac_toe", "frames": 3}
TRUE = {
    "model__dynamics": "true",
    "planner__interior_legality": True,
    "losses": {"reward": None, "termination": None},
    "targets": {"reward": None, "termination": None},
}


@pytest.mark.parametrize(
    "config",
    [
        configure(CARTS, targets__value="n_step", model__prediction=SCALARS),
        configure(GAMES, procedure__opening__fraction=0.5),
        configure(GAMES, **TRUE),
    ],
    ids=["cart", "learned", "true"],
)
def test_a_stopped_trial_ends_as_one_left_alone(config: TrialConfig, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run_trial(config, whole)
    run_in_two(config, cut)
    assert (whole / "metrics.jsonl").read_bytes() == (cut / "metrics.jsonl").read_bytes()
    states: list[Any] = [checkpoint.load(f / "checkpoint.pt") for f in (whole, cut)]
    first, second = (leaves(s["procedure"]["learner"]["model"]) for s in states)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_search_in_the_true_world_sees_histories_too() -> None:
    parts = build(configure(GAMES, **TRUE))
    game, g = Played(History(frames=3)), Generator()
    model = parts.model
    latent = model.represent(game.seen.observe(game.state), g, game.state)
    for cell in (4, 0, 8):
        action = torch.full((BATCH,), cell)
        latent, _ = model.step(latent, action, g)
        game.bare, _ = game.plain.step(game.bare, action, g)
        for row, observation in enumerate(game.plain.observe(game.bare)):
            game.shown[row].append(observation)
        wanted = model.represent(game.stacked(3), g, latent.state)
        assert torch.equal(latent.code, wanted.code)
        assert torch.equal(model.predict(latent).legal, game.plain.legal(game.bare))


def test_its_configuration_is_read_back_as_the_same() -> None:
    config = configure(CARTS, targets__value="n_step", model__prediction=SCALARS)
    again = read_trial(wrap(dump(config), Place("again")))
    assert again == config
    assert identity(again) == identity(config)
