"""Distance between the latents after two orders of the same actions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.errors import WorkbenchError
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.prediction.probes import SEED
from workbench.measures.prediction.true_latents import (
    flatten_latent,
    mean_pair_distance,
    unique_rows,
)
from workbench.models.world_model import WorldModel
from workbench.randomness import derive_seed
from workbench.types import Environment, Heads, Latent, State, gather, tree_leaves

GAP, VALUE_GAP = "predictive/transposition_gap", "predictive/transposition_value_gap"

LINES = 20_000
"""Number of lines drawn; those with a transposition are kept."""


@dataclass(frozen=True)
class TranspositionPairs:
    """Lines of actions whose reverse order is possible and leads to the same observation."""

    state: State  # [P, ...] common start
    action: Tensor  # [P, M] one order; the other is its reverse


class TranspositionGap:
    """Mean squared distance of two latents, relative to random states, and of their values.

    In a two-player game a line has three moves, and the first player's two are swapped (a, b, c and
    c, b, a); in a single-agent environment it has two.
    """

    def __init__(self, environment: Environment, positions: State, pairs: int) -> None:
        """`positions` [N, ...] are not terminal.

        Raises WorkbenchError if no line has a transposition.
        """
        self._environment = environment
        self._states, _ = unique_rows(environment.observe(positions), positions)
        self._pairs = transpositions(environment, positions, pairs)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Return the metrics; the latent gap is None if all positions are encoded alike."""
        apart = mean_pair_distance(flatten_latent(agent, self._states.encode(agent)))
        one, value = self._imagined(agent, self._pairs.action)
        other, also = self._imagined(agent, self._pairs.action.flip(1))
        gap = float((one - other).double().square().sum(1).mean())
        return {
            GAP: None if apart is None else gap / apart,
            VALUE_GAP: float((value - also).double().square().mean()),
        }

    def info(self) -> MeasureInfo:
        """Return the evaluation set's digest and the reference levels."""
        pairs = self._pairs
        many = len(pairs.action)
        whole = digest(*tree_leaves(pairs), *tree_leaves(self._states))
        return MeasureInfo(
            whole, len(self._states), {GAP: [many], VALUE_GAP: [many]},
            {GAP: {"naive": 1.0, "oracle": 0.0}, VALUE_GAP: {"oracle": 0.0}},
        )  # fmt: skip

    def _imagined(self, agent: WorldModel, action: Tensor) -> tuple[Tensor, Tensor]:
        """Return latent [P, D] and value [P] after the actions."""
        generator, state = Generator(), self._pairs.state
        latent: Latent = agent.represent(self._environment.observe(state), generator, state)
        for move in action.to(agent.device).unbind(1):
            latent, _ = agent.step(latent, move, generator)
        heads: Heads = agent.predict(latent)
        return flatten_latent(agent, latent), heads.value.cpu()


def transpositions(environment: Environment, positions: State, most: int) -> TranspositionPairs:
    """Return unique random lines from random positions that have a transposition.

    Raises:
        WorkbenchError: no line has one.
    """
    generator = Generator().manual_seed(derive_seed(SEED, "transpositions"))
    count = len(tree_leaves(positions)[0])
    state = gather(positions, torch.randint(count, (LINES,), generator=generator))
    action, end, whole = _random_line(environment, state, generator)
    there, possible = _follow_line(environment, state, action.flip(1), generator)
    observed = [environment.observe(at).flatten(1) for at in (end, there)]
    alike = (observed[0] == observed[1]).all(1)
    kept = whole & possible & alike & (action[:, 0] != action[:, -1])
    found: dict[tuple[bytes, tuple[int, ...]], int] = {}
    for row in kept.nonzero().flatten().tolist():
        moves = tuple(action[row].tolist())
        begun = environment.observe(gather(state, torch.tensor([row])))
        # A line and its reverse are one pair.
        found.setdefault((begun.numpy().tobytes(), min(moves, moves[::-1])), row)
        if len(found) == most:
            break
    rows = torch.tensor(list(found.values()), dtype=torch.int64)
    if not len(rows):
        raise WorkbenchError(
            f"measure 'transpositions' found no two orders of the same moves that lead to the same "
            f"observation in environment '{environment.spec.name}'"
        )
    return TranspositionPairs(gather(state, rows), action[rows])


def _random_line(
    environment: Environment, state: State, generator: Generator
) -> tuple[Tensor, State, Tensor]:
    """Return random legal actions [B, M], their final states, and a mask [B] of unended lines."""
    going = torch.ones(len(tree_leaves(state)[0]), dtype=torch.bool)
    moves = []
    for _ in range(3 if environment.spec.alternating else 2):
        legal = environment.legal(state).float()
        over = ~legal.bool().any(-1, keepdim=True)
        moves.append(torch.multinomial(legal + over, 1, generator=generator).squeeze(1))
        state, transition = environment.step(state, moves[-1], generator)
        going &= (transition.discount != 0) & ~over.squeeze(1)
    return torch.stack(moves, 1), state, going


def _follow_line(
    environment: Environment, state: State, action: Tensor, generator: Generator
) -> tuple[State, Tensor]:
    """Return the states after actions [B, M], and a mask [B] of legal, unended lines."""
    going = torch.ones(len(action), dtype=torch.bool)
    for move in action.unbind(1):
        legal = environment.legal(state)
        possible = legal.gather(1, move[:, None]).squeeze(1)
        allowed = move.where(possible, legal.int().argmax(-1))
        state, transition = environment.step(state, allowed, generator)
        going &= possible & (transition.discount != 0)
    return state, going
