"""Grid environments, compared with independent rules, shortest paths and solvers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import networkx as nx
import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from torch import Generator, Tensor

from tests.workbench.fakes import problems_of, trial
from workbench.environments.collect import Collect
from workbench.environments.four_rooms import FourRooms
from workbench.environments.maze import Maze
from workbench.errors import ConfigError
from workbench.measures.exact.solved_sequences import optimal_moves
from workbench.measures.prediction.evaluation_set import SOURCES
from workbench.trial import run_trial

Cell = tuple[int, int]

OFFSETS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Offset of each action: up, down, left, right."""

DOORS = {(3, 6), (6, 2), (7, 9), (10, 6)}
ROOMS = {
    (y, x)
    for rows, columns in (
        (range(1, 6), range(1, 6)),
        (range(1, 7), range(7, 12)),
        (range(7, 12), range(1, 6)),
        (range(8, 12), range(7, 12)),
    )
    for y in rows
    for x in columns
} | DOORS

GOALS: list[Any] = [
    FourRooms(),
    FourRooms(goal=[1, 1], discount=0.9),
    FourRooms(discount=1.0),
    Maze(),
    Maze(size=9, level=3, holes=4, discount=0.5),
]
COLLECTS = [
    Collect(),
    Collect(size=5, goals=2, steps=6, discount=1.0),
    Collect(size=7, goals=5, steps=16, holes=0, level=2),
]
ALL: list[Any] = [*GOALS, *COLLECTS]


def named(config: Any) -> str:
    return f"{config.component}-{'-'.join(str(v) for v in config.model_dump().values())}"


def cells_of(plane: Tensor) -> list[Cell]:
    return [(int(y), int(x)) for y, x in plane.nonzero()]


def agent_cells(environment: Any, state: Tensor) -> list[Cell]:
    """Return the agents' cells, read from the observations."""
    return [cells_of(planes[1])[0] for planes in environment.observe(state)]


def free_cells(environment: Any) -> set[Cell]:
    """Return the cells without wall, read from an observation."""
    planes = environment.observe(environment.reset(1, Generator().manual_seed(1)))[0]
    return set(cells_of(planes[0] == 0))


def next_cell(cell: Cell, action: int, free: set[Cell]) -> Cell:
    target = cell[0] + OFFSETS[action][0], cell[1] + OFFSETS[action][1]
    return target if target in free else cell


def cell_graph(free: set[Cell]) -> Any:
    """Return the networkx graph of adjacent free cells."""
    graph = nx.Graph((cell, next_cell(cell, action, free)) for cell in free for action in range(4))
    graph.remove_edges_from(nx.selfloop_edges(graph))
    return graph


def reachable_states(environment: Any) -> set[int]:
    """Return all states reachable from the initial states, including terminal ones.

    If the state contains a step count, return the cells only.
    """
    g, size = Generator().manual_seed(2), environment._tables.size
    frontier = set((environment.reset(5000, g) % size).tolist())
    found: set[int] = set()
    while frontier:
        found |= frontier
        states = torch.tensor(sorted(frontier))
        successors = [
            environment.step(states, torch.full_like(states, action), g)[0] % size
            for action in range(4)
        ]
        frontier = set(torch.cat(successors).tolist()) - found
    return found


# --- one goal ------------------------------------------------------------------------------------


def test_four_rooms_have_104_cells_and_four_doors() -> None:
    environment = FourRooms().build()
    assert free_cells(environment) == ROOMS
    assert len(ROOMS) == 104
    assert set(agent_cells(environment, environment.positions())) == ROOMS - {(7, 9)}
    # Without the doors there are four connected components.
    assert nx.number_connected_components(cell_graph(ROOMS - DOORS)) == 4
    assert nx.number_connected_components(cell_graph(ROOMS)) == 1


@pytest.mark.parametrize("config", GOALS, ids=named)
def test_action_value_is_gamma_to_the_shortest_remaining_path(config: Any) -> None:
    environment = config.build()
    free, goal = free_cells(environment), config._goal()
    distance = nx.single_source_shortest_path_length(cell_graph(free), goal)
    positions = environment.positions()
    cells, values = agent_cells(environment, positions), environment.q(positions).tolist()
    for cell, q in zip(cells, values, strict=True):
        expected = [
            config.discount ** distance[next_cell(cell, action, free)] for action in range(4)
        ]
        assert q == pytest.approx(expected, abs=1e-6), cell


@pytest.mark.parametrize("config", GOALS, ids=named)
def test_steps_follow_the_walls_and_end_at_the_goal(config: Any) -> None:
    environment, g = config.build(), Generator().manual_seed(3)
    free, goal, gamma = free_cells(environment), config._goal(), config.discount
    state, outcomes = environment.reset(40, g), set()
    assert goal not in agent_cells(environment, state)
    for step in range(1, config.max_steps + 20):
        before = agent_cells(environment, state)
        assert environment.legal(state).all(1).tolist() == [cell != goal for cell in before]
        action = torch.randint(4, (40,), generator=g)
        state, transition = environment.step(state, action, g)
        after = agent_cells(environment, state)
        for row, (cell, reached) in enumerate(zip(before, after, strict=True)):
            ended = reached == goal
            assert reached == (goal if cell == goal else next_cell(cell, int(action[row]), free))
            assert float(transition.reward[row]) == float(ended and cell != goal)
            assert float(transition.discount[row]) == pytest.approx(0.0 if ended else gamma)
            assert bool(transition.terminated[row]) == ended
            assert bool(transition.truncated[row]) == (step >= config.max_steps and not ended)
            outcomes |= {ended}
    assert outcomes == {True, False}


@pytest.mark.parametrize("slip", [0.2, 1 / 3])
def test_action_values_with_slip_solve_the_linear_program_of_the_mdp(slip: float) -> None:
    """Compare with the primal linear program of the MDP (Puterman 1994, section 6.9) in scipy."""
    gamma, goal = 0.95, (7, 9)
    environment = FourRooms(slip=slip, discount=gamma).build()
    cells = sorted(ROOMS)
    number = {cell: n for n, cell in enumerate(cells)}
    transitions, reward = np.zeros((len(cells), 4, len(cells))), np.zeros((len(cells), 4))
    for cell in ROOMS - {goal}:
        for chosen in range(4):
            for executed in range(4):
                probability = 1 - slip if executed == chosen else slip / 3
                successor = next_cell(cell, executed, ROOMS)
                transitions[number[cell], chosen, number[successor]] += probability
                reward[number[cell], chosen] += probability * (successor == goal)
    transitions[:, :, number[goal]] = 0  # the goal is terminal
    constraints = gamma * transitions - np.eye(len(cells))[:, None]
    solution = linprog(np.ones(len(cells)), constraints.reshape(-1, len(cells)), -reward.flatten())
    positions = environment.positions()
    rows = [number[cell] for cell in agent_cells(environment, positions)]
    expected = (reward + gamma * transitions @ solution.x)[rows]
    assert environment.q(positions).numpy() == pytest.approx(expected, abs=1e-6)


def test_slips_have_the_configured_probability_and_are_uniform() -> None:
    environment, g, count = FourRooms(slip=0.3).build(), Generator().manual_seed(4), 40_000
    index = agent_cells(environment, environment.positions()).index((3, 3))
    state, _ = environment.step(
        environment.positions()[[index]].repeat(count), torch.zeros(count, dtype=torch.int64), g
    )
    reached = agent_cells(environment, state)
    for action, share in enumerate((0.7, 0.1, 0.1, 0.1)):
        frequency = reached.count(next_cell((3, 3), action, ROOMS)) / count
        assert abs(frequency - share) < 5 * (share * (1 - share) / count) ** 0.5


def test_slip_removes_the_oracle_and_rejects_true_dynamics() -> None:
    assert FourRooms().spec().oracle
    assert not FourRooms(slip=0.1).spec().oracle
    with pytest.raises(ConfigError, match=r"environment 'four_rooms' with slip .* dynamics 'true'"):
        grid_trial(
            {"name": "four_rooms", "slip": 0.1},
            {
                "model.dynamics": "true",
                "losses": {"reward": None, "termination": None},
                "planner.interior_legality": True,
                "measures": {"predictive": None},
            },
        )


# --- mazes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize(("size", "holes"), [(5, 0), (9, 0), (9, 3), (15, 6)])
def test_number_of_cycles_of_a_maze_is_the_number_of_holes(
    size: int, holes: int, level: int
) -> None:
    free = free_cells(Maze(size=size, level=level, holes=holes).build())
    graph = cell_graph(free)
    assert nx.is_connected(graph)
    # Number of independent cycles of a connected graph: edges - nodes + 1.
    assert graph.number_of_edges() - graph.number_of_nodes() + 1 == holes
    assert len(free) == 2 * ((size - 1) // 2) ** 2 - 1 + holes
    assert {(y, x) for y in range(1, size, 2) for x in range(1, size, 2)} <= free
    assert all(0 < y < size - 1 and 0 < x < size - 1 for y, x in free)


def test_levels_have_different_and_stable_layouts() -> None:
    layouts = {frozenset(free_cells(Maze(level=level).build())) for level in range(20)}
    assert len(layouts) == 20
    # This layout must not change, because published results depend on it.
    picture = (
        "#########",
        "#.....#.#",
        "###.#.#.#",
        "#...#.#.#",
        "#.###.#.#",
        "#.#.....#",
        "#.#.#.#.#",
        "#.......#",
        "#########",
    )
    free = {(y, x) for y, line in enumerate(picture) for x, c in enumerate(line) if c == "."}
    assert free_cells(Maze(size=9, level=0, holes=3).build()) == free


# --- collect -------------------------------------------------------------------------------------


Situation = tuple[int, frozenset[Cell], Cell]
"""Remaining steps, remaining goals and the agent's cell."""


def situations(config: Collect, environment: Any, state: Tensor) -> list[Situation]:
    """Return the situations of a batch, read from the observations."""
    found = []
    for planes in environment.observe(state):
        (pixel,) = set(planes[3].flatten().tolist())
        remaining = [n for n in range(config.steps + 1) if 255 * n // config.steps == pixel]
        found.append((remaining[0], frozenset(cells_of(planes[2])), cells_of(planes[1])[0]))
    return found


def collect_step(
    situation: Situation, action: int, free: set[Cell]
) -> tuple[float, Situation, bool]:
    """Return reward, next situation and termination, with the rules of the paper's code."""
    time, goals, cell = situation
    target = next_cell(cell, action, free)
    reward = 2.0 if target in goals else -0.5 if target == cell else -0.2
    after = (time - 1, goals - {target}, target)
    return reward, after, after[0] == 0 or not after[1]


@pytest.mark.parametrize("config", COLLECTS, ids=named)
def test_episodes_of_collect_follow_the_rules(config: Collect) -> None:
    environment, g = config.build(), Generator().manual_seed(5)
    free, state = free_cells(environment), environment.reset(200, g)
    initial = situations(config, environment, state)
    assert {s[0] for s in initial} == {config.steps}
    assert {len(s[1]) for s in initial} == {config.goals}
    over, outcomes = [False] * 200, set()
    for _ in range(config.steps + 2):
        before = situations(config, environment, state)
        # Half of the rows play optimally, because random play never collects all goals.
        action = (
            environment.q(state)
            .argmax(-1)
            .where(torch.arange(200) < 100, torch.randint(4, (200,), generator=g))
        )
        state, transition = environment.step(state, action, g)
        after = situations(config, environment, state)
        for row, (situation, reached) in enumerate(zip(before, after, strict=True)):
            reward, expected, ends = collect_step(situation, int(action[row]), free)
            if over[row]:
                reward, expected, ends = 0.0, situation, True
            assert reached == expected
            assert float(transition.reward[row]) == pytest.approx(reward)
            assert bool(transition.terminated[row]) == ends
            assert float(transition.discount[row]) == pytest.approx(0 if ends else config.discount)
            outcomes |= {(ends, not reached[1])}
            over[row] = ends
        assert not transition.truncated.any()
    assert {(True, False), (True, True)} <= outcomes  # time ran out; all goals were collected


@pytest.mark.parametrize("config", COLLECTS, ids=named)
def test_action_values_of_collect_equal_a_recursive_solution(config: Collect) -> None:
    environment = config.build()
    free, positions = free_cells(environment), environment.positions()

    @cache
    def value(situation: Situation) -> float:
        return max(action_value(situation, action) for action in range(4))

    def action_value(situation: Situation, action: int) -> float:
        reward, after, ends = collect_step(situation, action, free)
        return reward if ends else reward + config.discount * value(after)

    expected = [
        [action_value(situation, action) for action in range(4)]
        for situation in situations(config, environment, positions)
    ]
    assert environment.q(positions).numpy() == pytest.approx(np.array(expected), abs=1e-5)
    values = [max(row) for row in expected]
    low, high = config.spec().bounds or (0.0, 0.0)
    assert low <= min(values) < max(values) <= high


def test_equal_action_values_have_identical_floats() -> None:
    """Without discount many paths have equal returns; compare with exact integer tenths."""
    config = Collect(discount=1.0)
    environment = config.build()
    free, positions = free_cells(environment), environment.positions()

    @cache
    def tenths(situation: Situation) -> int:
        return max(action_tenths(situation, action) for action in range(4))

    def action_tenths(situation: Situation, action: int) -> int:
        reward, after, ends = collect_step(situation, action, free)
        return round(10 * reward) + (0 if ends else tenths(after))

    best = optimal_moves(environment.q(positions))
    assert (best.sum(1) > 1).any()
    for situation, found in zip(
        situations(config, environment, positions), best.tolist(), strict=True
    ):
        values = [action_tenths(situation, action) for action in range(4)]
        assert found == [value == max(values) for value in values]


# --- all environments -----------------------------------------------------------------------------


@pytest.mark.parametrize("config", ALL, ids=named)
def test_positions_are_the_reachable_non_terminal_states_with_distinct_observations(
    config: Any,
) -> None:
    environment = config.build()
    positions = environment.positions()
    reached = torch.tensor(sorted(reachable_states(environment)))
    terminal = ~environment.legal(reached).any(1)
    assert torch.equal(positions, reached[~terminal])
    assert torch.equal(terminal, (environment.q(reached) == -torch.inf).all(1))
    observations = environment.observe(positions).flatten(1)
    assert len(observations.unique(dim=0)) == len(positions)
    assert environment.observe(positions).shape[1:] == config.spec().observation


@pytest.mark.parametrize("config", ALL, ids=named)
def test_initial_cells_are_uniform_over_the_cells_without_goal(config: Any) -> None:
    environment, count = config.build(), 20_000
    initial = environment.reset(count, Generator().manual_seed(6))
    goals = set(cells_of(environment.observe(initial[:1])[0, 2]))
    starts = free_cells(environment) - goals
    states, frequency = initial.unique(return_counts=True)
    assert set(agent_cells(environment, states)) == starts
    share = 1 / len(starts)
    assert (frequency / count - share).abs().max() < 5 * (share / count) ** 0.5


@pytest.mark.parametrize("config", ALL, ids=named)
def test_graphs_connect_adjacent_cells_and_passages_only_free_ones(config: Any) -> None:
    graphs, free = config.spec().graphs, free_cells(config.build())
    side = config.spec().observation[-1]
    all_cells = {(y, x) for y in range(side) for x in range(side)}
    for name, cells in (("neighbours", all_cells), ("passages", free)):
        expected = {
            (y * side + x, v * side + u)
            for y, x in cells
            for v, u in ((y + dy, x + dx) for dy, dx in OFFSETS)
            if (v, u) in cells
        }
        assert set(graphs[name].edges) == expected
        assert len(graphs[name].edges) == len(expected)
        assert graphs[name].nodes == side**2


def grid_trial(environment: dict[str, Any], overrides: dict[str, Any] | None = None) -> Any:
    base = {
        "preset": "muzero",
        "model.representation": {"name": "gcn", "width": 8, "depth": 1, "graph": "passages",
                                 "latent_kind": "nodes"},
        "model.dynamics": {"name": "gcn", "width": 8, "graph": "passages"},
        "model.prediction.width": 8,
        "model.prediction.value": {"low": -6.0, "high": 8.0},  # the bounds of Collect
        "model.prediction.reward": {"low": -0.5, "high": 2.0},
        "planner": {"name": "puct", "simulations": 4, "q_normalisation": "min_max"},
        "targets.value": {"name": "n_step", "steps": 3},
        "procedure.steps": 3000, "procedure.parallel_environments": 16, "procedure.batch_size": 16,
        "procedure.warm_up": 100, "procedure.replay_ratio": 0.2, "procedure.unroll": 3,
        "procedure.random_start.fraction": 0.0,
        "measures": {"predictive": {"depth": 2}, "decision": {}, "returns": {"episodes": 8}},
    }  # fmt: skip
    return trial({"environment": environment, **(overrides or {})}, base=base)


@pytest.mark.parametrize(
    ("environment", "positions"),
    [
        ({"name": "four_rooms", "max_steps": 30}, 103),
        ({"name": "maze", "size": 7}, 16),
        ({"name": "collect"}, len(Collect().build().positions())),
    ],
    ids=("four_rooms", "maze", "collect"),
)
def test_trial_trains_and_is_measured_on_every_position(
    environment: Any, positions: int, tmp_path: Any
) -> None:
    result = run_trial(grid_trial(environment), tmp_path)
    row = result["metrics"]
    for name in ("value", "policy", "reward", "termination"):
        assert np.isfinite([row[f"predictive/{name}_error@{depth}"] for depth in (1, 2)]).all()
    assert result["evaluation_set"]["positions"] == positions
    # From each position starts one sequence per source of actions.
    sequences = result["evaluation_set"]["counts"]["predictive/value_error"][0]
    assert sequences == len(SOURCES) * positions
    assert 0 <= row["decision/search_optimal_rate"] <= 1
    low, high = grid_trial(environment).environment.spec().bounds
    assert low <= row["decision/search_return"] <= high


def invalid_entries() -> Iterator[tuple[str, str]]:
    yield (
        "{name: four_rooms, goal: [0, 3]}",
        "environment.goal: [0, 3] is not a free cell",
    )
    yield "{name: four_rooms, goal: [7]}", "environment.goal"
    yield "{name: four_rooms, slip: 1.0}", "environment.slip"
    yield "{name: maze, size: 8}", "environment.size: a maze has an odd size"
    yield "{name: collect, size: 5, goals: 20}", "room for 1 to 7 goals"
    yield "{name: collect, goals: 12, steps: 40}", "MB; allowed are 256"


@pytest.mark.parametrize(("entry", "message"), invalid_entries())
def test_invalid_environment_is_reported_with_its_key(entry: str, message: str) -> None:
    text = f"preset: muzero\nenvironment: {entry}\nmeasures: {{decision: null}}\n"
    problems = problems_of(text)
    assert any(message in problem for problem in problems), problems
