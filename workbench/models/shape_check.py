"""Check of the shapes that the parts of a model return, once when the model is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from workbench.components import ComponentConfig
from workbench.errors import WorkbenchError
from workbench.types import EnvironmentSpec, ModelSpec

ROWS = 2


class WrongShape(WorkbenchError):
    """A component returned another shape than it declared."""


def check_shapes(
    model: Any,
    components: Mapping[str, ComponentConfig],
    spec: ModelSpec,
    environment: EnvironmentSpec,
) -> None:
    """Run every part of a composed model once, on zeros, and compare the shapes that it returns.

    Args:
        model: has the parts `representation`, `prediction` and, if they are learned, `dynamics`
            and `decoder`.
        components: configuration of each part, by kind.
        spec: states the shape of a latent, which the representation declared.
        environment: states the shape of an observation and the number of actions.

    Raises:
        WrongShape: a part returned another shape; the message names its component.
    """

    def expect(kind: str, found: object, shape: tuple[int, ...], what: str = "") -> None:
        _expect(components[kind], found, shape, what)

    latent = torch.zeros(ROWS, *spec.latent.shape)
    with torch.no_grad(), _unchanged(model):
        seen = model.representation(torch.zeros(ROWS, *environment.observation))
        expect("representation", seen, spec.latent.shape)
        heads = model.prediction.heads(latent)
        expect("prediction", heads.policy, (spec.actions,), "policy ")
        expect("prediction", heads.value, (), "value ")
        if not spec.needs_state:
            then = model.dynamics(latent, torch.zeros(ROWS, dtype=torch.int64))
            expect("dynamics", then, spec.latent.shape)
            raw = model.prediction.edge(latent)
            encoding = model.prediction.value_encodings["reward"]
            expect("prediction", raw["reward"], (encoding.size,), "raw reward ")
            expect("prediction", raw["termination"], (), "termination ")
        if model.decoder is not None:
            expect("decoder", model.decoder(latent), environment.observation)


def _expect(component: ComponentConfig, found: object, shape: tuple[int, ...], what: str) -> None:
    if not isinstance(found, Tensor):
        returned = f"a {type(found).__name__}"
    elif len(found) != ROWS if found.dim() else True:
        returned = f"{list(found.shape)} for {ROWS} rows"
    else:
        returned = _batch(tuple(found.shape[1:]))
    if returned != _batch(shape):
        raise WrongShape(
            f"{component.kind} '{component.component}' returned {what}{returned}, "
            f"declared {_batch(shape)}"
        )


def _batch(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(['B', *map(str, shape)])}]"


@contextmanager
def _unchanged(model: nn.Module) -> Iterator[None]:
    """Run the modules in evaluation mode, and restore their modes and the global random stream."""
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.random.fork_rng(devices=[]):
            model.eval()
            yield
    finally:
        for module, training in modes.items():
            module.training = training
