"""The learner: unroll a training window, compute the objective, step the optimisers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import torch
from torch import Generator, Tensor

from workbench.contracts import Context, Loss, TrialParts
from workbench.errors import TrialDiverged
from workbench.models.world_model import WorldModel
from workbench.training.clamped_targets import ClampedTargets
from workbench.training.ema import WeightAverage
from workbench.training.muon import Muon
from workbench.training.settings import OptimiserConfig
from workbench.training.target_network import TargetNetwork
from workbench.types import Plan, State, Target, Unroll, Window, tree_map


class Optimisers:
    """Optimisers of named parameter groups."""

    def __init__(self, groups: Mapping[str, tuple[list[Tensor], OptimiserConfig]]) -> None:
        self._settings = {name: settings for name, (_, settings) in groups.items()}
        self._parameters = {
            name: [parameter for parameter in parameters if parameter.requires_grad]
            for name, (parameters, _) in groups.items()
        }
        self._optimisers = {
            name: _build_optimisers(self._parameters[name], settings)
            for name, settings in self._settings.items()
        }
        """For each group, its optimisers by the suffix of their name in a checkpoint."""

    def set_learning_rates(self, fraction: float) -> None:
        """Set the learning rates for `fraction` of the training done."""
        for name, settings in self._settings.items():
            for optimiser in self._optimisers[name].values():
                optimiser.param_groups[0]["lr"] = (
                    settings.learning_rate * settings.learning_rate_decay**fraction
                )

    def step(self, group: str, loss: Tensor) -> None:
        """Take a step of gradient descent on `loss` in the parameters of one group."""
        parameters = self._parameters[group]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        limit = self._settings[group].max_gradient_norm
        if limit:
            torch.nn.utils.clip_grad_norm_(parameters, limit)
        for optimiser in self._optimisers[group].values():
            optimiser.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {name: optimiser.state_dict() for name, optimiser in self._named()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        for name, optimiser in self._named():
            optimiser.load_state_dict(state[name])

    def _named(self) -> Iterator[tuple[str, torch.optim.Optimizer]]:
        for name, optimisers in self._optimisers.items():
            for part, optimiser in optimisers.items():
                yield name + part, optimiser


def _without_compile_hooks(
    kind: type[torch.optim.Optimizer],
) -> Callable[..., torch.optim.Optimizer]:
    """Return the optimiser class without torch's wrappers for its compiler and profiler.

    The wrappers import the compiler, which takes a second in every process. The profiler hooks,
    which nothing here uses, take a third of the time of an optimiser step.
    """
    names = ("add_param_group", "state_dict", "load_state_dict")
    plain = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    plain["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    plain["step"].hooked = True  # torch's mark of a step that is already wrapped
    made: Callable[..., torch.optim.Optimizer] = type(kind.__name__, (kind,), plain)
    return made


_SGD, _AdamW = _without_compile_hooks(torch.optim.SGD), _without_compile_hooks(torch.optim.AdamW)
_Muon = _without_compile_hooks(Muon)


def _build_optimisers(
    parameters: list[Tensor], settings: OptimiserConfig
) -> dict[str, torch.optim.Optimizer]:
    common = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if settings.name == "sgd":
        return {"": _SGD(parameters, momentum=0.9, **common)}
    if settings.name == "adamw":
        return {"": _AdamW(parameters, fused=True, **common)}
    matrices = [parameter for parameter in parameters if Muon.applies_to(parameter)]
    others = [parameter for parameter in parameters if not Muon.applies_to(parameter)]
    found = {}
    if others:
        found[""] = _AdamW(others, fused=True, **common)
    if matrices:
        found[".matrices"] = _Muon(matrices, **common)
    return found


@dataclass(frozen=True)
class Objective:
    """Weighted sum of the loss terms over an unrolled window."""

    terms: Mapping[str, Loss]
    weights: Mapping[str, float]

    def __call__(
        self,
        unroll: Unroll,
        targets: Mapping[str, Target],
        plan: Plan | None,
        rows: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scalar loss, and the unweighted value of each term.

        The first state has weight 1 and each of the K unrolled states 1/K (MuZero, appendix G). The
        errors of row b are multiplied by `rows[b]`, if given.
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
class UpdateStats:
    """Statistics of one update."""

    terms: dict[str, Tensor]
    """Values of the loss and of each of its terms."""
    error: Tensor | None
    """[B] |v - z| of the first state, if rows are weighted."""


class Learner:
    """Minimises the objective, one batch of windows per update."""

    def __init__(
        self,
        parts: TrialParts,
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
        self._loss_modules = torch.nn.ModuleDict(
            {k: v for k, v in parts.losses.items() if isinstance(v, torch.nn.Module)}
        )
        parameters: list[Tensor] = [*self.model.parameters(), *self._loss_modules.parameters()]
        self._optimisers = Optimisers({"model": (parameters, settings)})
        self._weight_average = WeightAverage(parts, average) if average else None
        self._target_network = TargetNetwork(parts, target_every) if target_every else None
        self.clamped = ClampedTargets(self.model.value_encodings)

    @property
    def agent(self) -> WorldModel:
        """Model that acts: with the EMA of the weights, if enabled, else with the weights."""
        return self._weight_average.model if self._weight_average else self.model

    @property
    def target(self) -> WorldModel:
        """Target network, or the model that acts if there is none."""
        return self._target_network.model if self._target_network else self.agent

    def update(
        self, window: Window, rows: Tensor | None = None, fraction: float = 0.0
    ) -> UpdateStats:
        """Take one gradient step on a batch of windows with weights `rows` [B].

        The learning rates depend on `fraction`, the part of the training that is done.

        Raises:
            TrialDiverged: the loss is not finite.
        """
        generator = self._parts.streams["learner"]
        window = self._to_device(window)
        state: State | None = (
            None if window.state is None else tree_map(lambda t: t[:, 0].cpu(), window.state)
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
        self.clamped.count(targets)
        rows = None if rows is None else rows.to(self._device)
        loss, terms = self._objective(unroll, targets, plan, rows)
        self._optimisers.set_learning_rates(fraction)
        self._minimise(loss, terms)
        error = (
            None if rows is None else _absolute_error(unroll.heads.value[:, 0], targets["value"])
        )
        return UpdateStats({"loss": loss.detach(), **terms}, error)

    def _minimise(self, loss: Tensor, terms: Mapping[str, Tensor]) -> None:
        if not isfinite(loss.item()):
            raise TrialDiverged(
                f"the loss is {loss.item()}: "
                + ", ".join(f"{name} {term.item():.4g}" for name, term in terms.items())
            )
        self._optimisers.step("model", loss)
        if self._weight_average:
            self._weight_average.update()
        if self._target_network:
            self._target_network.update(self.model)

    @torch.no_grad()
    def value_error(self, window: Window, generator: Generator) -> Tensor:
        """[B] |nu - z| of the first states: search value nu against value target z."""
        window = self._to_device(window)
        z = self._parts.targets["value"](window, self._context(generator))
        return _absolute_error(window.value[:, 0], z)

    def _to_device(self, window: Window) -> Window:
        if self._device.type == "cpu":
            return window
        return tree_map(lambda tensor: tensor.to(self._device), window)

    def _context(self, generator: Generator) -> Context:
        return Context(
            absorbing=self._absorbing,
            model=self.model,
            agent=self.agent,
            planner=self._parts.planner,
            generator=generator,
            target_network=self._target_network.model if self._target_network else None,
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "losses": self._loss_modules.state_dict(),
            "optimisers": self._optimisers.state_dict(),
            "average": self._weight_average.state_dict() if self._weight_average else None,
            "target": self._target_network.state_dict() if self._target_network else None,
            "clamped": self.clamped.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self._loss_modules.load_state_dict(state["losses"])
        self._optimisers.load_state_dict(state["optimisers"])
        if self._weight_average:
            self._weight_average.load_state_dict(state["average"])
        if self._target_network:
            self._target_network.load_state_dict(state["target"])
        self.clamped.load_state_dict(state.get("clamped", {}))


def _absolute_error(value: Tensor, target: Target) -> Tensor:
    """[B] absolute error of the first state's value; the mean over a vector of values."""
    error = (value.detach() - target.value[:, 0]).abs()
    return error.reshape(len(error), -1).mean(1).cpu()
