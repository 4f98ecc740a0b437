"""Checks of targets, losses and procedures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator

from workbench.components import LossConfig, ProcedureConfig, TargetConfig, target_makers
from workbench.contract_check.check import Check, ContractViolation, require
from workbench.contract_check.scenes import (
    BATCH,
    CONTROL,
    GAME,
    UNROLL,
    Scene,
    first_compatible,
    game_scene,
    scenes,
)
from workbench.contracts import TrialParts
from workbench.trial import build
from workbench.types import Target

STEPS = (BATCH, UNROLL + 1)
"""Shape of everything that a target or a loss gives for each row and unroll step."""


def target_checks(cls: type[TargetConfig]) -> Iterator[Check]:
    """Yield the checks of a target."""
    yield Check(
        "losses can find it by its role", lambda: require(cls.role, "it has no `role`"), needed=True
    )
    for absorbing, name in ((True, "absorbing"), (False, "masked")):
        yield Check(
            f"it has value and mask of every step ({name} past the end)",
            lambda absorbing=absorbing: _target(cls, absorbing),  # type: ignore[misc]
        )


def _target(cls: type[TargetConfig], absorbing: bool) -> None:
    scene = game_scene()
    target: Target = cls().build()(scene.window, scene.context(absorbing))
    value, mask = target.value, target.mask
    require(mask.shape == STEPS, f"its mask has shape {list(mask.shape)}, not {list(STEPS)}")
    require(
        value.shape[:2] == STEPS,
        f"its value has shape {list(value.shape)}, which does not begin with {list(STEPS)}",
    )
    require(((mask == 0) | (mask == 1)).all(), "its mask has values other than 0 and 1")
    require(mask.any(), "its mask is 0 everywhere")
    require(value.isfinite().all(), "its value is not finite")
    require(not value.requires_grad, "its value carries a gradient")
    require(not value.dtype.is_complex, "its value is complex")


def loss_checks(cls: type[LossConfig]) -> Iterator[Check]:
    """Yield the checks of a loss."""
    chosen: list[Scene] = []

    def has_inputs() -> None:
        lacking = sorted(role for role in cls.targets if not target_makers(role))
        require(not lacking, f"no target component makes {', '.join(lacking)}")
        for scene in scenes():
            if cls.requires <= scene.parts.model.spec.heads and cls.targets <= set(
                scene.parts.targets
            ):
                chosen.append(scene)
                return
        heads = sorted({head for s in scenes() for head in s.parts.model.spec.heads})
        raise ContractViolation(
            f"it requires heads {sorted(cls.requires)} and targets {sorted(cls.targets)}; "
            f"the models of the check have heads {heads}"
        )

    yield Check("a model and targets give its inputs", has_inputs, needed=True)
    yield Check("it is finite and not negative", lambda: _is_finite(cls, chosen[0]), needed=True)
    yield Check("it is 0 where its targets are masked", lambda: _is_masked(cls, chosen[0]))
    yield Check("it gives the model a gradient", lambda: _gives_gradient(cls, chosen[0]))


class _LossRun:
    """A loss on the windows of a scene."""

    def __init__(self, cls: type[LossConfig], scene: Scene) -> None:
        parts, window = scene.parts, scene.window
        g = Generator()
        self.targets = scene.targets()
        root = parts.model.represent(window.observation[:, 0], g)
        self.unroll = parts.model.unroll(root, window.action, g, 0.5)
        self.loss = cls().build(parts.model)
        self.error = self.loss(self.unroll, self.targets, None)


def _is_finite(cls: type[LossConfig], scene: Scene) -> None:
    error = _LossRun(cls, scene).error
    require(error.shape == STEPS, f"it has shape {list(error.shape)}, not {list(STEPS)}")
    require(error.isfinite().all(), "it is not finite")
    require((error >= 0).all(), "it is negative")
    require(float(error.detach().sum()) > 0, "it is 0 for every row and step")


def _is_masked(cls: type[LossConfig], scene: Scene) -> None:
    run = _LossRun(cls, scene)
    keep = torch.rand(*STEPS, generator=Generator().manual_seed(4)) < 0.5
    masked = {key: Target(t.value, t.mask * keep) for key, t in run.targets.items()}
    part = run.loss(run.unroll, masked, None)
    require(not part[~keep].any(), "it is not 0 where its targets are masked")
    require(
        not cls.entrywise or torch.equal(part[keep], run.error[keep]),
        "an entry changes with the masks of others, and `entrywise` is true",
    )


def _gives_gradient(cls: type[LossConfig], scene: Scene) -> None:
    model = scene.parts.model
    model.zero_grad()
    total: Any = _LossRun(cls, scene).error.sum()
    require(total.requires_grad, "it carries no gradient")
    total.backward()
    reached = any(p.grad is not None for p in model.parameters())
    model.zero_grad()
    require(reached, "no parameter of the model gets a gradient")


def procedure_checks(cls: type[ProcedureConfig]) -> Iterator[Check]:
    """Yield the checks of a training procedure."""
    yield Check("it continues from its state as if never stopped", lambda: _resumes(cls.component))


def _resumes(name: str) -> None:
    config = first_compatible({"procedure.name": name}, (GAME, CONTROL))

    def start() -> tuple[TrialParts, Any]:
        parts = build(config)
        return parts, config.procedure.build(parts)

    first, whole = start()
    while whole.updates < 3:
        before = whole.steps, whole.updates, whole.fraction
        whole.advance()
        after = whole.steps, whole.updates, whole.fraction
        require(before < after, f"`advance` does not progress: {before} before, {after} after")
    saved = _through_bytes(whole.state_dict()), _through_bytes(first.streams.state_dict())
    second, resumed = start()
    resumed.load_state_dict(saved[0])
    second.streams.load_state_dict(saved[1])
    while whole.updates < 6:
        whole.advance()
        resumed.advance()
    require(
        resumed.updates == whole.updates,
        f"{resumed.updates} updates after a resume, {whole.updates} without",
    )
    diagnostics = whole.diagnostics()
    require(diagnostics, "`diagnostics` is empty")
    others = [key for key in diagnostics if not key.startswith("training/")]
    require(not others, f"names of diagnostics do not begin with 'training/': {others}")
    require(resumed.diagnostics() == diagnostics, "diagnostics differ after a resume")
    mine, theirs = resumed.agent.state_dict(), whole.agent.state_dict()
    different = [key for key in mine if not torch.equal(mine[key], theirs[key])]
    require(not different, f"weights differ after a resume: {', '.join(different[:3])}")


def _through_bytes(state: Any) -> Any:
    """Save and load a state as a checkpoint does, without any class of the project."""
    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return torch.load(stream, weights_only=True)
