"""Dynamics against formulas by hand, torch's own cells and the simulator."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from tests.workbench.fakes import TINY, problems_of, trial
from workbench.environments.cartpole import CartPole
from workbench.environments.games.game_table import GameTableEnvironment
from workbench.environments.othello import Othello
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.registry import components
from workbench.trial import build
from workbench.types import EnvironmentSpec, Graph, LatentSpec, tree_leaves

ENVIRONMENT = TicTacToe().spec()
VECTOR, GRID, NODES = (
    LatentSpec("vector", (6,)),
    LatentSpec("grid", (4, 3, 3)),
    LatentSpec("nodes", (9, 4)),
)
ROWS = 5


def configured(name: str, **options: Any) -> Any:
    return components("dynamics")[name](**options)


def made(
    name: str,
    latent: LatentSpec,
    environment: EnvironmentSpec = ENVIRONMENT,
    seed: int = 0,
    **options: Any,
) -> Any:
    torch.manual_seed(seed)
    return configured(name, **options).build(latent, environment)


def drawn(latent: LatentSpec, seed: int = 1, rows: int = ROWS) -> Tensor:
    return torch.randn(rows, *latent.shape, generator=Generator().manual_seed(seed))


def actions(environment: EnvironmentSpec = ENVIRONMENT, rows: int = ROWS) -> Tensor:
    return torch.randint(environment.actions, (rows,), generator=Generator().manual_seed(2))


def neighbours(cell: int) -> list[int]:
    """Neighbours of a cell of the 3x3 board, by side or by corner."""
    row, column = divmod(cell, 3)
    around = [(r, c) for r in range(row - 1, row + 2) for c in range(column - 1, column + 2)]
    inside = [r * 3 + c for r, c in around if 0 <= r < 3 and 0 <= c < 3]
    return [other for other in inside if other != cell]


# --- gated -----------------------------------------------------------------------------------


def torch_cell(gates: Any, inputs: int, size: int) -> nn.GRUCell:
    """torch's cell with the weights of our gates; of a 3x3 kernel those of its middle."""
    cell = nn.GRUCell(inputs, size)
    state = {}
    for ours, theirs in (("of_input", "ih"), ("of_state", "hh")):
        layer = getattr(gates, ours)
        weight = layer.weight[:, :, 1, 1] if layer.weight.dim() == 4 else layer.weight
        state |= {f"weight_{theirs}": weight, f"bias_{theirs}": layer.bias}
    cell.load_state_dict(state)
    return cell


def test_gru_on_a_vector_equals_gru_cell_with_action_embedding() -> None:
    g = made("gru", VECTOR, embedding=3)
    cell, s, a = torch_cell(g.gates, 3, 6), drawn(VECTOR), actions()
    assert torch.allclose(g(s, a), cell(g.action.weight[a], s), atol=1e-6)


def test_gru_on_a_grid_of_one_cell_equals_gru_cell() -> None:
    one = LatentSpec("grid", (4, 1, 1))
    g = made("gru", one, action_encoding="one_hot")
    cell, s, a = torch_cell(g.gates, 9, 4), drawn(one), actions()
    expected = cell(F.one_hot(a, 9).float(), s.flatten(1))
    assert torch.allclose(g(s, a).flatten(1), expected, atol=1e-6)


def test_gru_on_a_grid_reaches_exactly_the_adjacent_cells() -> None:
    g, s, a = made("gru", GRID), drawn(GRID), torch.zeros(ROWS, dtype=torch.int64)
    moved = s.clone()
    moved[:, :, 2, 2] += 1
    changed = (g(s, a) - g(moved, a)).abs().amax(1).flatten(1) > 1e-6
    touched = {8, *neighbours(8)}
    assert all({i for i in range(9) if row[i]} == touched for row in changed)


def test_gated_graph_equals_gru_cell_of_action_mark_and_neighbour_mean() -> None:
    g = made("gated_graph", NODES)
    cell, s, a = torch_cell(g.gates, 1 + 4, 4), drawn(NODES), actions()
    then = g(s, a)
    for b in range(ROWS):
        for i in range(9):
            mean = torch.stack([s[b, j] for j in neighbours(i)]).mean(0)
            given = torch.cat([torch.tensor([float(a[b] == i)]), mean])
            assert torch.allclose(then[b, i], cell(given[None], s[b, i][None])[0], atol=1e-6)


# --- residual --------------------------------------------------------------------------------


def test_residual_tower_on_a_vector_by_hand() -> None:
    g = made("residual", VECTOR, width=5, depth=2)
    s, a = drawn(VECTOR), actions()

    def layer(x: Tensor, norm: Any, linear: Any) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        scaled = centred / (x.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        result: Tensor = linear((scaled * norm.weight + norm.bias).relu())
        return result

    x = s @ g.latent.weight.T + g.latent.bias + g.action.weight[a]
    for block in (g.tower[0].layers, g.tower[1].layers):
        x = x + layer(layer(x, block[0], block[2]), block[3], block[5])
    assert torch.allclose(g(s, a), s + layer(x, g.tower[2], g.tower[4]), atol=1e-5)


@pytest.mark.parametrize("latent", [VECTOR, GRID], ids=["vector", "grid"])
def test_residual_tower_has_the_configured_depth_and_a_skip_connection(latent: LatentSpec) -> None:
    sizes = []
    for depth in (1, 2, 3):
        g = made("residual", latent, width=8, depth=depth)
        sizes.append(sum(p.numel() for p in g.parameters()))
        for parameter in g.tower[-1].parameters():
            nn.init.zeros_(parameter)
        s = drawn(latent)
        assert torch.equal(g(s, actions()), s)
    a_layer = 8 * 8 * (9 if latent is GRID else 1) + 8 + 2 * 8
    assert sizes[1] - sizes[0] == sizes[2] - sizes[1] == 2 * a_layer


# --- graphs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("edges", ["original", "complete", "empty"])
def test_message_passing_sums_over_edges(edges: str) -> None:
    g = made("message_passing", NODES, edges=edges, width=7)
    s, a = drawn(NODES), actions()
    then = g(s, a)
    for b in range(ROWS):
        for i in range(9):
            near = {
                "original": neighbours(i),
                "complete": [j for j in range(9) if j != i],
                "empty": [],
            }[edges]
            known = [s[b, i], torch.tensor([float(a[b] == i)])]
            if near:
                messages = [g.edge(torch.cat([s[b, i], s[b, j]])) for j in near]
                known.append(torch.stack(messages).sum(0))
            assert torch.allclose(then[b, i], s[b, i] + g.node(torch.cat(known)), atol=1e-5)


@pytest.mark.parametrize("kind", ["nodes", "slots"])
def test_dynamics_on_a_complete_graph_are_permutation_equivariant(kind: Any) -> None:
    latent = LatentSpec(kind, (9, 4))
    order = torch.randperm(9, generator=Generator().manual_seed(3))
    for action in ("one_hot", "cells"):
        g = made("message_passing", latent, edges="complete", action_encoding=action)
        s, a = drawn(latent), actions()
        placed = kind == "nodes" and action == "cells"
        there = order.argsort()[a] if placed else a  # the mark goes where its node went
        assert torch.allclose(g(s[:, order], there), g(s, a)[:, order], atol=1e-5)


def test_dynamics_on_a_path_depend_on_the_order_of_nodes() -> None:
    g = made("message_passing", NODES, edges="original", action_encoding="one_hot")
    s, a, order = drawn(NODES), actions(), torch.arange(9).roll(1)
    assert not torch.allclose(g(s[:, order], a), g(s, a)[:, order], atol=1e-2)


def test_single_slot_receives_no_messages() -> None:
    """A model of one object is a perceptron (Kipf et al. 2020, the ablation without a graph)."""
    latent = LatentSpec("slots", (1, 4))
    g = made("message_passing", latent, edges="complete")
    assert g.edge is None
    s, a = drawn(latent), actions()
    given = torch.cat([s[:, 0], F.one_hot(a, 9).float()], 1)
    assert torch.allclose(g(s, a)[:, 0], s[:, 0] + g.node(given), atol=1e-6)


def test_slots_have_no_board_coordinates() -> None:
    accepted = {
        edges: configured("message_passing", edges=edges).accepts
        for edges in ("original", "shuffled", "empty", "complete")
    }
    assert accepted["original"] == accepted["shuffled"] == {"nodes"}
    assert accepted["empty"] == accepted["complete"] == {"nodes", "slots"}


@pytest.mark.parametrize("name", ["gcn", "gat"])
def test_action_reaches_exactly_the_neighbours_of_its_node(name: str) -> None:
    # Rows are joined, and columns are not: marks in two rows change those two rows.
    pairs = [(a, b) for a in range(9) for b in range(9) if a != b and a // 3 == b // 3]
    environment = replace(ENVIRONMENT, graphs={"neighbours": Graph(9, tuple(pairs))})
    g = made(name, NODES, environment)
    s = drawn(NODES)
    here, there = (g(s, torch.full((ROWS,), a)) for a in (1, 4))
    changed = (here - there).abs().amax(2) > 1e-6
    assert changed.tolist() == [[True] * 6 + [False] * 3] * ROWS


@pytest.mark.parametrize("name", ["gcn", "gat", "gated_graph", "message_passing"])
def test_graph_missing_in_the_environment_is_rejected_with_both_names(name: str) -> None:
    (problem,) = problems_of(
        "preset: muzero\nmodel.representation: {name: gcn, latent_kind: nodes}\n"
        f"model.dynamics: {{name: {name}, graph: streets}}\n"
    )
    assert f"dynamics '{name}' needs the graph 'streets'; environment 'tic_tac_toe'" in problem


# --- how an action enters --------------------------------------------------------------------

CELLS = {"conv": GRID, "residual": GRID, "gru": GRID} | dict.fromkeys(
    ("gcn", "gat", "gated_graph", "message_passing"), NODES
)


def planes_of(g: Any) -> Any:
    return g.planes if hasattr(g, "planes") else g.marks.planes


@pytest.mark.parametrize("name", CELLS)
def test_action_is_encoded_as_its_cell_or_as_its_own_plane(name: str) -> None:
    latent = CELLS[name]
    marked, one_hot = (
        planes_of(made(name, latent, action_encoding=how)) for how in ("cells", "one_hot")
    )
    a = torch.tensor([5])
    assert marked(a).flatten().tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert one_hot(a).flatten(2)[0].tolist() == [[float(p == 5)] * 9 for p in range(9)]
    assert planes_of(made(name, latent)).channels == marked.channels == 1


@pytest.mark.parametrize("name", ["conv", "residual", "gru", "gcn", "message_passing"])
def test_pass_action_has_no_cell_but_a_distinct_encoding(name: str) -> None:
    environment = Othello().spec()
    shape = (4, 8, 8) if CELLS[name] is GRID else (64, 4)
    latent = LatentSpec(CELLS[name].kind, shape)
    g = made(name, latent, environment)
    assert planes_of(g)(torch.tensor([64])).abs().sum() == 0
    s = drawn(latent, rows=1).expand(3, *shape)
    then = g(s, torch.tensor([64, 0, 63]))
    assert bool(then.isfinite().all())
    assert not torch.allclose(then[0], then[1], atol=1e-4)
    assert not torch.allclose(then[0], then[2], atol=1e-4)


def test_actions_are_one_hot_if_the_latent_lacks_the_cells_of_the_board() -> None:
    small = LatentSpec("grid", (4, 2, 2))
    assert planes_of(made("conv", small)).channels == 9
    environment = CartPole().spec()
    assert planes_of(made("conv", small, environment)).channels == 2
    (note,) = configured("conv").notes(environment)
    assert "dynamics conv" in note
    assert "cartpole" in note
    assert not list(configured("conv").notes(ENVIRONMENT))
    assert not list(configured("conv", action_encoding="one_hot").notes(environment))


# --- plain -----------------------------------------------------------------------------------


def test_linear_dynamics_by_hand() -> None:
    # A_0 turns by a quarter, A_1 doubles; b_0 = (1, 0), b_1 = (0, 5); s = (2, 3).
    latent = LatentSpec("vector", (2,))
    turn, double = [[0.0, -1.0], [1.0, 0.0]], [[2.0, 0.0], [0.0, 2.0]]
    offset = torch.tensor([[1.0, 0.0], [0.0, 5.0]])
    g = made("linear", latent, CartPole().spec())
    with torch.no_grad():
        g.matrix.copy_(torch.tensor([turn, double]))
        g.offset.copy_(offset)
    s, a = torch.tensor([[2.0, 3.0], [2.0, 3.0]]), torch.tensor([0, 1])
    assert g(s, a).tolist() == [[2 - 3 + 1, 3 + 2 + 0], [2 + 4 + 0, 3 + 6 + 5]]
    shared = made("linear", latent, CartPole().spec(), shared=True)
    with torch.no_grad():
        shared.matrix.copy_(torch.tensor([turn]))
        shared.offset.copy_(offset)
    assert shared(s, a).tolist() == [[2 - 3 + 1, 3 + 2 + 0], [2 - 3 + 0, 3 + 2 + 5]]


@pytest.mark.parametrize("latent", [VECTOR, GRID, NODES], ids=["vector", "grid", "nodes"])
def test_identity_dynamics_do_not_change_the_latent(latent: LatentSpec) -> None:
    g, s = made("identity", latent), drawn(latent)
    assert torch.equal(g(s, actions()), s)
    assert not list(g.parameters())


def test_ensemble_is_the_mean_of_different_members() -> None:
    g = made("ensemble", VECTOR, member=configured("mlp", width=7), size=3)
    s, a = drawn(VECTOR), actions()
    each = []
    for member in g.members:
        hidden = s @ member.latent.weight.T + member.latent.bias + member.action.weight[a]
        each.append(s + hidden.relu() @ member.out.weight.T + member.out.bias)
    assert torch.allclose(g(s, a), (each[0] + each[1] + each[2]) / 3, atol=1e-6)
    assert not torch.allclose(each[0], each[1], atol=1e-2)
    assert not torch.allclose(each[1], each[2], atol=1e-2)


def test_ensemble_has_the_requirements_of_its_members() -> None:
    for of in ("conv", "gcn", "mlp", "identity"):
        config, member = configured("ensemble", member=configured(of)), configured(of)
        assert config.accepts == member.accepts
        assert config.trainable == member.trainable
    assert len(made("ensemble", GRID, member=configured("conv")).members) == 5
    conv = "{name: ensemble, member: {name: conv, width: 4}, size: 2}"
    grid = "preset: muzero\nmodel.representation: {name: cnn, latent_kind: grid}\n"
    assert problems_of(f"{grid}model.dynamics: {conv}\n") == []
    (problem,) = problems_of(f"preset: muzero\nmodel.dynamics: {conv}\n")
    assert "dynamics 'ensemble' needs a latent of kind grid" in problem


@pytest.mark.parametrize("of", ["'true'", "perturbed"])
def test_ensemble_of_true_dynamics_is_rejected(of: str) -> None:
    problems = problems_of(
        f"preset: muzero\nmodel.dynamics: {{name: ensemble, member: {of}}}\n"
        "planner.interior_legality: true\n"
    )
    name = of.strip("'")
    assert any(
        "dynamics 'ensemble'" in problem and f"dynamics '{name}'" in problem for problem in problems
    )


# --- the simulator ---------------------------------------------------------------------------

TRUE: dict[str, Any] = {
    **{key: value for key, value in TINY.items() if not key.startswith("model.dynamics")},
    "planner.interior_legality": True,
    "losses.reward": None,
    "losses.termination": None,
}


def simulated(dynamics: Any, norm: str = "none", size: int = 8) -> Any:
    changes = {"model.dynamics": dynamics, "model.latent_norm": norm}
    return build(trial({**changes, "model.representation.latent_size": size}, base=TRUE))


def perturbed(size: float, compounding: bool = True) -> dict[str, Any]:
    return {"name": "perturbed", "noise_scale": size, "compounding": compounding}


@pytest.mark.parametrize("norm", ["none", "layer_norm"])
def test_perturbation_of_size_zero_equals_the_simulator_exactly(
    norm: str, tic_tac_toe: GameTableEnvironment
) -> None:
    state = tic_tac_toe.positions()[::37]
    legal = tic_tac_toe.legal(state)
    plans = []
    for dynamics in ("true", perturbed(0.0), perturbed(0.5)):
        parts = simulated(dynamics, norm)
        g = Generator().manual_seed(4)
        root = parts.model.represent(tic_tac_toe.observe(state), g, state)
        once, again = (
            tree_leaves(parts.planner.plan(parts.model, root, legal, g, explore=True))
            for _ in range(2)
        )
        plans.append([*once, *again])
    assert all(torch.equal(a, b) for a, b in zip(plans[0], plans[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(plans[0], plans[2], strict=True))


@pytest.mark.parametrize("compounding", [True, False])
@torch.no_grad()
def test_perturbation_has_the_configured_size(
    compounding: bool, tic_tac_toe: GameTableEnvironment
) -> None:
    size, width, rows, depth = 0.3, 64, 200, 4
    model = simulated(perturbed(size, compounding), size=width).model
    true = simulated("true", size=width).model
    true.load_state_dict(model.state_dict())
    state = tic_tac_toe.reset(rows, Generator())
    g = Generator().manual_seed(5)
    seen = tic_tac_toe.observe(state)
    blurred, clear = model.represent(seen, g, state), true.represent(seen, g, state)
    assert torch.equal(blurred.latent, clear.latent)
    errors = []
    for move in range(depth):
        action = torch.full((rows,), move)
        blurred, edge = model.step(blurred, action, g)
        clear, exact = true.step(clear, action, g)
        assert torch.equal(edge.reward, exact.reward)
        assert torch.equal(edge.discount, exact.discount)
        assert torch.equal(model.predict(blurred).legal, true.predict(clear).legal)
        deviation = clear.latent.std(1, correction=0, keepdim=True)
        errors.append((blurred.latent - clear.latent) / (size * deviation))
    for k, error in enumerate(errors, 1):
        expected = sqrt(k) if compounding else 1.0
        # 12,800 draws: the standard deviation is known within 2 % at more than three sigmas.
        assert float(error.std()) == pytest.approx(expected, rel=0.03)
        assert float(error.mean()) == pytest.approx(0, abs=0.06)
    first, second = errors[0], errors[1]
    together = float((first * second).mean())  # of independent draws 0; of a walk its first step
    assert together == pytest.approx(1.0 if compounding else 0.0, abs=0.06)


def test_perturbed_latent_is_normalised(tic_tac_toe: GameTableEnvironment) -> None:
    model = simulated(perturbed(0.5), "layer_norm").model
    state = tic_tac_toe.positions()[:20]
    g = Generator()
    latent = model.represent(tic_tac_toe.observe(state), g, state)
    action = tic_tac_toe.legal(state).float().argmax(1)
    code = model.step(latent, action, g)[0].latent
    assert torch.allclose(code.mean(1), torch.zeros(20), atol=1e-5)
    assert torch.allclose(code.var(1, correction=0), torch.ones(20), atol=1e-2)


def test_normalising_a_constant_latent_has_a_finite_gradient() -> None:
    walk = made("perturbed", VECTOR, noise_scale=1.0)
    code = torch.full((2, 6), 3.0, requires_grad=True)
    then, _ = walk(code, walk.begin(code), Generator())
    assert torch.equal(then, code)
    then.sum().backward()
    assert code.grad is not None
    assert torch.equal(code.grad, torch.ones(2, 6))


def test_perturbed_dynamics_require_interior_legality_and_cloning() -> None:
    (problem,) = problems_of(
        "preset: muzero\nmodel.dynamics: perturbed\nlosses: {reward: null, termination: null}\n"
    )
    assert "dynamics 'perturbed' can only make legal moves" in problem
    assert "planner 'puct'" in problem
    problems = problems_of(
        "preset: muzero\nenvironment: gymnasium\nmodel.dynamics: perturbed\n"
        "planner: {name: puct, q_normalisation: min_max, interior_legality: true}\n"
        "losses: {reward: null, termination: null}\nprocedure.random_start.fraction: 0.0\n"
        "measures: {predictive: null, decision: null}\n"
    )
    assert any(
        "dynamics 'perturbed' needs states that can be copied" in p and "'gymnasium:" in p
        for p in problems
    )
    assert configured("perturbed", noise_scale=0.0).row_independent
    assert not configured("perturbed", noise_scale=0.1).row_independent
