"""Contract tests for every component in every environment.

A component works in an environment, or is rejected when the configuration is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import trial
from workbench.config import TrialConfig
from workbench.contracts import Context, TrialParts
from workbench.errors import ConfigError
from workbench.registry import FOLDERS, components
from workbench.training.actor import Actor
from workbench.training.replay_buffer import ReplayBuffer
from workbench.training.settings import RandomStartConfig, TemperatureConfig
from workbench.trial import build
from workbench.types import Unroll, Window, tree_leaves

ROWS, UNROLL = 4, 2
SHORT = {"max_steps": 9}

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "tic_tac_toe": {},
    "connect_four": {},
    "hex": {"size": 3},
    "othello": {},
    "breakthrough": {"rows": 4, "columns": 3},
    "gomoku": {"size": 4, "in_line": 3},
    "openspiel": {"game": "clobber", "parameters": {"rows": 3, "columns": 3}},
    "openspiel nim": {"game": "nim"},
    "hex solved": {"size": 4},
    "four_rooms": SHORT,
    "four_rooms slippery": {"slip": 0.3, **SHORT},
    "maze": {"size": 5, **SHORT},
    "collect": {"size": 5, "goals": 2, "steps": 6},
    "cartpole": SHORT,
    "acrobot": SHORT,
    "mountain_car": SHORT,
    "lunar_lander": SHORT,
    "gymnasium": {"id": "FrozenLake-v1"},
    "minatar breakout": {"game": "breakout", **SHORT},
    "minatar asterix": {"game": "asterix", **SHORT},
    "minatar freeway": {"game": "freeway", **SHORT},
    "minatar seaquest": {"game": "seaquest", **SHORT},
    "minatar space_invaders": {"game": "space_invaders", **SHORT},
    "atari": SHORT,
    "history": {"environment": {"name": "connect_four"}, "frames": 2},
    "history cartpole": {"environment": {"name": "cartpole", **SHORT}, "frames": 2},
}
"""Small configurations with short episodes; the first word of a key is the component's name."""

SMALL: dict[str, Any] = {
    "simulations": 2, "width": 4, "latent_size": 6, "depth": 1, "games": 2, "episodes": 2,
    "opening_moves": 1, "positions": 6, "max_steps": 9, "steps": 4,
    "encoder": {"name": "mlp", "width": 4, "latent_size": 6},
}  # fmt: skip
"""Options that keep a component small, for components that have them."""

BY_SIMULATIONS = {
    "search_budget": [0, 2], "transplant": [0, 2], "matches": [2], "returns": [2],
}  # fmt: skip
"""Options of measures that take several numbers of simulations."""

PROCEDURE: dict[str, Any] = {
    "parallel_environments": ROWS, "batch_size": ROWS, "warm_up": 4, "capacity": 400,
    "steps": 100, "unroll": UNROLL, "random_start": {"fraction": 0.0},
}  # fmt: skip
"""Options of a procedure, where the same names have another meaning."""

VALUE, REWARD = {"low": -3.0, "high": 4.0}, {"low": -1.0, "high": 2.0}
"""Atoms of the scalar heads, which cover the bounds of every environment."""

CELLS: dict[str, dict[str, Any]] = {
    "vector": {"name": "mlp", "width": 4, "latent_size": 6},
    "grid": {"name": "cnn", "width": 4, "depth": 1, "latent_kind": "grid"},
    "nodes": {"name": "gcn", "width": 4, "depth": 1, "latent_kind": "nodes"},
}
"""A representation for each kind of latent."""

DYNAMICS = {"vector": "mlp", "grid": "conv", "nodes": "gcn"}
"""The dynamics for each kind of latent."""

PARTS: dict[str, Any] = {
    "representation": CELLS["vector"],
    "dynamics": {"name": "mlp", "width": 4},
    "prediction": {"name": "mlp", "width": 4, "value": VALUE, "reward": REWARD},
}

BASE: dict[str, Any] = {
    "preset": "muzero",
    "model": PARTS,
    "planner": {"name": "puct", "simulations": 2, "q_normalisation": "min_max"},
    "targets.value": {"name": "n_step", "steps": 2},
    "procedure.parallel_environments": ROWS,
    "procedure.batch_size": ROWS,
    "procedure.warm_up": 4,
    "procedure.unroll": UNROLL,
    "procedure.random_start.fraction": 0.0,
    "measures": {"predictive": None, "decision": None},
}

MEMBERS = {
    "openspiel nim", "four_rooms slippery", "hex solved", "minatar asterix", "minatar freeway",
    "minatar seaquest", "minatar space_invaders", "history cartpole",
}  # fmt: skip
"""Further members of a family. Only representations are tested on them; the rest cannot differ."""

CASES = [
    (environment, kind, name)
    for environment in ENVIRONMENTS
    for kind in FOLDERS
    if kind == "representation" or (kind != "environment" and environment not in MEMBERS)
    for name in components(kind)
]


def test_every_environment_is_covered() -> None:
    assert {environment.split()[0] for environment in ENVIRONMENTS} == set(
        components("environment")
    )


def small(kind: str, name: str) -> dict[str, Any]:
    fields = components(kind)[name].model_fields
    known = SMALL | (PROCEDURE if kind == "procedure" else {})
    known |= {"simulations": BY_SIMULATIONS[name]} if name in BY_SIMULATIONS else {}
    known |= {"value": VALUE, "reward": REWARD} if kind == "prediction" else {}
    return {"name": name, **{option: known[option] for option in known if option in fields}}


def overrides(kind: str, name: str) -> Iterator[dict[str, Any]]:
    """Yield overrides that put a component into a trial, with each kind of partner."""
    entry = small(kind, name)
    if kind == "representation":
        yield {"model.representation": entry, "model.dynamics": "identity"}
    elif kind == "model":
        yield {"model": {**entry, **PARTS}, "losses.reward": None}
    elif kind in ("dynamics", "prediction", "decoder"):
        for latent, representation in CELLS.items():
            yield from _with_latent(kind, entry, latent, representation)
    elif kind == "target":
        role = components("target")[name].role  # type: ignore[attr-defined]
        yield {f"targets.{role}": entry}
    elif kind in ("loss", "measure"):
        yield {f"{kind}s" if kind == "measure" else "losses": {name: entry}, "targets": _targets()}
    else:
        yield {kind: entry}


def _with_latent(
    kind: str, entry: dict[str, Any], latent: str, representation: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    chosen = {
        "model.representation": representation,
        "model.dynamics": DYNAMICS[latent],
        f"model.{kind}": entry,
    }
    cls: Any = components(kind)[entry["name"]]
    if kind == "dynamics" and cls.simulator:
        chosen |= {
            "planner.interior_legality": True,
            "losses": {"reward": None, "termination": None},
        }
    yield chosen


def _targets() -> dict[str, Any]:
    """Return a target for every key that a loss can read."""
    return {cls.role: small("target", n) for n, cls in components("target").items() if cls.role}  # type: ignore[attr-defined]


def read(environment: str, kind: str, name: str) -> tuple[TrialConfig | None, list[str]]:
    """Return the first valid trial with the component, or None and all messages."""
    messages: list[str] = []
    entry = {"name": environment.split()[0], **ENVIRONMENTS[environment]}
    for override in overrides(kind, name):
        try:
            return trial({"environment": entry, **override}, base=BASE), []
        except ConfigError as error:
            messages += [problem.message for problem in error.problems]
    return None, messages


@cache
def scene(environment: str) -> tuple[TrialParts, Window]:
    """Return a trial of the environment without search, and windows of its play."""
    entry = {"name": environment.split()[0], **ENVIRONMENTS[environment]}
    parts = build(trial({"environment": entry, "planner": "policy"}, base=BASE))
    actor = Actor(parts, ROWS, RandomStartConfig(), TemperatureConfig())
    replay = ReplayBuffer(4000, actor.layout)
    while not len(replay):
        _, episodes = actor.step(parts.model)
        if episodes is not None:
            replay.add(episodes)
    return parts, replay.sample(ROWS, UNROLL, 12, Generator().manual_seed(1))


@pytest.mark.parametrize(("environment", "kind", "name"), CASES)
def test_component_works_in_environment_or_is_rejected_with_both_names(
    environment: str, kind: str, name: str
) -> None:
    config, messages = read(environment, kind, name)
    if config is None:
        for message in messages:
            named = set(re.findall(r"'([a-z0-9_]+)(?::[^']*)?'", message))
            assert len(named) >= 2, message
        assert any(f"'{name}'" in message for message in messages), messages
        return
    parts = build(config)
    assert parts.environment.spec == config.environment.spec()
    WORKS[kind](parts, scene(environment)[1], name)


def unrolled(parts: TrialParts, window: Window) -> Unroll:
    """Return the model's predictions along real actions, if its dynamics are learned."""
    generator = Generator().manual_seed(2)
    root = parts.model.represent(window.observation[:, 0], generator)
    return parts.model.unroll(root, window.action, generator, 0.5)


def model_works(parts: TrialParts, window: Window, name: str) -> None:
    environment, model = parts.environment, parts.model
    generator = Generator().manual_seed(3)
    state = environment.reset(ROWS, generator)
    latent = model.represent(environment.observe(state), generator, state)
    for _ in range(2):
        heads = model.predict(latent)
        assert heads.policy.shape == (ROWS, environment.spec.actions)
        assert heads.value.shape == (ROWS,)
        assert all(bool(tensor.isfinite().all()) for tensor in tree_leaves(heads))
        legal = environment.legal(state) if heads.legal is None else heads.legal
        action = legal.float().argmax(-1)
        latent, edge = model.step(latent, action, generator)
        assert edge.reward.shape == edge.discount.shape == (ROWS,)
    if not model.spec.needs_state:
        assert unrolled(parts, window).heads.value.shape == (ROWS, UNROLL + 1)
    if "observation" in model.spec.heads:
        assert model.decode(latent).shape == (ROWS, *environment.spec.observation)


def planner_works(parts: TrialParts, window: Window, name: str) -> None:
    environment, model = parts.environment, parts.model
    generator = Generator().manual_seed(4)
    state = environment.reset(ROWS, generator)
    legal = environment.legal(state)
    root = model.represent(environment.observe(state), generator, state)
    for explore in (False, True):
        plan = parts.planner.plan(model, root, legal, generator, explore)
        assert plan.policy.shape == (ROWS, environment.spec.actions)
        assert not plan.policy[~legal].any()
        assert torch.allclose(plan.policy.sum(-1), torch.ones(ROWS), atol=1e-5)
        assert bool(legal[torch.arange(ROWS), plan.best_action()].all())


def targets_of(parts: TrialParts, window: Window) -> dict[str, Any]:
    g = Generator().manual_seed(5)
    model = parts.model
    context = Context(True, model, model, parts.planner, g)
    return {key: make(window, context) for key, make in parts.targets.items()}


def target_works(parts: TrialParts, window: Window, name: str) -> None:
    for target in targets_of(parts, window).values():
        assert target.mask.shape == target.value.shape[:2] == (ROWS, UNROLL + 1)
        assert target.value.dtype == torch.bool or bool(target.value.isfinite().all())


def loss_works(parts: TrialParts, window: Window, name: str) -> None:
    error: Tensor = parts.losses[name](unrolled(parts, window), targets_of(parts, window), None)
    assert error.shape == (ROWS, UNROLL + 1)
    assert bool(error.isfinite().all())


def procedure_works(parts: TrialParts, window: Window, name: str) -> None:
    procedure = parts.config.procedure.build(parts)
    procedure.advance()
    procedure.advance()
    assert procedure.steps > 0


def measure_works(parts: TrialParts, window: Window, name: str) -> None:
    measure: Any = parts.config.measures[name].build(parts)
    row = measure(parts.model, parts.planner)
    assert row or measure.details(parts.model, parts.planner)
    assert all(value is None or value == value for value in row.values())


WORKS = {
    "representation": model_works,
    "dynamics": model_works,
    "prediction": model_works,
    "decoder": model_works,
    "model": model_works,
    "planner": planner_works,
    "target": target_works,
    "loss": loss_works,
    "procedure": procedure_works,
    "measure": measure_works,
}
