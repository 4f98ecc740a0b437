"""Two orders of the same moves, and how far apart they end in imagination."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from workbench.contracts import Facts, Planner
from workbench.errors import WorkbenchError
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.prediction.probes import SEED
from workbench.measures.prediction.true_latents import distance_apart, distinct, flat
from workbench.models.world_model import WorldModel
from workbench.randomness import seed_of
from workbench.types import Environment, Heads, Latent, State, gather, leaves

GAP, VALUE_GAP = "predictive/transposition_gap", "predictive/transposition_value_gap"

LINES = 20_000
"""Drawn in all, of which those with a transposition are kept."""


@dataclass(frozen=True)
class Pairs:
    """Lines of moves that can be made backwards too and then lead to what looks the same."""

    state: State  # [P, ...] where both begin
    action: Tensor  # [P, M] the one order; the other is from the last to the first


class TranspositionGap:
    """Mean square distance of the two latents, in terms of two random states', and of the values.

    In a game of two, a line is three moves, of which the mover's two change places (a, b, c and
    c, b, a); in a world with one side it is two.
    """

    def __init__(self, environment: Environment, positions: State, pairs: int) -> None:
        """`positions` [N, ...] are not terminal. Raises WorkbenchError: no line has a twin."""
        self._environment = environment
        self._states, _ = distinct(environment.observe(positions), positions)
        self._pairs = transpositions(environment, positions, pairs)

    @torch.inference_mode()
    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """The gap of latents is None where all positions are encoded alike."""
        apart = distance_apart(flat(agent, self._states.encode(agent)))
        one, value = self._imagined(agent, self._pairs.action)
        other, also = self._imagined(agent, self._pairs.action.flip(1))
        gap = float((one - other).double().square().sum(1).mean())
        return {
            GAP: None if apart is None else gap / apart,
            VALUE_GAP: float((value - also).double().square().mean()),
        }

    def facts(self) -> Facts:
        pairs = self._pairs
        many = len(pairs.action)
        whole = digest(*leaves(pairs), *leaves(self._states))
        return Facts(
            whole, len(self._states), {GAP: [many], VALUE_GAP: [many]},
            {GAP: {"chance": 1.0, "oracle": 0.0}, VALUE_GAP: {"oracle": 0.0}},
        )  # fmt: skip

    def _imagined(self, agent: WorldModel, action: Tensor) -> tuple[Tensor, Tensor]:
        """Latent [P, D] and value [P] after the moves."""
        generator, state = Generator(), self._pairs.state
        latent: Latent = agent.represent(self._environment.observe(state), generator, state)
        for move in action.to(agent.device).unbind(1):
            latent, _ = agent.step(latent, move, generator)
        heads: Heads = agent.predict(latent)
        return flat(agent, latent), heads.value.cpu()


def transpositions(environment: Environment, positions: State, most: int) -> Pairs:
    """Random lines from random positions, those that have a twin, none of them twice.

    Raises:
        WorkbenchError: none has one.
    """
    generator = Generator().manual_seed(seed_of(SEED, "transpositions"))
    count = len(leaves(positions)[0])
    state = gather(positions, torch.randint(count, (LINES,), generator=generator))
    action, end, whole = _drawn(environment, state, generator)
    there, possible = _followed(environment, state, action.flip(1), generator)
    observed = [environment.observe(at).flatten(1) for at in (end, there)]
    alike = (observed[0] == observed[1]).all(1)
    kept = whole & possible & alike & (action[:, 0] != action[:, -1])
    found: dict[tuple[bytes, tuple[int, ...]], int] = {}
    for row in kept.nonzero().flatten().tolist():
        moves = tuple(action[row].tolist())
        begun = environment.observe(gather(state, torch.tensor([row])))
        # A line and its twin are one pair.
        found.setdefault((begun.numpy().tobytes(), min(moves, moves[::-1])), row)
        if len(found) == most:
            break
    rows = torch.tensor(list(found.values()), dtype=torch.int64)
    if not len(rows):
        raise WorkbenchError(
            f"measure 'transpositions' found no two orders of the same moves that lead to the same "
            f"observation in environment '{environment.spec.name}'"
        )
    return Pairs(gather(state, rows), action[rows])


def _drawn(
    environment: Environment, state: State, generator: Generator
) -> tuple[Tensor, State, Tensor]:
    """Random legal moves [B, M], where they lead, and whether no end was met. [B] bool"""
    going = torch.ones(len(leaves(state)[0]), dtype=torch.bool)
    moves = []
    for _ in range(3 if environment.spec.alternating else 2):
        legal = environment.legal(state).float()
        over = ~legal.bool().any(-1, keepdim=True)
        moves.append(torch.multinomial(legal + over, 1, generator=generator).squeeze(1))
        state, transition = environment.step(state, moves[-1], generator)
        going &= (transition.discount != 0) & ~over.squeeze(1)
    return torch.stack(moves, 1), state, going


def _followed(
    environment: Environment, state: State, action: Tensor, generator: Generator
) -> tuple[State, Tensor]:
    """Where moves [B, M] lead, and whether all were possible and none ended it. [B] bool"""
    going = torch.ones(len(action), dtype=torch.bool)
    for move in action.unbind(1):
        legal = environment.legal(state)
        possible = legal.gather(1, move[:, None]).squeeze(1)
        allowed = move.where(possible, legal.int().argmax(-1))
        state, transition = environment.step(state, allowed, generator)
        going &= possible & (transition.discount != 0)
    return state, going
