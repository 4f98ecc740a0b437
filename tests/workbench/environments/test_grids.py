"""Worlds of walls and cells against rules, shortest paths and solvers written here or elsewhere."""

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

WAYS = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Up, down, left, right."""

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


def standing(worlds: Any, state: Tensor) -> list[Cell]:
    """The agents' cells, as they are seen."""
    return [cells_of(seen[1])[0] for seen in worlds.observe(state)]


def floor(worlds: Any) -> set[Cell]:
    """The cells without wall, as they are seen."""
    seen = worlds.observe(worlds.reset(1, Generator().manual_seed(1)))[0]
    return set(cells_of(seen[0] == 0))


def moved(cell: Cell, way: int, free: set[Cell]) -> Cell:
    there = cell[0] + WAYS[way][0], cell[1] + WAYS[way][1]
    return there if there in free else cell


def network(free: set[Cell]) -> Any:
    """networkx's graph over adjacent cells."""
    joined = nx.Graph((cell, moved(cell, way, free)) for cell in free for way in range(4))
    joined.remove_edges_from(nx.selfloop_edges(joined))
    return joined


def walked(worlds: Any) -> set[int]:
    """Every state that can be reached by moves from the beginnings, the terminal ones too.

    Of worlds that count moves, the places.
    """
    g, size = Generator().manual_seed(2), worlds._rules.size
    waiting = set((worlds.reset(5000, g) % size).tolist())
    found: set[int] = set()
    while waiting:
        found |= waiting
        here = torch.tensor(sorted(waiting))
        then = [worlds.step(here, torch.full_like(here, way), g)[0] % size for way in range(4)]
        waiting = set(torch.cat(then).tolist()) - found
    return found


# --- one goal ------------------------------------------------------------------------------------


def test_four_rooms_have_104_cells_and_four_doors() -> None:
    worlds = FourRooms().build()
    assert floor(worlds) == ROOMS
    assert len(ROOMS) == 104
    assert set(standing(worlds, worlds.positions())) == ROOMS - {(7, 9)}
    # Without its doors the house falls into four rooms.
    assert nx.number_connected_components(network(ROOMS - DOORS)) == 4
    assert nx.number_connected_components(network(ROOMS)) == 1


@pytest.mark.parametrize("config", GOALS, ids=named)
def test_a_move_is_worth_gamma_to_the_shortest_way_that_remains(config: Any) -> None:
    worlds = config.build()
    free, goal = floor(worlds), config._goal()
    away = nx.single_source_shortest_path_length(network(free), goal)
    places = worlds.positions()
    for cell, q in zip(standing(worlds, places), worlds.q(places).tolist(), strict=True):
        wanted = [config.discount ** away[moved(cell, way, free)] for way in range(4)]
        assert q == pytest.approx(wanted, abs=1e-6), cell


@pytest.mark.parametrize("config", GOALS, ids=named)
def test_moves_go_where_there_is_no_wall_until_the_goal(config: Any) -> None:
    worlds, g = config.build(), Generator().manual_seed(3)
    free, goal, gamma = floor(worlds), config._goal(), config.discount
    state, done = worlds.reset(40, g), set()
    assert goal not in standing(worlds, state)
    for step in range(1, config.max_steps + 20):
        before = standing(worlds, state)
        assert worlds.legal(state).all(1).tolist() == [cell != goal for cell in before]
        action = torch.randint(4, (40,), generator=g)
        state, told = worlds.step(state, action, g)
        for row, (cell, after) in enumerate(zip(before, standing(worlds, state), strict=True)):
            ended = after == goal
            assert after == (goal if cell == goal else moved(cell, int(action[row]), free))
            assert float(told.reward[row]) == float(ended and cell != goal)
            assert float(told.discount[row]) == pytest.approx(0.0 if ended else gamma)
            assert bool(told.terminated[row]) == ended
            assert bool(told.truncated[row]) == (step >= config.max_steps and not ended)
            done |= {ended}
    assert done == {True, False}


@pytest.mark.parametrize("slip", [0.2, 1 / 3])
def test_where_moves_slip_their_worth_solves_the_linear_program_of_the_problem(slip: float) -> None:
    """The least values that no move betters (Puterman 1994, section 6.9), found by scipy."""
    gamma, goal = 0.95, (7, 9)
    worlds = FourRooms(slip=slip, discount=gamma).build()
    cells = sorted(ROOMS)
    number = {cell: n for n, cell in enumerate(cells)}
    going, gain = np.zeros((len(cells), 4, len(cells))), np.zeros((len(cells), 4))
    for cell in ROOMS - {goal}:
        for chosen in range(4):
            for way in range(4):
                likely = 1 - slip if way == chosen else slip / 3
                then = moved(cell, way, ROOMS)
                going[number[cell], chosen, number[then]] += likely
                gain[number[cell], chosen] += likely * (then == goal)
    going[:, :, number[goal]] = 0  # nothing follows the end
    unlike = gamma * going - np.eye(len(cells))[:, None]
    found = linprog(np.ones(len(cells)), unlike.reshape(-1, len(cells)), -gain.flatten())
    places = worlds.positions()
    rows = [number[cell] for cell in standing(worlds, places)]
    wanted = (gain + gamma * going @ found.x)[rows]
    assert worlds.q(places).numpy() == pytest.approx(wanted, abs=1e-6)


def test_a_move_slips_as_often_as_is_said_and_each_other_way_alike() -> None:
    worlds, g, count = FourRooms(slip=0.3).build(), Generator().manual_seed(4), 40_000
    place = standing(worlds, worlds.positions()).index((3, 3))
    state, _ = worlds.step(
        worlds.positions()[[place]].repeat(count), torch.zeros(count, dtype=torch.int64), g
    )
    there = standing(worlds, state)
    for way, share in enumerate((0.7, 0.1, 0.1, 0.1)):
        seen = there.count(moved((3, 3), way, ROOMS)) / count
        assert abs(seen - share) < 5 * (share * (1 - share) / count) ** 0.5


def test_a_slippery_world_says_that_it_has_no_oracle_and_no_search_may_step_it() -> None:
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
def test_a_maze_has_as_many_ways_around_as_holes(size: int, holes: int, level: int) -> None:
    free = floor(Maze(size=size, level=level, holes=holes).build())
    joined = network(free)
    assert nx.is_connected(joined)
    # A connected graph has as many independent cycles as edges beyond those of a tree.
    assert joined.number_of_edges() - joined.number_of_nodes() + 1 == holes
    assert len(free) == 2 * ((size - 1) // 2) ** 2 - 1 + holes
    assert {(y, x) for y in range(1, size, 2) for x in range(1, size, 2)} <= free
    assert all(0 < y < size - 1 and 0 < x < size - 1 for y, x in free)


def test_a_level_is_a_layout() -> None:
    layouts = {frozenset(floor(Maze(level=level).build())) for level in range(20)}
    assert len(layouts) == 20
    # As it was when the world was made: results of studies are about these walls.
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
    assert floor(Maze(size=9, level=0, holes=3).build()) == free


# --- collect -------------------------------------------------------------------------------------


Situation = tuple[int, frozenset[Cell], Cell]
"""Moves that are left, goals that are left, the agent's cell."""


def situations(config: Collect, worlds: Any, state: Tensor) -> list[Situation]:
    """As they are seen."""
    found = []
    for seen in worlds.observe(state):
        (shade,) = set(seen[3].flatten().tolist())
        left = [n for n in range(config.steps + 1) if 255 * n // config.steps == shade]
        found.append((left[0], frozenset(cells_of(seen[2])), cells_of(seen[1])[0]))
    return found


def collected(situation: Situation, way: int, free: set[Cell]) -> tuple[float, Situation, bool]:
    """Reward, what follows, and whether it is the end: the rules of the authors' program."""
    time, goals, cell = situation
    then = moved(cell, way, free)
    reward = 2.0 if then in goals else -0.5 if then == cell else -0.2
    after = (time - 1, goals - {then}, then)
    return reward, after, after[0] == 0 or not after[1]


@pytest.mark.parametrize("config", COLLECTS, ids=named)
def test_episodes_of_collect_follow_the_rules(config: Collect) -> None:
    worlds, g = config.build(), Generator().manual_seed(5)
    free, state = floor(worlds), worlds.reset(200, g)
    begun = situations(config, worlds, state)
    assert {s[0] for s in begun} == {config.steps}
    assert {len(s[1]) for s in begun} == {config.goals}
    over, ways = [False] * 200, set()
    for _ in range(config.steps + 2):
        before = situations(config, worlds, state)
        # Half of them as best they can: else nobody collects all.
        action = (
            worlds.q(state)
            .argmax(-1)
            .where(torch.arange(200) < 100, torch.randint(4, (200,), generator=g))
        )
        state, told = worlds.step(state, action, g)
        for row, (here, there) in enumerate(
            zip(before, situations(config, worlds, state), strict=True)
        ):
            reward, wanted, ends = collected(here, int(action[row]), free)
            if over[row]:
                reward, wanted, ends = 0.0, here, True
            assert there == wanted
            assert float(told.reward[row]) == pytest.approx(reward)
            assert bool(told.terminated[row]) == ends
            assert float(told.discount[row]) == pytest.approx(0 if ends else config.discount)
            ways |= {(ends, not there[1])}
            over[row] = ends
        assert not told.truncated.any()
    assert {(True, False), (True, True)} <= ways  # time was up, and all were collected


@pytest.mark.parametrize("config", COLLECTS, ids=named)
def test_every_move_of_collect_is_worth_what_recursion_finds(config: Collect) -> None:
    worlds = config.build()
    free, places = floor(worlds), worlds.positions()

    @cache
    def worth(situation: Situation) -> float:
        return max(of_move(situation, way) for way in range(4))

    def of_move(situation: Situation, way: int) -> float:
        reward, after, ends = collected(situation, way, free)
        return reward if ends else reward + config.discount * worth(after)

    seen = situations(config, worlds, places)
    wanted = [[of_move(situation, way) for way in range(4)] for situation in seen]
    assert worlds.q(places).numpy() == pytest.approx(np.array(wanted), abs=1e-5)
    values = [max(row) for row in wanted]
    low, high = config.spec().bounds or (0.0, 0.0)
    assert low <= min(values) < max(values) <= high


def test_moves_of_the_same_worth_are_the_same_number() -> None:
    """Undiscounted, many orders of the same rewards are as good: counted in tenths, exactly."""
    config = Collect(discount=1.0)
    worlds = config.build()
    free, places = floor(worlds), worlds.positions()

    @cache
    def tenths(situation: Situation) -> int:
        return max(of_move(situation, way) for way in range(4))

    def of_move(situation: Situation, way: int) -> int:
        reward, after, ends = collected(situation, way, free)
        return round(10 * reward) + (0 if ends else tenths(after))

    best = optimal_moves(worlds.q(places))
    assert (best.sum(1) > 1).any()
    for situation, found in zip(situations(config, worlds, places), best.tolist(), strict=True):
        worth = [of_move(situation, way) for way in range(4)]
        assert found == [w == max(worth) for w in worth]


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("config", ALL, ids=named)
def test_listed_is_what_can_be_reached_and_no_two_look_alike(config: Any) -> None:
    worlds = config.build()
    places, reached = worlds.positions(), torch.tensor(sorted(walked(worlds)))
    over = ~worlds.legal(reached).any(1)
    assert torch.equal(places, reached[~over])
    assert torch.equal(over, (worlds.q(reached) == -torch.inf).all(1))
    shown = worlds.observe(places).flatten(1)
    assert len(shown.unique(dim=0)) == len(places)
    assert worlds.observe(places).shape[1:] == config.spec().observation


@pytest.mark.parametrize("config", ALL, ids=named)
def test_episodes_begin_anywhere_else_alike(config: Any) -> None:
    worlds, count = config.build(), 20_000
    begun = worlds.reset(count, Generator().manual_seed(6))
    goals = set(cells_of(worlds.observe(begun[:1])[0, 2]))
    starts = floor(worlds) - goals
    where, often = begun.unique(return_counts=True)
    assert set(standing(worlds, where)) == starts
    share = 1 / len(starts)
    assert (often / count - share).abs().max() < 5 * (share / count) ** 0.5


@pytest.mark.parametrize("config", ALL, ids=named)
def test_graphs_join_adjacent_cells_and_passages_are_those_without_wall(config: Any) -> None:
    graphs, free = config.spec().graphs, floor(config.build())
    side = config.spec().observation[-1]
    everywhere = {(y, x) for y in range(side) for x in range(side)}
    for name, cells in (("neighbours", everywhere), ("passages", free)):
        wanted = {
            (y * side + x, v * side + u)
            for y, x in cells
            for v, u in ((y + dy, x + dx) for dy, dx in WAYS)
            if (v, u) in cells
        }
        assert set(graphs[name].edges) == wanted
        assert len(graphs[name].edges) == len(wanted)
        assert graphs[name].nodes == side**2


def grid_trial(environment: dict[str, Any], over: dict[str, Any] | None = None) -> Any:
    base = {
        "preset": "muzero",
        "model.representation": {"name": "gcn", "width": 8, "depth": 1, "graph": "passages",
                                 "ends_in": "nodes"},
        "model.dynamics": {"name": "gcn", "width": 8, "graph": "passages"},
        "model.prediction.width": 8,
        "planner": {"name": "puct", "simulations": 4, "q_normalisation": "min_max"},
        "targets.value": {"name": "n_step", "steps": 3},
        "procedure.steps": 3000, "procedure.games": 16, "procedure.batch": 16,
        "procedure.warm_up": 100, "procedure.replay_ratio": 0.2, "procedure.unroll": 3,
        "procedure.opening.fraction": 0.0,
        "measures": {"predictive": {"depth": 2}, "decision": {}, "returns": {"episodes": 8}},
    }  # fmt: skip
    return trial({"environment": environment, **(over or {})}, base=base)


@pytest.mark.parametrize(
    ("environment", "positions"),
    [
        ({"name": "four_rooms", "max_steps": 30}, 103),
        ({"name": "maze", "size": 7}, 16),
        ({"name": "collect"}, len(Collect().build().positions())),
    ],
    ids=("four_rooms", "maze", "collect"),
)
def test_a_trial_is_trained_and_measured_on_every_position(
    environment: Any, positions: int, tmp_path: Any
) -> None:
    result = run_trial(grid_trial(environment), tmp_path)
    row = result["metrics"]
    for name in ("value", "policy", "reward", "termination"):
        assert np.isfinite([row[f"predictive/{name}_error@{depth}"] for depth in (1, 2)]).all()
    assert result["evaluation_set"]["positions"] == positions
    # As many sequences begin in each position as there are sources of moves.
    begun = result["evaluation_set"]["counts"]["predictive/value_error"][0]
    assert begun == len(SOURCES) * positions
    assert 0 <= row["decision/search_optimal_rate"] <= 1
    low, high = grid_trial(environment).environment.spec().bounds
    assert low <= row["decision/search_return"] <= high


def mistakes() -> Iterator[tuple[str, str]]:
    yield (
        "{name: four_rooms, goal: [0, 3]}",
        "environment.goal: value error, [0, 3] is no",
    )
    yield "{name: four_rooms, goal: [7]}", "environment.goal"
    yield "{name: four_rooms, slip: 1.0}", "environment.slip"
    yield "{name: maze, size: 8}", "environment.size: value error, a maze has an odd size"
    yield "{name: collect, size: 5, goals: 20}", "room for 1 to 7 goals"
    yield "{name: collect, goals: 12, steps: 40}", "MB; allowed are 256"


@pytest.mark.parametrize(("entry", "message"), mistakes())
def test_a_world_that_makes_no_sense_is_told_with_its_key(entry: str, message: str) -> None:
    text = f"preset: muzero\nenvironment: {entry}\nmeasures: {{decision: null}}\n"
    told = problems_of(text)
    assert any(message in one for one in told), told
