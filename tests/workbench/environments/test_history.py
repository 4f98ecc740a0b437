"""The history wrapper, compared with observations recorded and stacked by the test."""

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
from workbench.errors import SourceLocation
from workbench.training import checkpoint
from workbench.trial import build, run_trial
from workbench.types import EnvironmentSpec, Transition, gather, tree_leaves, tree_unflatten, where

BATCH = 6
CONFIGS: list[EnvironmentConfig] = [TicTacToe(), ConnectFour(), CartPole(max_steps=25), MinAtar()]


def named(config: EnvironmentConfig) -> str:
    return config.component


class Games:
    """Random play in a wrapped environment and, with the same actions, in the plain one."""

    def __init__(self, config: History) -> None:
        self.wrapped, self.plain = config.build(), config.environment.build()
        self.state, self.plain_state = (
            environment.reset(BATCH, Generator().manual_seed(1))
            for environment in (self.wrapped, self.plain)
        )
        self.recorded: list[list[Tensor]] = [[o] for o in self.plain.observe(self.plain_state)]
        self.over = torch.zeros(BATCH, dtype=torch.bool)
        self.random = Generator().manual_seed(2)

    def step(self) -> None:
        legal = self.plain.legal(self.plain_state)
        assert torch.equal(self.wrapped.legal(self.state), legal)
        weights = legal.float() + self.over[:, None]
        action = torch.multinomial(weights, 1, generator=self.random).squeeze(1)
        g, h = (Generator().manual_seed(3) for _ in range(2))
        self.state, found = self.wrapped.step(self.state, action, g)
        self.plain_state, expected = self.plain.step(self.plain_state, action, h)
        assert all(
            torch.equal(a, b)
            for a, b in zip(tree_leaves(found), tree_leaves(expected), strict=True)
        )
        for row, observation in enumerate(self.plain.observe(self.plain_state)):
            if not self.over[row]:
                self.recorded[row].append(observation)
        self.over |= expected.terminated
        if not self.plain.spec.cloneable:
            self.over |= expected.truncated

    def stacked(self, frames: int) -> Tensor:
        """Return the last `frames` recorded observations of each row, after zeros."""
        zero = torch.zeros_like(self.recorded[0][0])
        lists = [[*[zero] * frames, *one][-frames:] for one in self.recorded]
        return torch.stack([torch.cat(one) for one in lists])


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_stacks_the_last_observations_oldest_first_and_is_constant_after_the_end(
    config: Any, frames: int
) -> None:
    game = Games(History(environment=config, frames=frames))
    for _ in range(45):
        observation = game.wrapped.observe(game.state)
        assert observation.dtype == game.recorded[0][0].dtype
        assert torch.equal(observation, game.stacked(frames))
        game.step()
    assert bool(game.over.any())


def test_truncated_states_of_a_cloneable_environment_can_be_stepped() -> None:
    config = CartPole(max_steps=3)
    game = Games(History(environment=config, frames=1))
    for _ in range(6):
        game.step()
        assert torch.equal(game.wrapped.observe(game.state), game.plain.observe(game.plain_state))


def test_past_frames_are_relative_to_the_player_to_move_at_that_time() -> None:
    """Moves 4 and 0; the player to move is the one who played 4."""
    environment, g = History(frames=3).build(), Generator()
    state = environment.reset(1, g)
    for cell in (4, 0):
        state, _ = environment.step(state, torch.tensor([cell]), g)
    initial, after_one, now = environment.observe(state)[0].flatten(1).long().split(3)
    assert [plane.sum() for plane in initial] == [0, 0, 9]
    own, other, _ = after_one  # observed by the second player: the stone at 4 is the opponent's
    assert (own.sum(), other.nonzero().flatten().tolist()) == (0, [4])
    own, other, _ = now
    assert (own.nonzero().tolist(), other.nonzero().tolist()) == ([[4]], [[0]])


def test_rows_of_states_can_be_gathered_and_selected() -> None:
    game = Games(History(frames=3))
    initial = game.state
    for _ in range(3):
        game.step()
    expected, wrapped = game.stacked(3), game.wrapped
    assert torch.equal(
        wrapped.observe(gather(game.state, torch.tensor([4, 1]))), expected[torch.tensor([4, 1])]
    )
    mask = torch.arange(BATCH) % 2 == 0
    mixed = wrapped.observe(where(mask, game.state, initial))
    assert torch.equal(mixed, expected.where(mask[:, None, None, None], wrapped.observe(initial)))


# --- configuration -------------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_spec_differs_from_the_wrapped_one_only_in_the_observation(
    config: EnvironmentConfig,
) -> None:
    plain, spec = config.spec(), History(environment=config, frames=3).spec()
    channels, *board = plain.observation
    assert spec.name == f"history:{plain.name}"
    assert spec.observation == (3 * channels, *board)
    assert not spec.oracle
    assert not spec.enumerable
    assert spec.observes_history
    assert plain == replace(
        spec,
        name=plain.name,
        observation=plain.observation,
        observes_history=plain.observes_history,
        oracle=plain.oracle,
        enumerable=plain.enumerable,
    )


def test_discount_is_shared_wherever_it_is_set() -> None:
    for config in (
        History(discount=0.9),
        History(environment=TicTacToe(discount=0.9)),
        History(discount=0.9, environment=TicTacToe(discount=0.9)),
    ):
        assert config.discount == config.environment.discount == 0.9
    environment, g = History(discount=0.9).build(), Generator()
    _, transition = environment.step(environment.reset(1, g), torch.tensor([0]), g)
    assert transition.discount.tolist() == [pytest.approx(-0.9)]
    assert History().discount == History().environment.discount == 1.0
    deep = History(discount=0.5, environment=History(environment=CartPole(max_steps=7)))
    assert deep.environment.environment.discount == 0.5  # type: ignore[attr-defined]
    assert deep.environment.environment.max_steps == 7  # type: ignore[attr-defined]


def test_two_different_discounts_are_rejected_with_both_names() -> None:
    entry = "{name: history, discount: 0.8, environment: {name: tic_tac_toe, discount: 0.9}}"
    problem = problems_of(f"preset: muzero\nenvironment: {entry}\n")[0]
    assert problem.startswith("t.yaml:2: environment: ")
    message = (
        "'history' has discount 0.8, but the wrapped environment 'tic_tac_toe' has discount 0.9"
    )
    assert message in problem


def test_invalid_discount_is_reported_at_its_key() -> None:
    for text, key in (
        ("{name: history, discount: 2.0}", "environment.discount"),
        (
            "{name: history, environment: {name: cartpole, discount: 2.0}}",
            "environment.environment.discount",
        ),
    ):
        problem = problems_of(f"preset: muzero\nenvironment: {text}\n")[0]
        assert problem.startswith(f"t.yaml:2: {key}: input should be less than or equal to 1")


# --- several agents ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counter:
    """An environment of two agents that each observe [number of steps, their own number]."""

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


def test_each_agent_has_its_own_history() -> None:
    spec = replace(Counter.spec, name="history:counter", observation=(6,))
    environment, g = HistoryEnvironment(spec, Counter(), 3), Generator()
    state, _ = environment.step(environment.reset(1, g), torch.zeros(1, 2), g)
    assert environment.observe(state).tolist() == [[[0, 0, 1, 10, 2, 10], [0, 0, 1, 20, 2, 20]]]


# --- in a trial ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [Gymnasium(id="CartPole-v1"), MinAtar()], ids=named)
def test_restored_environments_continue_as_if_never_saved(config: Any, tmp_path: Path) -> None:
    game = Games(History(environment=config, frames=3))
    for _ in range(12):
        game.step()
    saved: Any = game.wrapped.save(game.state)
    contents = {"id": "", "schema": 0, "procedure": tree_leaves(saved)}
    checkpoint.save(tmp_path / "c.pt", contents)
    stored = checkpoint.load(tmp_path / "c.pt")
    assert stored is not None
    game.wrapped = History(environment=config, frames=3).build()
    game.state = game.wrapped.restore(tree_unflatten(saved, stored["procedure"]))
    for _ in range(20):
        assert torch.equal(game.wrapped.observe(game.state), game.stacked(3))
        game.step()


def configure(environment: Any, **overrides: Any) -> TrialConfig:
    small: dict[str, Any] = {
        "preset": "muzero",
        "environment": environment,
        "measures": {"predictive": None, "decision": None},
        "planner.q_normalisation": "min_max",
        "planner.simulations": 4,
        "procedure.random_start.fraction": 0.0,
        "procedure.steps": 160,
        "procedure.parallel_environments": 8,
        "procedure.batch_size": 8,
        "procedure.warm_up": 64,
        "procedure.replay_ratio": 0.5,
        "evaluate_every": 4,
    }
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return read_trial(wrap(small | dotted, SourceLocation("test")))


CARTS = {"name": "history", "environment": {"name": "cartpole", "max_steps": 15}, "discount": 0.99}
SCALARS = {"name": "mlp", "value.kind": "scalar", "reward.kind": "scalar"}
GAMES = {"name": "history", "environment": "tic_tac_toe", "frames": 3}
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
        configure(GAMES, procedure__random_start__fraction=0.5),
        configure(GAMES, **TRUE),
    ],
    ids=["cart", "learned", "true"],
)
def test_resumed_trial_equals_an_uninterrupted_one(config: TrialConfig, tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    run_trial(config, whole)
    run_in_two(config, resumed)
    assert (whole / "metrics.jsonl").read_bytes() == (resumed / "metrics.jsonl").read_bytes()
    states: list[Any] = [checkpoint.load(f / "checkpoint.pt") for f in (whole, resumed)]
    first, second = (tree_leaves(s["procedure"]["learner"]["model"]) for s in states)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_true_dynamics_observe_histories() -> None:
    parts = build(configure(GAMES, **TRUE))
    game, g = Games(History(frames=3)), Generator()
    model = parts.model
    latent = model.represent(game.wrapped.observe(game.state), g, game.state)
    for cell in (4, 0, 8):
        action = torch.full((BATCH,), cell)
        latent, _ = model.step(latent, action, g)
        game.plain_state, _ = game.plain.step(game.plain_state, action, g)
        for row, observation in enumerate(game.plain.observe(game.plain_state)):
            game.recorded[row].append(observation)
        expected = model.represent(game.stacked(3), g, latent.state)
        assert torch.equal(latent.latent, expected.latent)
        assert torch.equal(model.predict(latent).legal, game.plain.legal(game.plain_state))


def test_configuration_survives_dump_and_read() -> None:
    config = configure(CARTS, targets__value="n_step", model__prediction=SCALARS)
    again = read_trial(wrap(dump(config), SourceLocation("again")))
    assert again == config
    assert identity(again) == identity(config)
