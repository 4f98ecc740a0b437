"""The score of greedy play against fixed opponents."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.errors import WorkbenchError
from workbench.measures.frozen.digest import digest
from workbench.measures.play.choices import greedy
from workbench.measures.play.episodes import AgentPlayer, Player, RandomPlayer, play, stream
from workbench.measures.play.opponents import opponent
from workbench.models.world_model import WorldModel
from workbench.types import Environment, State, gather, map_tensors

SPARE = 16
"""Openings drawn for each that is needed, since some may end the game."""


class MatchScore:
    """1 for a game won, 1/2 for one drawn; every opening is played from both sides."""

    def __init__(
        self,
        environment: Environment,
        games: int,
        opening: int,
        mcts_rollouts: Sequence[int],
        prior: bool,
    ) -> None:
        """Raises WorkbenchError where the openings cannot be played, or an opponent cannot play."""
        self._environment = environment
        self._choices = greedy(prior)
        self._opponents = {"": 0} | {f"_mcts_{rollouts}": rollouts for rollouts in mcts_rollouts}
        for rollouts in mcts_rollouts:
            opponent(environment, rollouts)
        opened, first = openings(environment, games // 2, opening)
        self._begun = map_tensors(lambda half: torch.cat([half, half]), opened)
        # The agent, player 0, is first to move in one half of the games.
        self._turn = torch.cat([first, 1 - first])

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        return {
            f"decision/{name}_score{against}": self.score(
                AgentPlayer(agent, planner, choice), opponent(self._environment, rollouts)
            )
            for name, choice in self._choices.items()
            for against, rollouts in self._opponents.items()
        }

    def facts(self) -> Facts:
        """Chance is uniformly random play; against itself that is 1/2, both sides being played."""
        blind = {"": 0.5} | {
            against: self.score(
                RandomPlayer(stream("random")), opponent(self._environment, rollouts)
            )
            for against, rollouts in self._opponents.items()
            if rollouts
        }
        levels = {
            f"decision/{name}_score{against}": {"chance": level}
            for name in self._choices
            for against, level in blind.items()
        }
        begun = self._environment.observe(self._begun)
        return Facts(digest(begun, self._turn), len(self._turn) // 2, {}, levels)

    def against_random(self, player: Player) -> float:
        """Mean score of `player` against random moves."""
        return self.score(player, opponent(self._environment, 0))

    def score(self, player: Player, other: Player) -> float:
        """Mean score of `player` in all the games against `other`."""
        players, chance = [player, other], stream("episodes")
        gained = play(self._environment, self._begun, players, self._turn, chance).gained
        return float((1 + gained.sign()).mean() / 2)


def openings(environment: Environment, count: int, moves: int) -> tuple[State, Tensor]:
    """Positions after so many random moves, and who is next there: 0 who began, or 1. [count]

    Raises:
        WorkbenchError: hardly any game lasts so long.
    """
    generator, many = stream("openings"), SPARE * count
    state, turn = environment.reset(many, generator), torch.zeros(many, dtype=torch.int64)
    going = torch.ones(many, dtype=torch.bool)
    player = RandomPlayer(generator)
    for _ in range(moves):
        legal = environment.legal(state) | ~going[:, None]
        action = player.choose(torch.arange(many), legal)
        state, transition = environment.step(state, action, generator)
        turn = torch.where(transition.discount < 0, 1 - turn, turn)
        going &= ~(transition.terminated | transition.truncated)
    found = going.nonzero().flatten()[:count]
    if len(found) < count:
        raise WorkbenchError(
            f"matches with an opening of {moves} moves: of {many} random games of environment "
            f"'{environment.spec.name}' {len(found)} last so long, {count} are needed; "
            "shorten the opening"
        )
    return gather((state, turn), found)
