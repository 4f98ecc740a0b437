"""Score of greedy play against fixed opponents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from workbench.contracts import MeasureInfo, Planner
from workbench.errors import WorkbenchError
from workbench.measures.evaluation_sets.digest import digest
from workbench.measures.play.decision_rules import decision_rules, search_action
from workbench.measures.play.episodes import (
    AgentPlayer,
    Player,
    RandomPlayer,
    fixed_generator,
    play,
)
from workbench.measures.play.opponents import opponents
from workbench.metrics import Reading
from workbench.models.world_model import WorldModel
from workbench.types import Environment, State, gather, tree_map

SPARE = 16
"""Number of openings drawn per opening needed, because some end the game."""


class MatchScore:
    """Score: 1 for a win, 1/2 for a draw; every opening is played from both sides."""

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
        """`planners` play too, by number of simulations, but not against the oracle.

        Raises:
            WorkbenchError: the openings cannot be played, or an opponent cannot play.
        """
        self._environment = environment
        self._choices, self._planners = decision_rules(prior), planners or {}
        self._opponents = opponents(environment, mcts_rollouts, oracle)
        opened, first = openings(environment, games // 2, opening)
        self._starts = tree_map(lambda half: torch.cat([half, half]), opened)
        # The agent, player 0, moves first in one half of the games.
        self._turn = torch.cat([first, 1 - first])

    def __call__(self, agent: WorldModel, planner: Planner) -> dict[str, float | None]:
        """Measure the agent and return the metrics."""
        row: dict[str, float | None] = {
            f"decision/{name}_score{against}": self.score(
                AgentPlayer(agent, planner, choice), opponent()
            )
            for name, choice in self._choices.items()
            for against, opponent in self._opponents.items()
        }
        for (name, many), opponent in self._by_simulations().items():
            player = AgentPlayer(agent, self._planners[many], search_action)
            row[_at(name, many)] = self.score(player, opponent())
        return row

    def _by_simulations(self) -> dict[tuple[str, int], Callable[[], Player]]:
        """Yield metric and simulations, with the opponent."""
        return {
            (f"decision/search_score{against}", many): opponent
            for many in self._planners
            for against, opponent in self._opponents.items()
            if against != "_oracle"
        }

    def info(self) -> MeasureInfo:
        """Return levels; the naive one is random play, which scores 1/2 against itself."""
        blind = {"": 0.5} | {
            against: self.score(RandomPlayer(fixed_generator("random")), opponent())
            for against, opponent in self._opponents.items()
            if against
        }
        levels = {
            f"decision/{name}_score{against}": {"naive": level}
            for name in self._choices
            for against, level in blind.items()
        }
        levels |= {_at(name, many): levels[name] for name, many in self._by_simulations()}
        begun = self._environment.observe(self._starts)
        return MeasureInfo(digest(begun, self._turn), len(self._turn) // 2, {}, levels)

    def against_random(self, player: Player) -> float:
        """Return the mean score of `player` against random moves."""
        return self.score(player, self._opponents[""]())

    def score(self, player: Player, other: Player) -> float:
        """Return the mean score of `player` against `other`."""
        players, chance = [player, other], fixed_generator("episodes")
        gained = play(self._environment, self._starts, players, self._turn, chance).gained
        return float((1 + gained.sign()).mean() / 2)


def _at(name: str, simulations: int) -> str:
    return str(Reading(name, None, {"simulations": str(simulations)}))


def openings(environment: Environment, count: int, moves: int) -> tuple[State, Tensor]:
    """Return [count] positions after random moves, and the player to move: 0 for the first player.

    Raises:
        WorkbenchError: hardly any game lasts that long.
    """
    generator, many = fixed_generator("openings"), SPARE * count
    state, turn = environment.reset(many, generator), torch.zeros(many, dtype=torch.int64)
    going = torch.ones(many, dtype=torch.bool)
    player = RandomPlayer(generator)
    for _ in range(moves):
        legal = environment.legal(state) | ~going[:, None]
        action = player.act(torch.arange(many), legal)
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
