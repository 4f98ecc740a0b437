"""From windows of experience to better weights: unroll, objective, optimiser."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.contracts import Context, Loss, Parts
from workbench.errors import TrialDiverged
from workbench.models.world_model import WorldModel
from workbench.training.ema import Averaged
from workbench.training.muon import Muon
from workbench.training.settings import OptimiserConfig
from workbench.training.target_network import Copied
from workbench.types import Plan, State, Target, Unroll, Window, map_tensors


class Optimisers:
    """Named groups of parameters, each with optimisers of its own."""

    def __init__(self, groups: Mapping[str, tuple[list[Tensor], OptimiserConfig]]) -> None:
        self._settings = {name: settings for name, (_, settings) in groups.items()}
        self._parameters = {
            name: [parameter for parameter in parameters if parameter.requires_grad]
            for name, (parameters, _) in groups.items()
        }
        self._optimisers = {
            name: _optimisers(self._parameters[name], settings)
            for name, settings in self._settings.items()
        }
        """By group, those that step its parameters, by what a checkpoint adds to its name."""

    def pace(self, fraction: float) -> None:
        """Set the step sizes for when so much of the training is done."""
        for name, settings in self._settings.items():
            for optimiser in self._optimisers[name].values():
                optimiser.param_groups[0]["lr"] = settings.learning_rate * settings.decay**fraction

    def step(self, group: str, loss: Tensor) -> None:
        """Descend `loss` in the parameters of one group; those of the others stay as they are."""
        parameters = self._parameters[group]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        limit = self._settings[group].clip
        if limit:
            torch.nn.utils.clip_grad_norm_(parameters, limit)
        for optimiser in self._optimisers[group].values():
            optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        return {name: optimiser.state_dict() for name, optimiser in self._named()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, optimiser in self._named():
            optimiser.load_state_dict(state[name])

    def _named(self) -> Iterator[tuple[str, torch.optim.Optimizer]]:
        for name, optimisers in self._optimisers.items():
            for part, optimiser in optimisers.items():
                yield name + part, optimiser


def _uncompiled(kind: type[torch.optim.Optimizer]) -> Callable[..., torch.optim.Optimizer]:
    """The optimiser without what keeps torch's compiler off its methods, or watches its steps.

    Only to do that torch imports the compiler, which takes a second of every process. The watch,
    for a profiler and hooks that nothing here uses, takes a third of a step.
    """
    names = ("add_param_group", "state_dict", "load_state_dict")
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    plain["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    plain["step"].hooked = True  # as torch marks a step that is watched already
    made: Callable[..., torch.optim.Optimizer] = type(kind.__name__, (kind,), plain)
    return made


_SGD, _AdamW = _uncompiled(torch.optim.SGD), _uncompiled(torch.optim.AdamW)
_Muon = _uncompiled(Muon)


def _optimisers(
    parameters: list[Tensor], settings: OptimiserConfig
) -> dict[str, torch.optim.Optimizer]:
    common = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.name == "sgd":
        return {"": _SGD(parameters, momentum=0.9, **common)}
    if settings.name == "adamw":
        return {"": _AdamW(parameters, fused=True, **common)}
    matrices = [parameter for parameter in parameters if Muon.takes(parameter)]
    others = [parameter for parameter in parameters if not Muon.takes(parameter)]
    found = {}
    if others:
        found[""] = _AdamW(others, fused=True, **common)
    if matrices:
        found[".matrices"] = _Muon(matrices, **common)
    return found


@dataclass(frozen=True)
class Objective:
    """The weighted sum of the loss terms over an unrolled window."""

    terms: Mapping[str, Loss]
    weights: Mapping[str, float]

    def __call__(
        self,
        unroll: Unroll,
        targets: Mapping[str, Target],
        plan: Plan | None,
        rows: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to descend, and each term without its own weight.

        The first state counts whole and each of the K unrolled ones 1/K (MuZero, appendix G). With
        `rows` [B], the errors of each row are multiplied by its weight.
        """
        errors = torch.stack([term(unroll, targets, plan) for term in self.terms.values()])
        if rows is not None:
            errors = errors * rows[:, None]
        steps = errors.shape[2]  # K+1
        share = errors.new_full((steps,), 1 / max(steps - 1, 1))
        share[0] = 1
        means = errors.mean(1) @ share
        weights = means.new_tensor([self.weights[name] for name in self.terms])
        return means @ weights, dict(zip(self.terms, means.detach(), strict=True))


@dataclass(frozen=True)
class Lesson:
    """What one update was about."""

    terms: dict[str, Tensor]
    """The loss and each of its terms."""
    error: Tensor | None
    """[B] |v - z| of the first state, where rows have weights."""


class Learner:
    """Descends the objective on one window after another."""

    def __init__(
        self,
        parts: Parts,
        settings: OptimiserConfig,
        absorbing: bool,
        gradient_scale: float,
        average: float,
        target_every: int,
    ) -> None:
        self._parts = parts
        self.model, self._device = parts.model, parts.model.device
        self._absorbing, self._gradient_scale = absorbing, gradient_scale
        weights = {name: loss.weight for name, loss in parts.config.losses.items()}
        self._objective = Objective(parts.losses, weights)
        self._own = torch.nn.ModuleDict(
            {k: v for k, v in parts.losses.items() if isinstance(v, torch.nn.Module)}
        )
        parameters: list[Tensor] = [*self.model.parameters(), *self._own.parameters()]
        self._optimisers = Optimisers({"model": (parameters, settings)})
        self._average = Averaged(parts, average) if average else None
        self._copied = Copied(parts, target_every) if target_every else None

    @property
    def agent(self) -> WorldModel:
        """The model that acts: the moving average of the weights, or without one the weights."""
        return self._average.model if self._average else self.model

    @property
    def target(self) -> WorldModel:
        """The target network, or without one the model that acts."""
        return self._copied.model if self._copied else self.agent

    def update(self, window: Window, rows: Tensor | None = None, fraction: float = 0.0) -> Lesson:
        """One gradient step, on windows that count as `rows` [B] says.

        `fraction` of the training is done: step sizes hang on it.

        Raises:
            TrialDiverged: the loss is not a finite number.
        """
        generator = self._parts.streams["learner"]
        window = self._moved(window)
        state: State | None = (
            None if window.state is None else map_tensors(lambda t: t[:, 0].cpu(), window.state)
        )
        root = self.model.represent(window.observation[:, 0], generator, state)
        unroll = self.model.unroll(root, window.action, generator, self._gradient_scale)
        planner = self._parts.planner
        plan = (
            planner.plan(self.model, root, window.legal[:, 0], generator)
            if planner.differentiable
            else None
        )
        context = self._context(generator)
        targets = {name: make(window, context) for name, make in self._parts.targets.items()}
        rows = None if rows is None else rows.to(self._device)
        loss, terms = self._objective(unroll, targets, plan, rows)
        self._optimisers.pace(fraction)
        self._descend(loss, terms)
        error = None if rows is None else _error(unroll.heads.value[:, 0], targets["value"])
        return Lesson({"loss": loss.detach(), **terms}, error)

    def _descend(self, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        if not isfinite(loss.item()):
            raise TrialDiverged(
                f"the loss is {loss.item()}: "
                + ", ".join(f"{name} {term.item():.4g}" for name, term in terms.items())
            )
        self._optimisers.step("model", loss)
        if self._average:
            self._average.follow()
        if self._copied:
            self._copied.follow(self.model)

    @torch.no_grad()
    def surprise(self, window: Window, generator: Generator) -> Tensor:
        """[B] |nu - z| of the first states: the search's value against the value target."""
        window = self._moved(window)
        z = self._parts.targets["value"](window, self._context(generator))
        return _error(window.value[:, 0], z)

    def _moved(self, window: Window) -> Window:
        if self._device.type == "cpu":
            return window
        return map_tensors(lambda tensor: tensor.to(self._device), window)

    def _context(self, generator: Generator) -> Context:
        return Context(
            absorbing=self._absorbing,
            model=self.model,
            agent=self.agent,
            planner=self._parts.planner,
            generator=generator,
            copied=self._copied.model if self._copied else None,
        )

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "losses": self._own.state_dict(),
            "optimisers": self._optimisers.state_dict(),
            "average": self._average.state_dict() if self._average else None,
            "target": self._copied.state_dict() if self._copied else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._own.load_state_dict(state["losses"])
        self._optimisers.load_state_dict(state["optimisers"])
        if self._average:
            self._average.load_state_dict(state["average"])
        if self._copied:
            self._copied.load_state_dict(state["target"])


def _error(value: Tensor, target: Target) -> Tensor:
    """[B] how far a value is from the target of the first state; of a vector, the mean."""
    apart = (value.detach() - target.value[:, 0]).abs()
    return apart.reshape(len(apart), -1).mean(1).cpu()
