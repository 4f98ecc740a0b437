"""Unrolls of a model along the real actions of an evaluation set."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Generator

from workbench.measures.prediction.evaluation_set import EvaluationSet
from workbench.models.world_model import WorldModel
from workbench.types import Edge, Latent


def unroll_sequences(
    agent: WorldModel, sequences: EvaluationSet
) -> Iterator[tuple[Latent, Edge | None]]:
    """Yield g^k(h(o_0)) of all S sequences at k = 0..K, with the transition to it (None at k = 0).

    for k, (latent, edge) in enumerate(unroll_sequences(agent, sequences)): ...
    """
    generator = Generator()
    latent = agent.represent(sequences.observation[:, 0], generator, sequences.at(0))
    yield latent, None
    for k in range(sequences.action.shape[1]):
        action = sequences.action[:, k].to(agent.device)
        latent, edge = agent.step(latent, action, generator)
        yield latent, edge
