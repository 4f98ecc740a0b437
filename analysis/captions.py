"""What stands under every figure: how to read it."""

from __future__ import annotations

from analysis.by_depth import FEWEST_CASES
from analysis.formatting import describe
from analysis.frames import StudyResults
from analysis.gallery import FULL


def captions(results: StudyResults) -> dict[str, str]:
    """By figure, in the words of the study's two metrics."""
    predictive, primary = (describe(results.study[key]) for key in ("predictive", "primary"))
    right = "left" if predictive.better == "lower" else "right"
    down = "bottom" if primary.better == "lower" else "top"
    stretched = "where some lie far from the best value and most near it, the axis is stretched"
    bands = f"the band is the 95 % t interval over them (cut at the frame); {stretched}"
    bars = "bars are 95 % Student t intervals over seeds"
    return {
        "accuracy_and_decisions": (
            f"How to read: each small mark is one finished trial at its last checkpoint, each "
            f"large open mark the mean of a condition; {bars}. A condition further {right} "
            f"predicts better, one nearer the {down} decides better; the best corner is the "
            f"{down} {right}. If accuracy were all that mattered, the conditions would line up "
            f"towards that corner; {stretched}. Intervals are cut at the frame. Dashed lines are "
            f"known levels; an arrow marks one that lies beyond the axis. {primary.description}"
        ),
        "learning_curves": (
            "How to read: a thin line a seed, a thick line the mean of the finished seeds, a band "
            "its 95 % t interval at each step (cut at the frame). Trials that did not finish are "
            "dotted, end in a cross, and count for no mean."
        ),
        "error_by_depth": (
            f"How to read: the model is unrolled k moves from a real position and asked about the "
            f"position reached. Small dots are trials, {bars}; the dashed line is chance. The "
            "cases grow fewer with depth, because games end: depths are not averages over the "
            "same positions."
        ),
        "depth_error_by_source": (
            "How to read: as above, told apart by where the imagined moves come from: a stand-in "
            "for a player who is still learning, mostly good moves (behaviour), any legal move "
            "(uniform), perfect play (oracle), as far as the world has them. "
            "Colours are conditions, lines are means over their finished seeds. Dashed is chance "
            "along the same moves, its marks those of the source. A model that is accurate only "
            "where good play leads is worse along uniform moves; in a world without an oracle the "
            "sources also begin at other positions, each at those of its own games. Depths with "
            f"fewer than {FEWEST_CASES} cases of a source are left out."
        ),
        "search_budget": (
            "How to read: the same trained agents with larger and smaller searches. A line is the "
            f"mean of a condition, small dots are seeds, {bands}. Where regret does not fall "
            "with more simulations, the model leads the search astray; what is made worse are "
            "positions whose move the search changed to a worse one."
        ),
        "regret_waterfall": (
            "How to read: the upper bar is the regret of the agent with nothing replaced, by as "
            "many simulations as are told below, whatever its own search has. Replacing a learned "
            "part by the truth (true dynamics, exact values) or by nothing (a uniform prior) saves "
            "regret; each part is owed its mean saving over all orders of replacing them (Shapley "
            "value), and the lower bar is what stays when all are replaced. Together they are the "
            "upper bar. A bar to the right is a part that helps: replacing it costs. Dots are "
            "single seeds, counted from where the mean's bar begins. Nothing was trained again."
        ),
        "flip_rate": (
            "How to read: all that the model predicts at one depth of the tree (reward, end, "
            "value) is replaced by the truth. Left, how often the search then chooses another "
            "move; right, how much regret that saves. Many flips that save nothing are errors "
            f"between moves of like worth. Small dots are seeds, {bands}."
        ),
        "blindfold": (
            "How to read: the agent is shown the true state at every n-th step only and imagines "
            "the others; it is told every move, and which of its own are legal. The further right "
            f"a line holds, the longer the model can be trusted. Small dots are seeds, {bands}."
        ),
        "gallery": (
            "How to read: a row is a position, full stones are those of the player to move. Left, "
            "what every move is worth by exact solution, the best on grey. Then, by condition, "
            "prior and visits of the search, means over its seeds: the larger the share, the "
            f"darker the cell, or the longer the bar under its column, up to {FULL:.0%}. Framed "
            "are the moves that the searches choose, the thicker the more seeds do; below, what "
            "they cost on average. These are the costliest positions where moves differ in worth, "
            "over all conditions: a choice of failures, not a sample."
        ),
        "paired_differences": (
            "How to read: seeds are paired, so each dot is one seed's difference; the mark is "
            "their mean, the line its 95 % paired t interval. A line that crosses zero "
            "establishes nothing."
        ),
    }
