"""The score of greedy play against fixed opponents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from workbench.contracts import Facts, Planner
from workbench.errors import WorkbenchError
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.play.decision_rules import by_search, greedy
from workbench.measures.play.episodes import AgentPlayer, Player, RandomPlayer, play, stream
from workbench.measures.play.opponents import opponents
from workbench.metrics import Reading
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
        oracle: bool = False,
        planners: Mapping[int, Planner] | None = None,
    ) -> None:
        """`planners` play too, by their simulations, but not against the oracle.

        Raises:
            WorkbenchError: the openings cannot be played, or an opponent cannot play.
        """
        self._environment = environment
        self._choices, self._planners = greedy(prior), planners or {}
        self._opponents = opponents(environment, mcts_rollouts, oracle)
        opened, first = openings(environment, games // 2, opening)
        self._begun = map_tensors(lambda half: torch.cat([half, half]), opened)
        # The agent, player 0, is first to move in one half of the games.
        self._turn = torch.cat([first, 1 - first])

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        row: dict[str, float | None] = {
            f"decision/{name}_score{against}": self.score(
                AgentPlayer(agent, planner, choice), opponent()
            )
            for name, choice in self._choices.items()
            for against, opponent in self._opponents.items()
        }
        for (name, many), opponent in self._by_simulations().items():
            player = AgentPlayer(agent, self._planners[many], by_search)
            row[_at(name, many)] = self.score(player, opponent())
        return row

    def _by_simulations(self) -> dict[tuple[str, int], Callable[[], Player]]:
        """Metric and simulations, with the opponent."""
        return {
            (f"decision/search_score{against}", many): opponent
            for many in self._planners
            for against, opponent in self._opponents.items()
            if against != "_oracle"
        }

    def facts(self) -> Facts:
        """Chance is uniformly random play; against itself that is 1/2, both sides being played."""
        blind = {"": 0.5} | {
            against: self.score(RandomPlayer(stream("random")), opponent())
            for against, opponent in self._opponents.items()
            if against
        }
        levels = {
            f"decision/{name}_score{against}": {"chance": level}
            for name in self._choices
            for against, level in blind.items()
        }
        levels |= {_at(name, many): levels[name] for name, many in self._by_simulations()}
        begun = self._environment.observe(self._begun)
        return Facts(digest(begun, self._turn), len(self._turn) // 2, {}, levels)

    def against_random(self, player: Player) -> float:
        """Mean score of `player` against random moves."""
        return self.score(player, self._opponents[""]())

    def score(self, player: Player, other: Player) -> float:
        """Mean score of `player` in all the games against `other`."""
        players, chance = [player, other], stream("episodes")
        gained = play(self._environment, self._begun, players, self._turn, chance).gained
        return float((1 + gained.sign()).mean() / 2)


def _at(name: str, simulations: int) -> str:
    return str(Reading(name, None, {"simulations": str(simulations)}))


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
