"""Captions: how to read each figure."""

from __future__ import annotations

from analysis.by_depth import MIN_CASES
from analysis.formatting import resolve_metric
from analysis.frames import StudyResults
from analysis.gallery import SATURATION_SHARE


def captions(results: StudyResults) -> dict[str, str]:
    """Return the caption of each figure, in terms of the study's two metrics."""
    predictive, primary = (resolve_metric(results.study[key]) for key in ("predictive", "primary"))
    right = "left" if predictive.better == "lower" else "right"
    down = "bottom" if primary.better == "lower" else "top"
    asinh = "An axis uses an asinh scale if most results are near the optimum and some far from it"
    bars = "bars are 95 % Student t intervals over seeds"
    bands = (
        "Lines are means of the conditions, small dots are seeds, bands are 95 % t intervals over "
        f"seeds (cut at the frame). {asinh}."
    )
    return {
        "accuracy_and_decisions": (
            "How to read: each small marker is one finished trial at its last checkpoint, each "
            f"large open marker the mean of a condition; {bars} (cut at the frame). A condition "
            f"further to the {right} predicts better, one nearer the {down} decides better. If "
            "predictive accuracy determined decision quality, the conditions would line up "
            f"towards the {down} {right} corner. {asinh}. Dashed lines are reference levels: the "
            "naive baseline and the oracle. An arrow marks a level beyond the axis. "
            f"{primary.description}"
        ),
        "learning_curves": (
            "How to read: a thin line is one seed, a thick line the mean of the finished seeds, "
            "a band its 95 % t interval at each step (cut at the frame). Unfinished trials are "
            "dotted, end in a cross and are excluded from the mean."
        ),
        "error_by_depth": (
            "How to read: the model is unrolled k steps from a real state, and its predictions "
            f"are compared with the truth at that depth. Small dots are trials, {bars}. The "
            "dashed line is the naive baseline. Fewer cases remain at larger depths because "
            "episodes end, so depths do not average over the same states."
        ),
        "depth_error_by_source": (
            "How to read: as in the previous figure, separated by the source of the actions. "
            "Behaviour is a stand-in for a partly trained agent, uniform plays any legal action, "
            "oracle plays optimally; a source is shown if the environment supports it. Colours "
            "are conditions, lines are means over their finished seeds. The dashed line is the "
            "naive baseline along the same actions, with the marker of the source. A model that is "
            "accurate only along good play has larger errors along uniform actions. Without an "
            "oracle, each source starts from states of its own episodes. Depths with fewer "
            f"than {MIN_CASES} cases of a source are omitted."
        ),
        "search_budget": (
            "How to read: the same trained agents, with different numbers of search simulations. "
            f"{bands} If regret does not fall with more simulations, the model misleads the "
            "search. The share of worsened decisions counts positions in which the search "
            "replaces the prior's move by a worse one."
        ),
        "regret_waterfall": (
            "How to read: the top bar is the regret of the learned agent with the number of "
            "simulations given in the axis label. Learned parts are replaced by exact ones (true "
            "dynamics, exact values) or by an uninformative one (uniform prior), without "
            "retraining. The bar of a part is the effect of its replacement on the regret, "
            "averaged over all orders of replacement (Shapley value). A negative effect, a bar to "
            "the left, marks a part whose errors cost regret; a positive effect marks a part that "
            "is better than its replacement. The bottom bar is the regret with all parts "
            "replaced: the top bar plus the effects. Dots are seeds, placed relative to the start "
            "of the mean's bar."
        ),
        "flip_rate": (
            "How to read: the predictions at one depth of the search tree (reward, termination, "
            "value) are replaced by the truth. First panel: how often the search then chooses "
            "another action. Second panel: how much regret this saves. Many changes that save "
            f"nothing are errors between actions of similar value. {bands}"
        ),
        "open_loop_play": (
            "How to read: the agent observes the true state only at every n-th step and imagines "
            "the others. It is given every action and which of its own actions are legal. The "
            "model can be trusted for as many steps as its line stays high. "
            f"{bands}"
        ),
        "gallery": (
            "How to read: each row is one position; filled stones belong to the player to move. "
            "The first board shows the exact value of every move, with the best moves shaded. "
            "The next boards show prior and search visits by condition, averaged over seeds: the "
            "larger the share, the darker the cell or the longer the bar below its column, up to "
            f"{SATURATION_SHARE:.0%}. Frames mark the moves that the searches choose; thicker "
            "frames mean more seeds. The number below is their mean regret. These are the "
            "positions with the largest mean regret over all conditions, not a random sample. "
            "Positions that rotations and reflections of the board map to each other are shown "
            "once; the number below the first board counts them."
        ),
        "paired_differences": (
            "How to read: seeds are paired, so each dot is the difference of one seed. The large "
            "marker is their mean, the line its 95 % paired t interval. A line that crosses zero "
            "establishes no difference."
        ),
    }
