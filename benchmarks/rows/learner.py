"""A whole update against its forward and backward pass; graph networks against convolutions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn

from benchmarks.measurement import Effort, Figure
from benchmarks.timing import time_alternately
from workbench.components import RepresentationConfig
from workbench.config import read_trial
from workbench.contracts import Context, TrialParts
from workbench.documents import wrap
from workbench.environments.connect_four import ConnectFour
from workbench.errors import SourceLocation
from workbench.models.dynamics import conv, gcn
from workbench.models.representation.cnn import CNN
from workbench.models.representation.gat import GAT
from workbench.models.representation.gcn import GCN
from workbench.models.representation.gin import GIN
from workbench.training.actor import Actor
from workbench.training.learner import Learner, Objective
from workbench.training.procedures.self_play import SelfPlay
from workbench.training.replay_buffer import ReplayBuffer
from workbench.trial import build
from workbench.types import LatentSpec, Window

UPDATES: dict[str, dict[str, Any]] = {
    "muzero": {"preset": "muzero", "procedure.optimiser": {"name": "adamw"}},
    "muzero_cartpole": {"preset": "muzero_cartpole"},
    "muzero, with muon": {"preset": "muzero"},
}
"""Overhead of replay, targets and AdamW over the model's own time; then also that of Muon."""
BATCH = 256
"""Number of boards on which encoders and dynamics are timed."""

ENCODERS: dict[str, tuple[int, RepresentationConfig]] = {
    "gcn of 72 features": (24, GCN(width=72, latent_kind="nodes")),
    "gcn of 192 features": (64, GCN(width=192, latent_kind="nodes")),
    "gcn of 74 features": (24, GCN(width=74, latent_kind="nodes")),
    "gcn of 74 features (edge list)": (24, GCN(width=74, latent_kind="nodes", backend="sparse")),
    "gin of 43 features": (24, GIN(width=43, latent_kind="nodes")),
    "gat of 52 features": (24, GAT(width=52, latent_kind="nodes", heads=1)),
}
"""Each graph encoder beside convolutions of that many channels, with as many parameters.

Features that fill whole registers may be a few percent fewer; the tables show both.
"""
DYNAMICS = {72: 24, 192: 64}
"""Features of a graph's latent, and channels of a grid's, as such encoders produce them."""


def measure(effort: Effort) -> Iterator[Figure]:
    """Measure updates per second of presets, and boards per second through h and g and back."""
    for name in list(UPDATES)[: 1 if effort.quick else None]:
        yield _update(name, effort)
    for name in list(ENCODERS)[: 1 if effort.quick else None]:
        yield _encoder(name, effort)
    for features, channels in list(DYNAMICS.items())[: 1 if effort.quick else None]:
        yield _dynamics(features, channels, effort)


def _update(name: str, effort: Effort) -> Figure:
    """Time a whole update, and the forward and backward pass within it."""
    overlay = UPDATES[name] | {"planner.simulations": 2, "threads": effort.threads}
    parts = build(read_trial(wrap(overlay, SourceLocation("benchmark"))))
    config = cast(SelfPlay, parts.config.procedure)
    learner = Learner(
        parts,
        config.optimiser,
        config.past_end == "absorbing",
        config.gradient_scale,
        config.ema_decay,
        config.target_every,
    )
    replay = _filled(parts, config)
    lookahead = max(target.lookahead for target in parts.config.targets.values())
    generator = parts.streams["replay"]

    def window() -> Window:
        place = replay.sample_starts(config.batch_size, generator)
        return replay.window(place, config.unroll, lookahead, generator)

    def update() -> object:
        return learner.update(window())

    bare = _forward_and_backward(parts, config, learner, window())
    case: dict[str, str | int] = {"case": f"update, {name}", "batch": config.batch_size}
    return time_alternately(update, bare, effort.repeats).figure(
        "learner", case, "forward and backward", 1, "updates/s"
    )


def _filled(parts: TrialParts, config: SelfPlay) -> ReplayBuffer:
    """Return a replay buffer filled by the untrained model."""
    actor = Actor(parts, config.parallel_environments, config.random_start, config.temperature)
    replay = ReplayBuffer(config.capacity, actor.layout)
    while len(replay) < config.warm_up:
        _, episodes = actor.step(parts.model)
        if episodes is not None:
            replay.add(episodes)
    return replay


def _forward_and_backward(
    parts: TrialParts, config: SelfPlay, learner: Learner, window: Window
) -> Callable[[], object]:
    """Run the unroll, the objective and its gradient on one window with precomputed targets."""
    model, generator = learner.model, parts.streams["learner"]
    context = Context(
        config.past_end == "absorbing", model, learner.agent, parts.planner, generator
    )
    targets = {name: make(window, context) for name, make in parts.targets.items()}
    weights = {name: loss.weight for name, loss in parts.config.losses.items()}
    objective, parameters = Objective(parts.losses, weights), list(model.parameters())

    def bare() -> object:
        root = model.represent(window.observation[:, 0], generator)
        unroll = model.unroll(root, window.action, generator, config.gradient_scale)
        loss, _ = objective(unroll, targets, None)
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    return bare


def _encoder(name: str, effort: Effort) -> Figure:
    """Time a graph encoder beside convolutions, from 6x7 boards and back to the weights."""
    environment, (channels, config) = ConnectFour().spec(), ENCODERS[name]
    encoder, reference = (
        _laid_out(one.build(environment))
        for one in (config, CNN(width=channels, depth=2, latent_kind="grid"))
    )
    boards = torch.rand(BATCH, *environment.observation, generator=Generator().manual_seed(0))
    passes = _passes(encoder, boards), _passes(reference, boards)
    return _beside(f"encoder {name}", encoder, passes, f"cnn of {_parameters(reference)}", effort)


def _dynamics(features: int, channels: int, effort: Effort) -> Figure:
    """Time a dynamics step in the same way, with the gradient of the latent."""
    environment = ConnectFour().spec()
    _, *board = environment.observation
    grid = LatentSpec("grid", (channels, *board))
    cells = LatentSpec("nodes", (prod(board), features))
    reference = _laid_out(conv.Conv(width=channels).build(grid, environment))
    dynamics = gcn.GCN(width=features).build(cells, environment)
    generator = Generator().manual_seed(0)
    action = torch.randint(environment.actions, (BATCH,), generator=generator)
    # Each in the memory order of its encoder's output.
    by_cell = torch.rand(BATCH, *cells.shape, generator=generator)
    by_plane = _laid_out(torch.rand(BATCH, *grid.shape, generator=generator))
    passes = (
        _passes(dynamics, by_cell.requires_grad_(), action),
        _passes(reference, by_plane.requires_grad_(), action),
    )
    name = f"dynamics gcn of {features} features"
    return _beside(name, dynamics, passes, f"conv of {_parameters(reference)}", effort)


def _beside(
    name: str,
    module: nn.Module,
    passes: tuple[Callable[[], Any], Callable[[], Any]],
    floor: str,
    effort: Effort,
) -> Figure:
    case: dict[str, str | int] = {"case": name, "batch": BATCH}
    return time_alternately(*passes, effort.repeats).figure(
        "learner",
        case,
        f"{floor} parameters",
        BATCH,
        "boards/s",
        {"parameters": _parameters(module)},
    )


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _laid_out(module: Any) -> Any:
    """Return the module in the memory format of a model."""
    return module.to(memory_format=torch.channels_last)


def _passes(module: nn.Module, *inputs: Tensor) -> Callable[[], Any]:
    """Return the forward and backward passes, from the gradient of the output."""
    expected = [*module.parameters(), *(one for one in inputs if one.requires_grad)]
    gradient = torch.rand_like(module(*inputs))
    return lambda: torch.autograd.grad(module(*inputs), expected, gradient)
