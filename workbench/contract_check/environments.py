"""Checks of an environment: its specification, its steps, its graphs and its oracle."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Generator

from workbench.components import EnvironmentConfig
from workbench.contract_check.check import Check, require
from workbench.contract_check.scenes import BATCH
from workbench.types import Environment

MOST_STEPS = 200
"""Number of steps of an environment whose episodes have no maximum length."""


def environment_checks(cls: type[EnvironmentConfig]) -> Iterator[Check]:
    """Yield the checks of an environment with default options."""
    built: list[Environment] = []

    def is_built() -> None:
        # Use short episodes if the maximum length can be set.
        config = cls.model_validate({"max_steps": 60} if "max_steps" in cls.model_fields else {})
        environment = config.build()
        require(
            environment.spec == config.spec(),
            f"`spec()` returns {config.spec()}, the environment has {environment.spec}",
        )
        family = environment.spec.name.split(":")[0]  # for a family, the member follows
        require(
            family == cls.component,
            f"its specification has the name '{environment.spec.name}'; "
            f"'{cls.component}' or '{cls.component}:MEMBER' is allowed",
        )
        built.append(environment)

    yield Check("it is built as it is specified", is_built, needed=True)
    yield Check("its steps follow the specification", lambda: _steps(built[0]))
    yield Check("its graphs connect cells in both directions", lambda: _graphs(built[0]))
    yield Check("its oracle agrees with the rules", lambda: _oracle(built[0]))


def _steps(environment: Environment) -> None:
    spec = environment.spec
    g = Generator().manual_seed(6)
    state = environment.reset(BATCH, g)
    over = torch.zeros(BATCH, dtype=torch.bool)
    agents = () if spec.agents == 1 else (spec.agents,)
    for _ in range(spec.horizon or MOST_STEPS):
        _has_shape("observe", environment.observe(state), (BATCH, *agents, *spec.observation))
        legal = environment.legal(state)
        _has_shape("legal", legal, (BATCH, *agents, spec.actions))
        require(legal.dtype == torch.bool, f"`legal` has dtype {legal.dtype}, not bool")
        require(legal.any(-1)[~over].all(), "a state that is not terminal has no legal action")
        weights = legal.float() + over.reshape(-1, *[1] * len(agents), 1)
        action = torch.multinomial(weights.flatten(0, -2), 1, generator=g).view(BATCH, *agents)
        state, transition = environment.step(state, action, g)
        for name in ("reward", "discount"):
            tensor = getattr(transition, name)
            _has_shape(name, tensor, (BATCH,))
            require(tensor.dtype == torch.float32, f"{name} has dtype {tensor.dtype}, not float32")
        require(not transition.reward[over].any(), "a step after the end has a reward")
        require(
            not transition.discount[transition.terminated].any(),
            "a step into a terminal state has a discount other than 0",
        )
        require(
            spec.alternating or (transition.discount >= 0).all(),
            "a discount is negative, although the specification has no alternating players",
        )
        over |= transition.terminated | transition.truncated
    require(
        spec.horizon is None or over.all(),
        f"an episode is longer than the horizon of {spec.horizon} steps",
    )


def _has_shape(name: str, tensor: torch.Tensor, shape: tuple[int, ...]) -> None:
    found = list(tensor.shape)
    require(found == list(shape), f"{name} has shape {found}, declared {list(shape)}")


def _graphs(environment: Environment) -> None:
    for name, graph in environment.spec.graphs.items():
        edges = set(graph.edges)
        lonely = [(a, b) for a, b in graph.edges if (b, a) not in edges or a == b]
        require(not lonely, f"graph '{name}': edges in one direction, or loops: {lonely[:3]}")
        require(
            {node for edge in edges for node in edge} <= set(range(graph.nodes)),
            f"graph '{name}' has {graph.nodes} nodes, and an edge of another one",
        )


def _oracle(environment: Any) -> None:
    spec = environment.spec
    if not spec.oracle:
        return
    g = Generator().manual_seed(7)
    states = environment.positions() if spec.enumerable else environment.reset(BATCH, g)
    q = environment.q(states)
    require(
        torch.equal(q.isfinite(), environment.legal(states)),
        "`q` is not finite for exactly the legal actions",
    )
    finite = q[q.isfinite()]
    require(
        spec.bounds is None or ((finite >= spec.bounds[0]) & (finite <= spec.bounds[1])).all(),
        f"`q` is outside the bounds {spec.bounds}: {float(finite.min())} to {float(finite.max())}",
    )
