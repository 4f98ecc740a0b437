"""Checks of a complete model."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator

from workbench.components import ModelConfig
from workbench.contract_check.check import Check, require
from workbench.contract_check.scenes import CONTROL, GAME, first_compatible
from workbench.contracts import TrialParts
from workbench.trial import build

ROWS = 4


def system_checks(cls: type[ModelConfig]) -> Iterator[Check]:
    """Yield the checks of a complete model with the parts of a small trial."""
    built: list[TrialParts] = []

    def is_compatible() -> None:
        built.append(build(first_compatible({"model.name": cls.component}, (CONTROL, GAME))))

    yield Check("a trial can use it", is_compatible, needed=True)
    yield Check("its specification is known without building it", lambda: _spec(built[0]))
    yield Check("it represents, predicts and steps", lambda: _runs(built[0]))


def _spec(parts: TrialParts) -> None:
    spec = parts.config.model.spec(parts.environment.spec)
    require(parts.model.spec == spec, f"the model has {parts.model.spec}, stated is {spec}")
    require(
        spec.actions == parts.environment.spec.actions,
        f"it has {spec.actions} actions, the environment {parts.environment.spec.actions}",
    )
    lacking = {"policy", "value"} - spec.heads
    require(not lacking, f"it lacks the heads {sorted(lacking)}")


def _runs(parts: TrialParts) -> None:
    environment, model, g = parts.environment, parts.model, Generator().manual_seed(3)
    state = environment.reset(ROWS, g)
    latent = model.represent(environment.observe(state), g, state)
    for _ in range(2):
        heads = model.predict(latent)
        shape, wanted = list(heads.policy.shape), [ROWS, environment.spec.actions]
        require(shape == wanted, f"`policy` has shape {shape}, not {wanted}")
        require(list(heads.value.shape) == [ROWS], f"`value` has shape {list(heads.value.shape)}")
        require(heads.value.isfinite().all(), "`value` is not finite")
        latent, edge = model.step(latent, torch.zeros(ROWS, dtype=torch.int64), g)
        require(list(edge.reward.shape) == [ROWS], f"`reward` has shape {list(edge.reward.shape)}")
