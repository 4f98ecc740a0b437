"""Models on which searches are measured, and roots to search from."""

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
class _ShapeOnlyEnvironment:
    """An environment of which only the shapes are used."""

    spec: EnvironmentSpec


def _scalar() -> ScalarHead:
    return ScalarHead(kind="scalar")


def model(name: str, actions: int) -> WorldModel:
    """Return one of `MODELS`, with the same weights every time."""
    return residual_model() if name == "residual" else mlp_model(actions)


def mlp_model(actions: int) -> WorldModel:
    """MLP model: latents of 64, and one hidden layer of 64 in the dynamics and each head."""
    model = Composed(
        representation=representation.MLP(width=64, latent_size=64),
        dynamics=dynamics.MLP(width=64),
        prediction=prediction.MLP(width=64, value=_scalar(), reward=_scalar()),
    )
    return _built(model, EnvironmentSpec("numbers", (8,), actions))


def residual_model() -> WorldModel:
    """Residual model on 6x7 cells: towers of two blocks of 64 channels, heads per cell."""
    model = Composed(
        representation=cast(RepresentationConfig, ResNet(width=64, depth=2, latent_kind="grid")),
        dynamics=Residual(width=64, depth=2),
        prediction=Cells(width=64, value=_scalar(), reward=_scalar()),
    )
    return _built(model, ConnectFour().spec())


def _built(model: Composed, spec: EnvironmentSpec) -> WorldModel:
    environment = cast(Environment, _ShapeOnlyEnvironment(spec))
    return model.build(environment, DISCOUNT, seed=0).eval()


def planner(name: str, simulations: int, actions: int) -> Planner:
    """Return one of `PLANNERS` with its default settings; without `explore` it adds no noise."""
    config: PlannerConfig = PLANNERS[name](simulations=simulations)
    return config.build(EnvironmentSpec("numbers", (8,), actions))


def roots(model: WorldModel, batch: int) -> Latent:
    """Return a batch of latents that the model makes of random numbers."""
    generator = Generator().manual_seed(0)
    first = next(p for p in model.parts()["representation"].parameters())
    board = first.dim() == 4
    shape = (batch, first.shape[1], 6, 7) if board else (batch, first.shape[1])
    with torch.inference_mode():
        return model.represent(torch.rand(shape, generator=generator), generator)
