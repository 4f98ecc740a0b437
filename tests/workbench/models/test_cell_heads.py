"""Heads and decoders over cells: by hand from the marks, and the same on boards of two sizes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from tests.seams.conftest import run_in_two
from tests.workbench.fakes import problems_of, trial
from workbench.components import EnvironmentConfig, Incompatible
from workbench.config import TrialConfig, dump, identity, read_trial
from workbench.documents import wrap
from workbench.environments.breakthrough import Breakthrough
from workbench.environments.connect_four import ConnectFour
from workbench.environments.gomoku import Gomoku
from workbench.environments.minatar import MinAtar
from workbench.environments.othello import Othello
from workbench.environments.tic_tac_toe import TicTacToe
from workbench.errors import SourceLocation
from workbench.models.decoder import cells as cell_decoder
from workbench.models.decoder.mlp import MLP as FlatDecoder  # noqa: N811
from workbench.models.prediction.cells import Cells
from workbench.models.world_model import count_parameters
from workbench.record import read_rows
from workbench.trial import build, run_trial
from workbench.types import EnvironmentSpec, LatentSpec

ENVIRONMENTS: list[EnvironmentConfig] = [
    TicTacToe(),
    ConnectFour(),
    Othello(),
    Breakthrough(),
    MinAtar(),
]
FEATURES = 5


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=Generator().manual_seed(seed))


def latents(built_environment: EnvironmentSpec, kind: str = "grid") -> LatentSpec:
    height, width = built_environment.observation[1:]
    if kind == "grid":
        return LatentSpec("grid", (FEATURES, height, width))
    return LatentSpec("nodes", (height * width, FEATURES))


def heads_of(built_environment: EnvironmentSpec, seed: int = 0, kind: str = "grid") -> Any:
    torch.manual_seed(seed)
    return Cells(width=8).build(latents(built_environment, kind), built_environment, edges=True)


def named(config: EnvironmentConfig) -> str:
    return config.component


# --- the policy ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", ENVIRONMENTS, ids=named)
def test_logit_is_the_mean_score_of_the_cells_of_the_action(config: Any) -> None:
    built_environment = config.spec()
    prediction = heads_of(built_environment)
    latent = random(3, *latents(built_environment).shape)
    logits = prediction.heads(latent).policy
    assert logits.shape == (3, built_environment.actions)
    parts = {name: p.detach() for name, p in prediction.named_parameters()}

    def layer(name: str, x: Tensor) -> Tensor:
        return x @ parts[f"{name}.weight"].T + parts[f"{name}.bias"]

    hidden = [layer("cell", latent[..., y, x]).relu() for y, x in cells(built_environment)]
    mean = torch.stack(hidden).mean(0)
    largest = torch.stack(hidden).amax(0)
    unmarked = [
        a
        for a in range(built_environment.actions)
        if not (built_environment.action_planes and built_environment.action_planes[a])
    ]
    for action in range(built_environment.actions):
        if action in unmarked:
            rest = layer("policy.rest", torch.cat([mean, largest], 1))
            expected = rest[:, unmarked.index(action)]
        else:
            marks = built_environment.action_planes[action]
            scores = [layer("policy.score", hidden[cell])[:, plane] for plane, cell in marks]
            expected = torch.stack(scores).mean(0)
        assert torch.allclose(logits[:, action], expected, atol=1e-5)
    counts = {"tic_tac_toe": 0, "connect_four": 0, "othello": 1, "breakthrough": 0, "minatar": 3}
    assert len(unmarked) == counts[config.component]
    assert ("policy.rest.weight" in parts) == bool(unmarked)
    assert ("policy.score.weight" in parts) == any(built_environment.action_planes)


def cells(built_environment: EnvironmentSpec) -> list[tuple[int, int]]:
    height, width = built_environment.observation[1:]
    return [(y, x) for y in range(height) for x in range(width)]


@pytest.mark.parametrize("config", ENVIRONMENTS, ids=named)
def test_heads_of_nodes_equal_heads_of_the_same_grid(config: Any) -> None:
    built_environment = config.spec()
    grid, nodes = heads_of(built_environment), heads_of(built_environment, kind="nodes")
    latent = random(3, *latents(built_environment).shape)
    rows = torch.stack([latent[..., y, x] for y, x in cells(built_environment)], 1)
    for of_grid, of_nodes in (
        (grid.heads(latent).policy, nodes.heads(rows).policy),
        (grid.heads(latent).value, nodes.heads(rows).value),
        *zip(grid.edge(latent).values(), nodes.edge(rows).values(), strict=True),
    ):
        assert torch.allclose(of_grid, of_nodes, atol=1e-6)


@pytest.mark.parametrize("config", ENVIRONMENTS, ids=named)
def test_gradients_reach_every_parameter_and_rows_are_independent(config: Any) -> None:
    built_environment = config.spec()
    prediction = heads_of(built_environment)
    latent = random(6, *latents(built_environment).shape)
    heads, edge = prediction.heads(latent), prediction.edge(latent)
    outputs = [heads.policy, *heads.raw.values(), *edge.values()]
    sum((t * random(*t.shape, seed=i)).sum() for i, t in enumerate(outputs)).backward()
    for name, parameter in prediction.named_parameters():
        assert bool(parameter.grad.abs().sum() > 0), name
    alone = prediction.heads(latent[2:3])
    assert torch.allclose(alone.policy, heads.policy[2:3], atol=1e-6)
    assert torch.allclose(alone.value, heads.value[2:3], atol=1e-6)


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (Gomoku(size=5, in_line=4), Gomoku(size=7, in_line=4)),
        (ConnectFour(rows=4, columns=5), ConnectFour()),
        (Breakthrough(rows=5, columns=4), Breakthrough()),
    ],
    ids=lambda config: config.component,
)
def test_weights_work_on_boards_of_another_size(small: Any, large: Any) -> None:
    here, there = small.spec(), large.spec()
    for part in (Cells(), cell_decoder.Cells()):
        options: dict[str, Any] = {"edges": True} if isinstance(part, Cells) else {}
        first = part.build(latents(here), here, **options)
        second = part.build(latents(there), there, **options)
        assert set(first.state_dict()) == {name for name, _ in first.named_parameters()}
        second.load_state_dict(first.state_dict())


def test_pooled_heads_do_not_change_if_the_board_is_tiled() -> None:
    here, there = (EnvironmentSpec("plain", (3, n, n), 4) for n in (3, 6))
    small, large = heads_of(here), heads_of(there, seed=1)
    large.load_state_dict(small.state_dict())
    board = random(3, FEATURES, 3, 3)
    tiled = board.repeat(1, 1, 2, 2)
    assert torch.allclose(small.heads(board).policy, large.heads(tiled).policy, atol=1e-6)
    assert torch.allclose(small.heads(board).value, large.heads(tiled).value, atol=1e-6)
    for name, raw in small.edge(board).items():
        assert torch.allclose(raw, large.edge(tiled)[name], atol=1e-6)


# --- decoders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["grid", "nodes"])
def test_decoded_cell_is_linear_in_the_cell(kind: str) -> None:
    built_environment = ConnectFour().spec()
    decoder = cell_decoder.Cells().build(latents(built_environment, kind), built_environment)
    weight, bias = (p.detach() for p in decoder.parameters())
    assert weight.shape == (3, FEATURES)
    latent = random(2, *latents(built_environment, kind).shape)
    decoded = decoder(latent)
    assert decoded.shape == (2, *built_environment.observation)
    for i, (y, x) in enumerate(cells(built_environment)):
        cell = latent[..., y, x] if kind == "grid" else latent[:, i]
        assert torch.allclose(decoded[..., y, x], cell @ weight.T + bias, atol=1e-6)


def test_flat_decoder_has_one_hidden_layer_and_the_shape_of_the_observation() -> None:
    built_environment = TicTacToe().spec()
    for shape in ((6,), (2, 3, 3), (9, 4)):
        decoder = FlatDecoder(width=5).build(LatentSpec("vector", shape), built_environment)
        assert decoder(random(4, *shape)).shape == (4, 3, 3, 3)
        count = sum(p.numel() for p in decoder.parameters())
        assert count == (prod(shape) + 1) * 5 + (5 + 1) * 27


GRID: dict[str, Any] = {
    "model": {
        "name": "composed",
        "representation": {"name": "cnn", "width": 6, "latent_kind": "grid"},
        "dynamics": {"name": "conv", "width": 6},
        "prediction": {"name": "cells", "width": 6},
    },
}
SMALL: dict[str, Any] = {
    "preset": "muzero",
    "planner.simulations": 4,
    "procedure.steps": 600,
    "procedure.parallel_environments": 16,
    "procedure.batch_size": 16,
    "procedure.warm_up": 100,
    "procedure.capacity": 300,
    "procedure.replay_ratio": 0.7,
    "procedure.unroll": 3,
    "measures": {"predictive": None, "decision": None},
    "evaluate_every": 20,
}
"""As `fakes.TINY`, without the options of one representation."""


def tiny(changes: Mapping[str, Any]) -> TrialConfig:
    return trial(GRID | dict(changes), base=SMALL)


@pytest.mark.parametrize("dynamics", ["conv", "true"])
def test_decoder_adds_a_head_without_changing_other_weights(dynamics: str) -> None:
    model = GRID["model"] | {"dynamics": dynamics}
    rules = {"planner.interior_legality": True} if dynamics == "true" else {}
    terms = {"losses": {"reward": None, "termination": None}} if dynamics == "true" else {}
    targets_off = {"targets": {"reward": None, "termination": None}} if dynamics == "true" else {}
    changes = {"model": model} | rules | terms | targets_off
    plain = build(tiny(changes))
    parts = build(tiny(changes | {"model": model | {"decoder": "cells"}}))
    assert "observation" not in plain.model.spec.heads
    assert parts.model.spec.heads == plain.model.spec.heads | {"observation"}
    weights = parts.model.state_dict()
    for key, value in plain.model.state_dict().items():
        assert torch.equal(weights.pop(key), value)
    assert set(weights) == {"decoder.read.weight", "decoder.read.bias"}
    assert count_parameters(parts.model)["decoder"] == (6 + 1) * 3
    assert "decoder" not in count_parameters(plain.model)

    built_environment, g = parts.environment, Generator().manual_seed(0)
    state = built_environment.reset(2, g)
    latent = parts.model.represent(built_environment.observe(state), g, state)
    assert parts.model.decode(latent).shape == (2, 3, 3, 3)
    with pytest.raises(TypeError, match="no decoder"):
        plain.model.decode(plain.model.represent(built_environment.observe(state), g, state))


RECONSTRUCTING: dict[str, Any] = {
    "model": GRID["model"] | {"decoder": "cells"},
    "losses.reconstruction": 1.0,
    "targets.observation": "next_observation",
}


def test_resumed_trial_with_cell_heads_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    config = tiny(RECONSTRUCTING | {"procedure.steps": 400, "evaluate_every": 5})
    run_trial(config, tmp_path / "whole")
    run_in_two(config, tmp_path / "cut")
    rows = [(tmp_path / folder / "metrics.jsonl").read_bytes() for folder in ("whole", "cut")]
    assert rows[0] == rows[1]
    written = read_rows(tmp_path / "whole" / "metrics.jsonl")
    assert any("training/reconstruction" in row for row in written)


@pytest.mark.parametrize("decoder", ["cells", "mlp"])
def test_decoder_learns_to_reconstruct_boards(decoder: str) -> None:
    model = GRID["model"] | {"decoder": decoder}
    parts = build(tiny(RECONSTRUCTING | {"model": model}))
    built_environment: Any = parts.environment
    seen = built_environment.observe(built_environment.positions())
    optimiser = torch.optim.Adam(parts.model.parameters(), 0.02)
    for _ in range(120):
        rows = torch.randint(len(seen), (64,), generator=parts.streams["test"])
        decoded = parts.model.decode(parts.model.represent(seen[rows], Generator()))
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(decoded, seen[rows].float()).backward()
        optimiser.step()
    shown = parts.model.decode(parts.model.represent(seen, Generator())) > 0
    assert float((shown == seen).float().mean()) > 0.98


# --- what does not fit ---------------------------------------------------------------------------


def test_decoder_is_configured_by_name_or_absent() -> None:
    with_one = tiny({"model": GRID["model"] | {"decoder": {"name": "mlp", "width": 7}}})
    again = read_trial(wrap(dump(with_one), SourceLocation("again")))
    assert again == with_one
    assert identity(again) == identity(with_one)
    without = trial({"model.decoder": None}, base=SMALL | {"model.decoder": "mlp"})
    assert without.model.decoder is None  # type: ignore[attr-defined]
    assert identity(without) == identity(trial({}, base=SMALL))


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ("model.prediction: cells", "prediction 'cells' needs a latent of kind grid or nodes; "),
        ("model.decoder: cells", "decoder 'cells' needs a latent of kind grid or nodes; "),
    ],
)
def test_latent_without_cells_is_rejected_with_both_names(line: str, messages: str) -> None:
    (problem,) = problems_of(f"preset: muzero\n{line}\n")
    assert (
        problem
        == f"t.yaml:2: model: {messages}representation 'mlp' as configured ends in vector [96]"
    )


@pytest.mark.parametrize("part", ["prediction", "decoder"])
def test_latent_cells_other_than_those_of_the_board_are_rejected(part: str) -> None:
    text = (
        "preset: muzero\n"
        "model.representation: {name: resnet, downsample: 1, latent_kind: grid}\n"
        "model.dynamics: conv\n"
        f"model.{part}: cells\n"
    )
    (problem,) = problems_of(text)
    assert f"{part} 'cells' needs the 3x3 cells" in problem
    assert "representation 'resnet' as configured ends in grid [16, 2, 2]" in problem


def test_smaller_grid_is_accepted_if_actions_have_no_cells() -> None:
    Cells().check(LatentSpec("grid", (4, 5, 5)), MinAtar().spec())
    with pytest.raises(Incompatible, match="3x3 cells"):
        Cells().check(LatentSpec("nodes", (4, 8)), TicTacToe().spec())


def test_invalid_decoder_does_not_hide_other_problems() -> None:
    first, second = problems_of(
        "preset: muzero\nmodel: {decoder: null, latent_nrm: 3}\n"
        "losses.reconstruction: 1\ntargets.observation: next_observation\n"
    )
    assert "did you mean 'latent_norm'" in first
    assert "loss 'reconstruction' needs a 'observation' head" in second
