"""Repeated searches of stored steps, with the acting model or the target network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from tests.workbench.fakes import RecordingPlanner, trial
from workbench.contracts import Context, TrialParts
from workbench.registry import components
from workbench.training.reanalyse import Reanalysis
from workbench.training.self_play_loop import SelfPlayLoop
from workbench.training.settings import ReanalyseConfig
from workbench.training.step_storage import StepReader
from workbench.trial import build

ALPHAZERO = {
    "model.dynamics": "true",
    "planner.interior_legality": True,
    "losses.reward": None,
    "losses.termination": None,
}


def played(changes: dict[str, Any], rounds: int = 25) -> tuple[TrialParts, Any]:
    config = trial({"procedure.warm_up": 100, "procedure.capacity": 400, **changes})
    parts = build(config)
    parts = replace(parts, planner=RecordingPlanner(parts.planner))
    procedure = SelfPlayLoop(parts, config.procedure)  # type: ignore[arg-type]
    for _ in range(rounds):
        procedure.advance()
    return parts, procedure


def columns(procedure: Any) -> dict[str, Tensor]:
    steps = procedure._replay.steps
    return {name: steps[name].clone() for name in steps.layout.keys}


@pytest.mark.parametrize("replaced", [("policy", "value"), ("policy",), ("value",)], ids=str)
@pytest.mark.parametrize(
    "overrides", [{}, ALPHAZERO, {"planner": "policy"}], ids=["mz", "az", "none"]
)
def test_reanalyse_replaces_the_results_of_the_sampled_steps_only(
    replaced: tuple[str, ...], overrides: dict[str, Any]
) -> None:
    parts, procedure = played(overrides)
    replay, before = procedure._replay, columns(procedure)
    named = {name: name in replaced for name in ("policy", "value")}
    reanalysis = Reanalysis(parts, ReanalyseConfig(ratio=1.0, **named), 16)
    reanalysis.advance(16, replay, parts.model)
    after = columns(procedure)
    size = replay.ring.size
    fresh = searched(parts, procedure, size)
    changed = torch.zeros(size, dtype=torch.bool)
    for name in replaced:
        differs = (before[name] != after[name])[:size].reshape(size, -1).any(1)
        assert torch.allclose(after[name][:size][differs], fresh[name][differs], atol=1e-5)
        changed |= differs
    assert 4 < int(changed.sum()) <= 16
    assert bool((before["remaining"][:size][changed] > 0).all())
    for name in set(before) - set(replaced):
        assert torch.equal(before[name], after[name])


@torch.no_grad()
def searched(parts: TrialParts, procedure: Any, size: int) -> dict[str, Tensor]:
    """A search without noise from every row of the replay, as it was stored."""
    rows = {name: held[:size] for name, held in columns(procedure).items()}
    final = rows["remaining"] == 0  # nothing to search there; any state will do
    steps = procedure._replay.steps
    seen = StepReader(steps.layout, ("observation", "legal"))(steps, np.arange(size))
    observation, legal = seen["observation"], seen["legal"] | final[:, None]
    state = rows["state"].masked_fill(final, 0) if "state" in rows else None
    root = parts.model.represent(observation, Generator(), state)
    plan = parts.planner.plan(parts.model, root, legal, Generator())
    return {"policy": plan.policy, "value": plan.value}


CUT = {
    "preset": "muzero_cartpole",
    "environment.max_steps": 10,
    "measures": {"predictive": None, "returns": None},
}


@pytest.mark.parametrize("value", [True, False])
def test_bootstrap_at_a_truncation_uses_the_current_model(value: bool) -> None:
    parts, procedure = played(CUT, 40)
    replay, before = procedure._replay, columns(procedure)
    size = replay.ring.size
    final = before["remaining"][:size] == 0
    ended = before["terminated"][:size]
    assert bool((final & ended).any())
    assert bool((final & ~ended).any())
    Reanalysis(parts, ReanalyseConfig(ratio=40.0, value=value), 16).advance(50, replay, parts.model)
    after = columns(procedure)["value"][:size]
    seen = StepReader(replay.steps.layout, ("observation",))(replay.steps, np.arange(size))
    with torch.no_grad():
        root = parts.model.represent(seen["observation"], Generator())
        now = parts.model.predict(root).value
    assert torch.equal(after[final & ended], before["value"][:size][final & ended])
    changed = after[final & ~ended] != before["value"][:size][final & ~ended]
    if not value:
        assert not bool(changed.any())
        return
    # Five times as many draws as there are rows, so that all cuts but the odd one are met.
    assert float(changed.float().mean()) > 0.9
    renewed = after[final & ~ended][changed]
    assert torch.allclose(renewed, now[final & ~ended][changed], atol=1e-5)


def test_number_of_reanalysis_searches_is_exact_and_they_do_not_explore() -> None:
    parts, _ = played({"procedure.reanalyse.ratio": 0.3, "procedure.parallel_environments": 16}, 40)
    explored = parts.planner.explored  # type: ignore[attr-defined]
    began = explored.index(False)
    # Every 16 steps owe 4.8 searches, made 16 at a time: at the 4th, 7th, 10th, 14th, ... move.
    moves = sum(explored)
    since = moves - (explored[:began].count(True) - 4)
    assert explored.count(False) == int(since * 0.3 + 1e-9)
    assert explored.count(False) > 8


@pytest.mark.parametrize("every", [0, 1000])
def test_reanalysis_uses_the_target_network_if_there_is_one(every: int) -> None:
    parts, procedure = played({"procedure.target_every": every, "procedure.ema_decay": 0.9}, 0)
    searching: list[Any] = []
    plan = parts.planner.plan

    def noted(model: Any, root: Any, legal: Tensor, generator: Generator, **how: Any) -> Any:
        searching.extend([] if how.get("explore") else [model])
        return plan(model, root, legal, generator, **how)

    parts.planner.plan = noted  # type: ignore[method-assign]
    procedure._reanalysis = Reanalysis(parts, ReanalyseConfig(ratio=1.0), 16)
    while len(searching) < 3:
        procedure.advance()
    expected = procedure._learner.target if every else procedure.agent
    assert all(model is expected for model in searching)
    assert expected is not parts.model


def test_windows_contain_the_reanalysed_results() -> None:
    _, procedure = played({})
    replay = procedure._replay
    place = replay.starts[:5]
    new = {"value": torch.full((5,), 0.25), "policy": torch.full((5, 9), 1 / 9)}
    replay.replace(replay.ring.serial(place), new)
    window = replay.window(place, 2, 3, Generator())
    assert window.value[:, 0].tolist() == [0.25] * 5
    assert torch.equal(window.policy[:, 0], new["policy"])


def test_overwritten_rows_are_not_reanalysed() -> None:
    _, procedure = played({})
    replay = procedure._replay
    serial = replay.ring.serial(replay.starts)
    while bool(replay.ring.held(serial).all()):
        procedure.advance()
    held, before = replay.ring.held(serial), columns(procedure)
    replay.replace(serial, {"value": torch.full((len(serial),), 7.0)})
    changed = (replay.steps["value"] == 7.0).nonzero().flatten().tolist()
    assert changed == sorted((serial[held] % replay.ring.capacity).tolist())
    assert 0 < len(changed) < len(serial)
    assert bool((before["value"] != 7.0).all())


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_target_network_is_the_model_of_the_last_interval(average: float) -> None:
    config = trial({"procedure.target_every": 4, "procedure.ema_decay": average})
    parts = build(config)
    procedure: Any = SelfPlayLoop(parts, config.procedure)  # type: ignore[arg-type]
    history: list[dict[str, Tensor]] = []
    copies = {k: v.clone() for k, v in parts.model.state_dict().items()}
    while procedure.updates < 11:
        if procedure.updates == len(history):
            history.append({k: v.clone() for k, v in parts.model.state_dict().items()})
        procedure.advance()
        if procedure.updates and procedure.updates % 4 == 0:
            copies = {k: v.clone() for k, v in parts.model.state_dict().items()}
        target = procedure._learner.target.state_dict()
        assert all(torch.equal(target[name], copies[name]) for name in copies)
    agent = procedure.agent.state_dict()
    assert any(not torch.equal(agent[name], copies[name]) for name in copies)


def test_targets_use_the_target_network_if_there_is_one() -> None:
    config = trial({"procedure.target_every": 100})
    parts = build(config)
    procedure: Any = SelfPlayLoop(parts, config.procedure)  # type: ignore[arg-type]
    while procedure.updates < 3:
        procedure.advance()
    learner = procedure._learner
    window = procedure._replay.sample(6, 2, 0, Generator().manual_seed(0))
    context = learner._context(Generator())
    assert context.target_model is learner.target is not context.agent
    assert replace(context, target_network=None).target_model is context.agent

    def made(name: str, context: Context, **options: Any) -> Tensor:
        maker: Any = components("target")[name]
        value: Tensor = maker(**options).build()(window, context).value
        return value

    swapped = replace(context, agent=learner.target, target_network=None)
    for name, options in (("next_value", {}), ("next_latent", {"network": "target"})):
        assert torch.equal(made(name, context, **options), made(name, swapped, **options))
        plain = replace(context, target_network=None)
        assert not torch.equal(made(name, context, **options), made(name, plain, **options))


def test_frozen_copy_shares_the_simulated_environment() -> None:
    config = trial({**ALPHAZERO, "procedure.target_every": 2})
    parts = build(config)
    procedure: Any = SelfPlayLoop(parts, config.procedure)  # type: ignore[arg-type]
    assert procedure._learner.target is not parts.model
    assert procedure._learner.target._environment is parts.environment
