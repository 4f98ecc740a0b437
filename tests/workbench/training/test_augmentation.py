"""Turned windows against the windows of turned games, as the environments play them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.training.histories import episodes_of
from workbench.registry import components
from workbench.training.augmentation import Augmentation
from workbench.training.replay_buffer import Episodes, ReplayBuffer
from workbench.types import Environment, Symmetry

UNROLL = 3


def play(environment: Environment, actions: list[int], policies: list[Tensor]) -> Episodes:
    """The episode of these moves, as the actor stores it."""
    g = Generator().manual_seed(0)
    state, rows = environment.reset(1, g), []
    for action, policy in zip(actions, policies, strict=True):
        then, transition = environment.step(state, torch.tensor([action]), g)
        rows.append([state, action, policy, transition.reward, transition.discount])
        state = then
    shown = [environment.observe(row[0])[0] for row in rows] + [environment.observe(state)[0]]
    legal = [environment.legal(row[0])[0] for row in rows] + [environment.legal(state)[0]]
    nothing = torch.zeros(1)
    rewards = [row[3] for row in rows] + [nothing]
    discounts = [row[4] for row in rows] + [nothing]
    tensors = {
        "observation": torch.stack(shown),
        "action": torch.tensor([*actions, 0]),
        "legal": torch.stack(legal),
        "policy": torch.stack([*policies, torch.zeros_like(policies[0])]),
        "reward": torch.cat(rewards),
        "discount": torch.cat(discounts),
        "value": torch.arange(len(actions) + 1.0),
    }
    ended = transition.terminated
    return episodes_of(tensors, [len(actions)], ended.tolist())


def filled(capacity: int, episodes: Episodes) -> ReplayBuffer:
    replay = ReplayBuffer(capacity, episodes.steps.layout)
    replay.add(episodes)
    return replay


def random_game(environment: Environment, seed: int) -> tuple[list[int], list[Tensor]]:
    g = Generator().manual_seed(seed)
    state, actions, policies = environment.reset(1, g), [], []
    ended = torch.tensor([False])
    while not bool(ended):
        legal = environment.legal(state).float()
        policy = torch.rand(legal.shape, generator=g) * legal
        action = torch.multinomial(legal, 1, generator=g).squeeze(1)
        state, transition = environment.step(state, action, g)
        ended = transition.terminated
        actions.append(int(action))
        policies.append((policy / policy.sum())[0])
    return actions, policies


def turned_policy(policy: Tensor, symmetry: Symmetry) -> Tensor:
    turned = torch.zeros_like(policy)
    for action, becomes in enumerate(symmetry.actions):
        turned[becomes] = policy[action]
    return turned


@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("tic_tac_toe", {}, 8),
        ("connect_four", {"rows": 4, "columns": 5}, 2),
        ("breakthrough", {"rows": 4, "columns": 4}, 2),
    ],
)
def test_transformed_window_equals_the_window_of_the_transformed_game(
    name: str, options: dict[str, Any], count: int
) -> None:
    config: Any = components("environment")[name](**options)
    environment: Environment = config.build()
    symmetries = environment.spec.symmetries
    assert len(symmetries) == count
    turn = Augmentation(symmetries)
    for seed in range(3):
        actions, policies = random_game(environment, seed)
        plain = filled(500, play(environment, actions, policies))
        window = plain.window(plain.starts, UNROLL, 1, Generator().manual_seed(3))
        for number, symmetry in enumerate(symmetries):
            moves = [symmetry.actions[action] for action in actions]
            turned = [turned_policy(p, symmetry) for p in policies]
            other = filled(500, play(environment, moves, turned))
            expected = other.window(other.starts, UNROLL, 1, Generator())
            found = turn.transform(window, torch.full((len(plain),), number))
            for field in ("observation", "legal", "policy", "reward", "value", "steps_to_end"):
                assert torch.equal(getattr(found, field), getattr(expected, field)), field
            inside = torch.arange(UNROLL) < window.steps_to_end[:, None]
            assert torch.equal(found.action[inside], expected.action[inside])
            # What was drawn past the end is turned like any other move.
            past = [symmetry.actions[a] for a in window.action[~inside].tolist()]
            assert found.action[~inside].tolist() == past


def test_each_row_gets_a_symmetry_drawn_uniformly() -> None:
    environment: Any = components("environment")["tic_tac_toe"]().build()  # type: ignore[attr-defined]
    turn = Augmentation(environment.spec.symmetries)
    replay = filled(20, play(environment, *random_game(environment, 1)))
    rows = 4000
    window = replay.window(torch.zeros(rows).long(), 0, 0, Generator())
    # All entries of a policy differ, so that each symmetry gives another.
    window.policy[:] = torch.arange(9.0)
    found = turn(window, Generator().manual_seed(0)).policy[:, 0]
    kinds, counts = found.unique(dim=0, return_counts=True)
    assert len(kinds) == 8
    assert all(abs(n - rows / 8) < 5 * (rows * 7 / 64) ** 0.5 for n in counts.tolist())
