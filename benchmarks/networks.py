"""The models that searches are measured on, and roots to search from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Generator

from workbench.components import PlannerConfig, RepresentationConfig
from workbench.contracts import Planner
from workbench.environments.connect_four import ConnectFour
from workbench.models.dynamics import mlp as dynamics
from workbench.models.dynamics.residual import Residual
from workbench.models.prediction import mlp as prediction
from workbench.models.prediction.cells import Cells
from workbench.models.representation import mlp as representation
from workbench.models.representation.resnet import ResNet
from workbench.models.scalar_head import ScalarHead
from workbench.models.systems.composed import Composed
from workbench.models.world_model import WorldModel
from workbench.planning.gumbel import Gumbel
from workbench.planning.puct import PUCT
from workbench.types import Environment, EnvironmentSpec, Latent

DISCOUNT = 0.997
MODELS = (("mlp", 4), ("mlp", 7), ("mlp", 9), ("residual", 7))
"""Name and number of actions."""
PLANNERS: dict[str, type[PUCT] | type[Gumbel]] = {"puct": PUCT, "gumbel": Gumbel}


@dataclass(frozen=True)
class _Unplayed:
    """A world of which only the shapes are asked."""

    spec: EnvironmentSpec


def _scalar() -> ScalarHead:
    return ScalarHead(kind="scalar")


def model(name: str, actions: int) -> WorldModel:
    """One of `MODELS`, the same numbers every time."""
    return residual() if name == "residual" else perceptron(actions)


def perceptron(actions: int) -> WorldModel:
    """A latent of 64, one hidden layer of 64 in the dynamics and in each of the two heads."""
    model = Composed(
        representation=representation.MLP(width=64, latent_size=64),
        dynamics=dynamics.MLP(width=64),
        prediction=prediction.MLP(width=64, value=_scalar(), reward=_scalar()),
    )
    return _built(model, EnvironmentSpec("numbers", (8,), actions))


def residual() -> WorldModel:
    """On Connect Four's 6x7 cells: towers of two blocks of 64 channels, heads cell by cell."""
    model = Composed(
        representation=cast(RepresentationConfig, ResNet(width=64, depth=2, ends_in="grid")),
        dynamics=Residual(width=64, depth=2),
        prediction=Cells(width=64, value=_scalar(), reward=_scalar()),
    )
    return _built(model, ConnectFour().spec())


def _built(model: Composed, spec: EnvironmentSpec) -> WorldModel:
    world = cast(Environment, _Unplayed(spec))
    return model.build(world, DISCOUNT, seed=0).eval()


def planner(name: str, simulations: int, actions: int) -> Planner:
    """One of `PLANNERS` with its default settings; without `explore` it adds no noise."""
    config: PlannerConfig = PLANNERS[name](simulations=simulations)
    return config.build(EnvironmentSpec("numbers", (8,), actions))


def roots(model: WorldModel, batch: int) -> Latent:
    """A batch of latents that the model makes of random numbers."""
    generator = Generator().manual_seed(0)
    first = next(p for p in model.parts()["representation"].parameters())
    board = first.dim() == 4
    shape = (batch, first.shape[1], 6, 7) if board else (batch, first.shape[1])
    with torch.inference_mode():
        return model.represent(torch.rand(shape, generator=generator), generator)
