"""The page and the tables: the answer is honest, complete, escaped, and well formed."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from analysis.caveats import cautions
from analysis.figures import draw_figures
from analysis.findings import answer
from analysis.frames import load_study
from analysis.paired_comparisons import compare
from analysis.report import write_report
from analysis.tables import comparisons_tables, main_frame, main_tables, sizes_table, write_tables
from workbench.errors import WorkbenchError

REGRET, ERROR = "decision/search_regret_decisive", "predictive/value_error"
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Text and attributes of a page; fails on tags that do not close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for key, value in attrs if key in ("href", "src")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def regrets(cnn: list[float], gcn: list[float]) -> dict[tuple[str, int], dict[str, float]]:
    values = {"cnn": cnn, "gcn": gcn}
    return {(name, i): {REGRET: v} for name in values for i, v in enumerate(values[name])}


def headline(make_study: Callable[..., Path], cnn: list[float], gcn: list[float]) -> str:
    folder = make_study(conditions=("cnn", "gcn"), seeds=range(len(cnn)), final=regrets(cnn, gcn))
    return answer(load_study(folder)).headline


def test_the_page_has_answer_failures_figures_and_files(broken_study: Path) -> None:
    report = write_report(broken_study)
    page = Page(report.index.read_text(encoding="utf-8"))
    assert "2 paired seeds" in report.answer
    assert report.answer.split(" had ")[1][:40] in page.text
    assert "Not finished: 3 of 9 trials" in page.text
    assert "TrialDiverged: loss is nan at 2500" in page.text
    assert "workbench ablate configs/gcn_vs_cnn.yaml" in page.text
    assert sum(address.startswith("data:image/svg+xml") for address in page.addresses) == 4
    files = [address for address in page.addresses if not address.startswith("data:")]
    assert files
    assert all((report.index.parent / address).is_file() for address in files)
    assert len(report.figures) == 12
    assert all(path.stat().st_size for path in (*report.figures, *report.tables))
    assert "gcn − cnn" in report.summary


def test_names_that_matplotlib_would_take_for_formulas_are_drawn_as_they_are(
    make_study: Callable[..., Path],
) -> None:
    names = ("cost $1", "a^$_{", r"\$")
    final = {(name, 0): {REGRET: 0.5 + i, ERROR: 0.1} for i, name in enumerate(names)}
    folder = make_study(conditions=names, seeds=range(1), final=final)
    figures = draw_figures(load_study(folder))
    (legend,) = figures["accuracy_and_decisions"].legends
    assert [text.get_text() for text in legend.texts] == [
        "cost \\$1 (1)",
        "a^\\$_{ (1)",
        r"\\$ (1)",
    ]
    assert write_report(folder, folder.parent / "elsewhere").index.is_file()
    assert not (folder / "report").exists()


def test_the_page_of_measured_agents_shows_where_decisions_are_lost(evaluated_study: Path) -> None:
    report = write_report(evaluated_study)
    page = Page(report.index.read_text(encoding="utf-8"))
    assert sum(address.startswith("data:image/svg+xml") for address in page.addresses) == 10
    for heading in ("Which part loses the decisions", "The costliest positions"):
        assert heading in page.text
    assert "Decision-relevant error" in page.text
    assert any(path.name == "evaluation.csv" for path in report.tables)


def test_words_from_outside_cannot_become_markup(
    make_study: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.draw_figures", lambda results: {})
    evil = '</title><script>alert(1)</script>"><img src=x onerror=alert(1)>'
    folder = make_study(question=evil, command=evil)
    (folder / "trials" / "gcn-0" / "result.json").unlink()
    (folder / "trials" / "gcn-0" / "error.txt").write_text(f"Traceback\n{evil}")
    page = Page(write_report(folder).index.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "x" not in page.addresses
    assert page.text.count(evil) >= 4


def test_nothing_finished_still_gives_a_page(make_study: Callable[..., Path]) -> None:
    skip = [(condition, 0) for condition in ("cnn", "gcn")]
    report = write_report(make_study(conditions=("cnn", "gcn"), seeds=(0,), skip=skip))
    assert "no finished seed in common" in report.answer
    assert report.figures == []
    Page(report.index.read_text(encoding="utf-8"))


def test_an_unknown_primary_metric_is_the_users_mistake(make_study: Callable[..., Path]) -> None:
    folder = make_study(primary="decision/search_regrets")
    with pytest.raises(WorkbenchError, match="did you mean 'decision/search_regret'"):
        write_report(folder)


def test_a_difference_worked_by_hand(make_study: Callable[..., Path]) -> None:
    """Differences -0.1, -0.2, -0.3: mean -0.2, half-width 4.3027 * 0.1 / sqrt(3) = 0.248."""
    said = headline(make_study, [0.5, 0.5, 0.5], [0.4, 0.3, 0.2])
    assert said == (
        "After 50,000 environment steps and 3 paired seeds, `gcn` had 0.200 lower regret (search, "
        "decisive) than `cnn` (difference −0.200, 95 % paired t interval −0.448 to 0.048; "
        "sign-flip p = 0.25, smallest attainable 0.25): no difference established."
    )


def test_verdicts_in_words(make_study: Callable[..., Path]) -> None:
    few = headline(make_study, [0.5, 0.5, 0.5], [0.40, 0.41, 0.42])
    assert few.endswith("interval favours `gcn`, the sign-flip test does not confirm it.")
    worse = headline(make_study, [0.40, 0.41, 0.42], [0.5, 0.5, 0.5])
    assert "higher regret" in worse
    assert "speaks against `gcn`" in worse
    five = headline(make_study, [0.5] * 5, [0.40, 0.41, 0.42, 0.43, 0.40])  # p = 2 / 2^5 = 0.0625
    assert five.endswith("interval favours `gcn`, the sign-flip test does not confirm it.")
    many = headline(make_study, [0.5] * 7, [0.40, 0.41, 0.42, 0.43, 0.40, 0.41, 0.42])
    assert many.endswith("this favours `gcn`.")
    assert "not enough seeds" in headline(make_study, [0.5], [0.4])
    assert "degenerate" in headline(make_study, [0.5, 0.5, 0.5], [0.4, 0.4, 0.4])
    assert "had the same regret" in headline(make_study, [0.5, 0.6], [0.5, 0.6])


def test_a_better_predictor_that_decides_worse_is_said_to(make_study: Callable[..., Path]) -> None:
    final = {
        (name, seed): {ERROR: error + 0.01 * seed, REGRET: regret + 0.01 * seed}
        for name, error, regret in (("cnn", 0.3, 0.1), ("gcn", 0.1, 0.3))
        for seed in (0, 1, 2)
    }
    results = load_study(make_study(conditions=("cnn", "gcn"), final=final))
    said = answer(results)
    assert "NOT the better decider" in said.agreement
    assert "takes `gcn` and loses 0.200 game value" in said.agreement
    assert "no control condition" in said.controls


def test_controls_are_set_against_the_leading_condition(make_study: Callable[..., Path]) -> None:
    final = {
        (name, seed): {REGRET: regret + step * seed}
        for name, regret, step in (("cnn", 0.5, 0), ("gcn", 0.2, 0.01), ("gcn-shuffled", 0.2, 0.02))
        for seed in (0, 1, 2)
    }
    said = answer(load_study(make_study(final=final)))
    assert "`gcn-shuffled` is not told apart from it" in said.controls


def test_cautions_name_what_weakens_the_answer(broken_study: Path) -> None:
    said = " ".join(cautions(load_study(broken_study)))
    assert "3 of 9 trials did not finish" in said
    assert "cannot go below p = 0.50" in said
    assert "representation are not matched within 5%" in said


def test_main_table_means_and_marks(broken_study: Path) -> None:
    results = load_study(broken_study)
    assert sizes_table(results).cells.loc["gcn", "seeds"] == "2 of 3 (1 failed)"
    frame = main_frame(results).set_index(["condition", "metric"])
    expected = results.by_seed(REGRET)["gcn"].dropna()
    assert frame.loc[("gcn", REGRET), "mean"] == pytest.approx(expected.mean())
    assert frame.loc[("gcn", REGRET), "n"] == 2
    blocks = main_tables(results)
    assert any("chance" in block.cells.index for block in blocks)
    assert all("gcn (2 of 3)" in block.cells.index for block in blocks[1:])


def test_latex_escapes_and_uses_booktabs(study: Path) -> None:
    path = study / "study.json"
    path.write_text(path.read_text().replace("gcn-shuffled", "a_b & c%"))
    text = "".join(table.latex() for table in main_tables(load_study(study)))
    assert r"\toprule" in text
    assert r"a\_b \& c\%" in text
    assert r"95 \% t interval" in text
    assert not set("±−–↓↑") & set(text)


def test_csv_keeps_full_precision(study: Path, tmp_path: Path) -> None:
    written = write_tables(load_study(study), tmp_path / "tables")
    path = next(path for path in written if path.name == "comparisons.csv")
    row = pd.read_csv(path).iloc[0]
    table = load_study(study).by_seed(REGRET)
    assert row["difference"] == pytest.approx((table["gcn"] - table["cnn"]).mean(), rel=1e-14)
    assert row["smallest_p"] == 0.25


def test_differences_in_shares_are_shown_in_points(make_study: Callable[..., Path]) -> None:
    results = load_study(make_study(primary="decision/search_optimal_rate"))
    assert "points higher optimal-move rate" in answer(results).headline
    assert comparisons_tables(results)[0].title.endswith("(search), points")


def test_trials_measured_on_other_positions_are_told_apart(study: Path) -> None:
    assert not any("evaluation sets" in caution for caution in cautions(load_study(study)))
    file = study / "trials" / "gcn-1" / "result.json"
    result = json.loads(file.read_text())
    result["evaluation_set"]["hash"] = "of others"
    file.write_text(json.dumps(result))
    assert any("2 different evaluation sets" in caution for caution in cautions(load_study(study)))


def test_results_of_other_code_are_told_apart(study: Path) -> None:
    assert not any("versions" in caution for caution in cautions(load_study(study)))
    file = study / "trials" / "gcn-1" / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"code": "older"}))
    assert any("2 versions" in caution for caution in cautions(load_study(study)))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"code": "older+newer"}))
    assert any("1 trial began under one" in caution for caution in cautions(load_study(study)))


def test_figures_of_an_earlier_report_go_and_what_else_lies_there_stays(
    make_study: Callable[..., Path],
) -> None:
    folder = make_study()
    figures, index = folder / "report" / "figures", folder / "report" / "index.html"
    write_report(folder)
    kept = {path.name for path in figures.iterdir()}
    for name in ("flip_rate.png", "mine.png"):
        (figures / name).write_bytes(b"of other data")
    # As a report of evaluated trials, of which there are none any more, says it.
    index.write_text(index.read_text() + '<a href="figures/flip_rate.png">png</a>')
    write_report(folder)
    assert {path.name for path in figures.iterdir()} == kept | {"mine.png"}


def test_no_comparison_is_made_where_none_is_declared(make_study: Callable[..., Path]) -> None:
    results = load_study(make_study(comparisons=[]))
    assert len(results.conditions) > 1
    assert compare(results, results.study["primary"]) == []


def test_the_report_says_what_the_conditions_are(make_study: Callable[..., Path]) -> None:
    folder = make_study()
    write_report(folder)
    page = folder / "report" / "index.html"
    assert "What the conditions are" not in page.read_text()
    ledger = json.loads((folder / "study.json").read_text())
    for condition in ledger["conditions"]:
        condition["differs"] = [f"planner: simulations=7{condition['name']}"]
    (folder / "study.json").write_text(json.dumps(ledger))
    write_report(folder)
    assert f"planner: simulations=7{ledger['conditions'][1]['name']}" in page.read_text()
