"""Environments that cannot be named, or whose rewards, rules or graphs do not fit the model."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations, permutations
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch
from torch import Generator

from tests.workbench.fakes import problems_of
from workbench.components import Incompatible
from workbench.config import read_trial
from workbench.documents import parse
from workbench.environments.gymnasium import Gymnasium
from workbench.environments.openspiel import OpenSpiel
from workbench.models.boards import check_rewirable
from workbench.types import EnvironmentSpec, Graph

INPUTS = Path(__file__).parent / "inputs"
UNMEASURED = "measures: {predictive: null, decision: null}\nprocedure.random_start.fraction: 0.0\n"


@pytest.fixture(autouse=True)
def _own_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(INPUTS)


# Values and rewards that the atoms cannot represent


def test_bounds_of_the_environment_outside_the_atoms_are_refused() -> None:
    problems = problems_of(f"preset: muzero\nenvironment: collect\n{UNMEASURED}")
    assert len(problems) == 2
    assert "values from -1 to 1" in problems[0]
    assert "between -6 and 8" in problems[0]  # 12 steps of -0.5; 4 goals of 2
    assert "set `value: {low: -6.0, high: 8.0}`" in problems[0]
    assert "rewards from -1 to 1" in problems[1]
    assert "between -0.5 and 2" in problems[1]


@pytest.mark.parametrize(
    "heads",
    [
        "{value: {low: -6.0, high: 8.0}, reward: {low: -0.5, high: 2.0}}",
        "{value: {kind: symlog}, reward: {kind: scalar}}",
    ],
)
def test_heads_that_represent_the_bounds_are_accepted(heads: str) -> None:
    text = f"preset: muzero\nenvironment: collect\nmodel.prediction: {heads}\n{UNMEASURED}"
    assert problems_of(text) == []


@pytest.mark.parametrize("name", ["cartpole", "acrobot", "mountain_car", "four_rooms", "collect"])
def test_rewards_of_random_play_lie_within_the_stated_bounds(name: str) -> None:
    document = f"preset: muzero_cartpole\nenvironment: {name}\n{UNMEASURED}"
    heads = "model.prediction: {value: {kind: scalar}, reward: {kind: scalar}}\n"
    environment = read_trial(parse(document + heads, "t.yaml")).environment.build()
    assert environment.spec.reward_bounds is not None
    generator, rewards = Generator().manual_seed(0), []
    state = environment.reset(32, generator)
    for _ in range(60):
        action = torch.randint(environment.spec.actions, (32,), generator=generator)
        state, transition = environment.step(state, action, generator)
        rewards.append(transition.reward)
    low, high = environment.spec.reward_bounds
    assert low <= torch.cat(rewards).min()
    assert torch.cat(rewards).max() <= high


# Rules


def test_connect_four_without_a_possible_line_is_refused() -> None:
    entry = "environment: {name: connect_four, rows: 3, columns: 3, in_line: 4}\n"
    (problem,) = problems_of(f"preset: muzero\n{entry}{UNMEASURED}")
    assert "in_line 4 exceeds both sides of the board; allowed are 1 to 3" in problem


def test_chess_is_accepted_although_openspiels_second_player_begins() -> None:
    text = f"preset: muzero\nenvironment: {{name: openspiel, game: chess}}\n{UNMEASURED}"
    assert problems_of(text) == []


def test_chess_equals_openspiels_own_games() -> None:
    import pyspiel

    environment = OpenSpiel(game="chess").build()
    single = pyspiel.load_game("chess").new_initial_state()
    # Fool's mate: the second mover wins, so the last move has reward 1.

    played: list[int] = []
    for san in ("f3", "e5", "g4", "Qh4#"):
        played.append(single.string_to_action(san))
        single.apply_action(played[-1])

    state = environment.reset(1, Generator())
    one = pyspiel.load_game("chess").new_initial_state()
    for move in played:
        player = one.current_player()
        expected = np.asarray(one.observation_tensor(player), np.float32)
        observed = environment.observe(state)[0].float().numpy()
        np.testing.assert_array_equal(observed[:-1].ravel(), expected)
        assert (observed[-1] == player).all()
        one.apply_action(move)
        state, transition = environment.step(state, torch.tensor([move]), Generator())
        assert transition.reward.item() == one.player_reward(player)
    assert single.is_terminal()
    assert transition.reward.item() == 1
    assert transition.terminated.item()


# Control graphs that cannot be drawn


@pytest.mark.parametrize("part", ["representation", "dynamics"])
def test_shuffled_edges_of_a_board_without_a_possible_swap_are_refused(part: str) -> None:
    parts = {"representation": "{name: gcn, width: 8, depth: 1, latent_kind: nodes",
             "dynamics": "{name: gcn, width: 8"}  # fmt: skip
    lines = [
        f"model.{name}: {text}{', edges: shuffled' if name == part else ''}}}\n"
        for name, text in parts.items()
    ]
    text = f"preset: muzero\nenvironment: {{name: hex, size: 2}}\n{''.join(lines)}{UNMEASURED}"
    problems = problems_of(text)
    assert len(problems) == 1
    assert f"{part} 'gcn': the edges of graph 'neighbours' of environment 'hex'" in problems[0]


def swappable(graph: networkx.Graph[int]) -> bool:
    """Whether some other simple graph arises by exchanging the ends of two edges."""
    for first, second in combinations(graph.edges, 2):
        for a, b, c, d in permutations((*first, *second)):
            if {a, b} != set(first) or len({a, b, c, d}) < 4:
                continue
            if not graph.has_edge(a, c) and not graph.has_edge(b, d):
                return True
    return False


def test_exactly_the_graphs_without_a_swap_are_refused() -> None:
    for index, graph in enumerate(networkx.graph_atlas_g()[:400]):
        edges = tuple((a, b) for edge in graph.edges for a, b in (edge, edge[::-1]))
        spec = EnvironmentSpec("atlas", (2,), 2, graphs={"g": Graph(len(graph), edges)})
        refused = False
        try:
            check_rewirable("test", spec, "g")
        except Incompatible:
            refused = True
        assert refused != swappable(graph), index


# Third-party environments by the names that Gymnasium gives them


def test_environment_of_a_module_is_made() -> None:
    spec = Gymnasium(id="registered.games:faults/Short-v0").spec()
    assert (spec.observation, spec.actions) == ((2,), 2)


def test_wrapper_makes_a_vector_of_a_dict() -> None:
    name = "registered.games:faults/Keyed-v0"
    with pytest.raises(Incompatible, match=r"observation space Dict.*add `wrappers`"):
        Gymnasium(id=name).spec()
    config = Gymnasium(id=name, wrappers=["FlattenObservation"])
    assert config.spec().observation == (5,)
    environment = config.build()
    state = environment.reset(1, Generator().manual_seed(0))
    # Gymnasium flattens the keys in alphabetical order, and Discrete(3) to one-hot.
    assert environment.observe(state).tolist() == [[0, 0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("name", "wrappers", "message"),
    [
        ("registered.games:faults/Shirt-v0", [], "did you mean 'faults/Short-v0'"),
        ("no_such_module:Short-v0", [], "cannot import 'no_such_module'.*PYTHONPATH"),
        ("CartPole-v1", ["FlatenObservation"], "did you mean 'FlattenObservation'"),
        ("CartPole-v1", ["registered.games:Absent"], "registered.games has no wrapper 'Absent'"),
    ],
)
def test_wrong_name_is_answered_with_the_way_out(
    name: str, wrappers: list[str], message: str
) -> None:
    with pytest.raises(Incompatible, match=message):
        Gymnasium(id=name, wrappers=wrappers).spec()


def test_atari_is_known_by_gymnasiums_id() -> None:
    pytest.importorskip("ale_py")
    code = (
        "from workbench.environments.gymnasium import Gymnasium\n"
        "print(Gymnasium(id='ALE/Pong-v5').spec().actions)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "6"
