"""Report page and tables: findings, caveats, escaping, well-formed HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from analysis.caveats import caveats
from analysis.figures import draw_figures
from analysis.findings import Findings, derive_findings, findings_table
from analysis.formatting import resolve_metric, title_in_sentence
from analysis.frames import StudyResults, load_study
from analysis.gallery import gallery, gallery_frame
from analysis.paired_comparisons import compare
from analysis.report import write_report
from analysis.table_format import Table
from analysis.tables import comparisons_tables, main_frame, main_tables, sizes_table, write_tables
from analysis.terms import used_terms
from workbench.errors import WorkbenchError
from workbench.result_files import config_id

REGRET, ERROR = "decision/search_regret_decisive", "predictive/value_error"
REGRET_TITLE = title_in_sentence(resolve_metric(REGRET))
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Text and attributes of a page; fails if tags are not closed in order."""

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


def compared(
    make_study: Callable[..., Path], cnn: list[float], gcn: list[float]
) -> tuple[str, pd.Series]:
    """Headline of a study with these regrets, and the row of its comparison in the table."""
    folder = make_study(conditions=("cnn", "gcn"), seeds=range(len(cnn)), final=regrets(cnn, gcn))
    results = load_study(folder)
    return derive_findings(results).headline, numbers(results, "gcn − cnn")


def numbers(results: StudyResults, quantity: str) -> pd.Series:
    """Row of the findings table with this quantity, or the only one that starts with it."""
    cells = findings_table(results).cells
    if quantity not in cells.index:
        (quantity,) = [name for name in cells.index if name.startswith(quantity)]
    return cells.loc[quantity]


def sentences(findings: Findings) -> list[str]:
    return re.split(r"(?<=\.) (?=[A-Z`])", findings.text)


def test_page_has_findings_numbers_failures_figures_and_files(broken_study: Path) -> None:
    report = write_report(broken_study)
    page = Page(report.index.read_text(encoding="utf-8"))
    results = load_study(broken_study)
    assert numbers(results, "gcn − cnn")["n"] == "2 paired seeds"
    assert "2 paired seeds" in page.text
    for sentence in sentences(derive_findings(results)):
        assert sentence in report.findings
        assert sentence.replace("`", "") in page.text
    for cell in findings_table(results).cells.to_numpy().ravel():
        assert cell in page.text
    assert "Unfinished: 3 of 9 trials" in page.text
    assert "TrialDiverged: loss is nan at 2500" in page.text
    assert "workbench ablate configs/gcn_vs_cnn.yaml" in page.text
    assert sum(address.startswith("data:image/svg+xml") for address in page.addresses) == 4
    files = [a for a in page.addresses if not a.startswith(("data:", "#"))]
    assert files
    assert all((report.index.parent / address).is_file() for address in files)
    assert len(report.figures) == 12
    assert all(path.stat().st_size for path in (*report.figures, *report.tables))
    assert "gcn − cnn" in report.summary


def test_dollar_signs_in_condition_names_are_not_drawn_as_formulas(
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


def check_contents(html: str) -> None:
    """Check that the table of contents leads to every section of the page."""
    targets = re.findall(r'href="#([\w-]+)"', html)
    sections = re.findall(r'<section[^>]* id="([\w-]+)"', html)
    assert sorted(targets) == sorted(sections)
    assert {"findings", "gallery", "regret_waterfall", "reading"} <= set(targets)
    assert html.index("<nav") < html.index('id="results"')


def test_page_of_evaluated_study_shows_all_figures(evaluated_study: Path) -> None:
    report = write_report(evaluated_study)
    page = Page(report.index.read_text(encoding="utf-8"))
    assert sum(address.startswith("data:image/svg+xml") for address in page.addresses) == 10
    for heading in (
        "Effect of replacing each model part on regret",
        "Positions with the largest regret",
    ):
        assert heading in page.text
    assert resolve_metric("predictive/decision_weighted_error").title in page.text
    assert any(path.name == "evaluation.csv" for path in report.tables)
    check_contents(report.index.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("without_figures")
def test_user_text_is_escaped_in_the_page(make_study: Callable[..., Path]) -> None:
    evil = '</title><script>alert(1)</script>"><img src=x onerror=alert(1)>'
    folder = make_study(question=evil, command=evil)
    (folder / "trials" / "gcn-0" / "result.json").unlink()
    (folder / "trials" / "gcn-0" / "error.txt").write_text(f"Traceback\n{evil}")
    page = Page(write_report(folder).index.read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "x" not in page.addresses
    assert page.text.count(evil) >= 4


def test_study_without_finished_trials_gives_a_page(make_study: Callable[..., Path]) -> None:
    skip = [(condition, 0) for condition in ("cnn", "gcn")]
    report = write_report(make_study(conditions=("cnn", "gcn"), seeds=(0,), skip=skip))
    assert "no finished seed in common" in report.findings
    assert report.figures == []
    Page(report.index.read_text(encoding="utf-8"))


def test_unknown_primary_metric_raises_error_with_suggestion(
    make_study: Callable[..., Path],
) -> None:
    folder = make_study(primary="decision/search_regrets")
    with pytest.raises(WorkbenchError, match="did you mean 'decision/search_regret'"):
        write_report(folder)


def test_a_difference_worked_by_hand(make_study: Callable[..., Path]) -> None:
    """Differences -0.1, -0.2, -0.3: mean -0.2, half-width 4.3027 * 0.1 / sqrt(3) = 0.248."""
    headline, row = compared(make_study, [0.5, 0.5, 0.5], [0.4, 0.3, 0.2])
    assert headline == f"No difference in {REGRET_TITLE} between `gcn` and `cnn` is established."
    assert row.to_dict() == {
        "estimate": "−0.200 game value",
        "95 % interval": "−0.448 to 0.048",
        "sign-flip p": "0.25",
        "smallest possible p": "0.25",
        "n": "3 paired seeds",
        "conclusion": "no difference established",
    }


def test_findings_table_names_metric_and_environment_steps(study: Path) -> None:
    title = findings_table(load_study(study)).title
    assert f"differences in {REGRET_TITLE}" in title
    assert title.endswith("after 50,000 environment steps")


def test_headline_and_conclusion_state_the_verdict(make_study: Callable[..., Path]) -> None:
    unconfirmed = "the interval favours gcn, the sign-flip test does not confirm it"
    few, row = compared(make_study, [0.5, 0.5, 0.5], [0.40, 0.41, 0.42])
    assert few.endswith("favours `gcn` over `cnn`, but the sign-flip test does not confirm it.")
    assert row["conclusion"] == unconfirmed
    worse, row = compared(make_study, [0.40, 0.41, 0.42], [0.5, 0.5, 0.5])
    assert "favours `cnn` over `gcn`" in worse
    assert "speaks against gcn" in row["conclusion"]
    assert row["estimate"] == "+0.0900 game value"
    # p = 2 / 2^5 = 0.0625
    five, row = compared(make_study, [0.5] * 5, [0.40, 0.41, 0.42, 0.43, 0.40])
    assert five.endswith("but the sign-flip test does not confirm it.")
    assert row["conclusion"] == unconfirmed
    regret = [0.40, 0.41, 0.42, 0.43, 0.40, 0.41, 0.42]
    many, row = compared(make_study, [0.5] * 7, regret)
    assert many == f"`gcn` has lower {REGRET_TITLE} than `cnn`."
    assert row["conclusion"] == "favours gcn"
    assert float(row["sign-flip p"]) <= 0.05
    many, row = compared(make_study, regret, [0.5] * 7)
    assert many == f"`gcn` has higher {REGRET_TITLE} than `cnn`."
    assert row["conclusion"] == "speaks against gcn"
    one, row = compared(make_study, [0.5], [0.4])
    assert "not enough seeds" in one
    assert "not enough seeds" in row["conclusion"]
    assert row["95 % interval"] == "–"
    constant, row = compared(make_study, [0.5, 0.5, 0.5], [0.4, 0.4, 0.4])
    assert constant == (
        f"`gcn` has lower {REGRET_TITLE} than `cnn` by the same amount in every seed, but the "
        "sign-flip test does not confirm it."
    )
    assert "the sign-flip test does not confirm it" in row["conclusion"]
    assert (row["95 % interval"], row["sign-flip p"]) == ("–", "0.25")
    equal, _ = compared(make_study, [0.5, 0.6], [0.5, 0.6])
    assert f"have the same {REGRET_TITLE}" in equal


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), None])
def test_value_that_is_not_finite_counts_as_missing_and_is_stated(
    make_study: Callable[..., Path], value: float | None
) -> None:
    final = regrets([0.5, 0.5, 0.5], [0.4, 0.3, 0.2]) | {("gcn", 1): {REGRET: value}}
    folder = make_study(conditions=("cnn", "gcn"), final=final)
    results = load_study(folder)
    assert numbers(results, "gcn − cnn")["n"] == "2 paired seeds"
    assert any("`gcn` seed 1) without a finite value" in caveat for caveat in caveats(results))
    assert "accuracy_and_decisions" in draw_figures(results)


def test_findings_are_at_most_three_short_sentences(
    study: Path, broken_study: Path, make_study: Callable[..., Path]
) -> None:
    eight = make_study(conditions=[f"c{i}" for i in range(8)], seeds=range(2))
    for folder in (study, broken_study, eight):
        found = sentences(derive_findings(load_study(folder)))
        assert len(found) <= 3
        assert all(len(sentence.split()) <= 30 for sentence in found)


def test_a_better_predictor_that_decides_worse_is_reported(make_study: Callable[..., Path]) -> None:
    final = {
        (name, seed): {ERROR: error + 0.01 * seed, REGRET: regret + 0.01 * seed}
        for name, error, regret in (("cnn", 0.3, 0.1), ("gcn", 0.1, 0.3))
        for seed in (0, 1, 2)
    }
    results = load_study(make_study(conditions=("cnn", "gcn"), final=final))
    findings = derive_findings(results)
    assert "better predictor (`gcn`) is NOT the better decider" in findings.agreement
    row = numbers(results, "selection regret")
    assert row["estimate"] == "0.200 game value"
    assert row["conclusion"].startswith("selects gcn, while the best decider is cnn")
    assert "a random pick loses 0.100" in row["conclusion"]
    row = numbers(results, "rank correlation")
    assert row["estimate"] == "−1.00"
    assert row["conclusion"].startswith("negative: better predictors decide worse")
    assert numbers(results, "pairs of conditions ranked oppositely")["estimate"] == "1"
    assert "no control condition" in findings.controls


def test_leading_condition_is_compared_with_controls(make_study: Callable[..., Path]) -> None:
    final = {
        (name, seed): {REGRET: regret + step * seed}
        for name, regret, step in (("cnn", 0.5, 0), ("gcn", 0.2, 0.01), ("gcn-shuffled", 0.2, 0.02))
        for seed in (0, 1, 2)
    }
    results = load_study(make_study(final=final))
    assert "`gcn` is not distinguishable from `gcn-shuffled`" in derive_findings(results).controls
    row = numbers(results, "gcn − gcn-shuffled (control)")
    assert row["conclusion"] == "no difference established"
    assert numbers(results, "gcn-shuffled − cnn")["conclusion"].startswith("the interval favours")


def test_caveats_name_what_weakens_the_findings(broken_study: Path) -> None:
    text = " ".join(caveats(load_study(broken_study)))
    assert "3 of 9 trials did not finish" in text
    assert "cannot go below p = 0.50" in text
    assert "representation are not matched within 5%" in text


def test_main_table_shows_means_levels_and_missing_seeds(broken_study: Path) -> None:
    results = load_study(broken_study)
    assert sizes_table(results).cells.loc["gcn", "seeds"] == "2 of 3 (1 failed)"
    frame = main_frame(results).set_index(["condition", "metric"])
    expected = results.by_seed(REGRET)["gcn"].dropna()
    assert frame.loc[("gcn", REGRET), "mean"] == pytest.approx(expected.mean())
    assert frame.loc[("gcn", REGRET), "n"] == 2
    blocks = main_tables(results)
    assert any("naive" in block.cells.index for block in blocks)
    assert all("gcn (2 of 3)" in block.cells.index for block in blocks[1:])


def test_latex_escapes_and_uses_booktabs(study: Path) -> None:
    path = study / "study.json"
    path.write_text(path.read_text().replace("gcn-shuffled", "a_b & c%"))
    text = "".join(table.latex() for table in main_tables(load_study(study)))
    assert r"\toprule" in text
    assert r"a\_b \& c\%" in text
    assert r"95 \% t interval" in text
    assert not set("±−–↓↑") & set(text)


def test_names_are_escaped_in_markdown_and_captions() -> None:
    cells = pd.DataFrame({"a|b": ["<b>*x*</b>"]}, index=pd.Index(["$1 | `c`"], name="condition"))
    table = Table("50% of $x_{1}$ & more", cells)
    *_, row = table.markdown().strip().splitlines()
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert r"\$1 \| \`c\`" in row
    assert r"&lt;b&gt;\*x\*&lt;/b&gt;" in row
    assert r"\caption{50\% of \$x\_\{1\}\$ \& more}" in table.latex()


def test_decimals_agree_within_a_column_and_show_a_quarter_of_a_point(
    make_study: Callable[..., Path],
) -> None:
    rate = "decision/search_optimal_rate_decisive"
    values = {"cnn": (0.9920, 0.9905, 0.9917), "gcn": (0.9895, 0.9880, 0.9892)}
    final = {(name, i): {rate: v} for name in values for i, v in enumerate(values[name])}
    results = load_study(make_study(conditions=("cnn", "gcn"), final=final, primary=rate))
    (cell,) = comparisons_tables(results)[0].cells["difference"]
    assert cell.startswith("−0.25")
    for table in main_tables(results)[1:]:
        for column in table.cells:
            numbers = [n for cell in table.cells[column] for n in re.findall(r"[\d.]+", cell)]
            assert len({len(number.partition(".")[2]) for number in numbers}) == 1, column
    optimal = next(t for t in main_tables(results) if t.title.startswith("Optimal"))
    assert optimal.cells.loc["cnn"].iloc[0].startswith("99.14")


def test_csv_keeps_full_precision(study: Path, tmp_path: Path) -> None:
    written = write_tables(load_study(study), tmp_path / "tables")
    path = next(path for path in written if path.name == "comparisons.csv")
    row = pd.read_csv(path).iloc[0]
    table = load_study(study).by_seed(REGRET)
    assert row["difference"] == pytest.approx((table["gcn"] - table["cnn"]).mean(), rel=1e-14)
    assert row["smallest_p"] == 0.25


def test_differences_in_shares_are_in_percentage_points(make_study: Callable[..., Path]) -> None:
    results = load_study(make_study(primary="decision/search_optimal_rate"))
    estimate = numbers(results, "gcn − cnn")["estimate"]
    assert re.fullmatch(r"\+[\d.]+ percentage points", estimate)
    assert comparisons_tables(results)[0].title.endswith(", percentage points")


def test_different_evaluation_sets_are_a_caveat(study: Path) -> None:
    assert not any("evaluation sets" in caveat for caveat in caveats(load_study(study)))
    file = study / "trials" / "gcn-1" / "result.json"
    result = json.loads(file.read_text())
    result["evaluation_set"]["hash"] = "another set"
    file.write_text(json.dumps(result))
    assert any("2 different evaluation sets" in caveat for caveat in caveats(load_study(study)))


def test_results_of_different_code_versions_are_a_caveat(study: Path) -> None:
    assert not any("versions" in caveat for caveat in caveats(load_study(study)))
    file = study / "trials" / "gcn-1" / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"code": "older"}))
    assert any("2 versions" in caveat for caveat in caveats(load_study(study)))
    file.write_text(json.dumps(json.loads(file.read_text()) | {"code": "older+newer"}))
    assert any("1 trial began under one" in caveat for caveat in caveats(load_study(study)))


def test_rewriting_a_report_deletes_its_stale_figures_only(
    make_study: Callable[..., Path],
) -> None:
    folder = make_study()
    figures, index = folder / "report" / "figures", folder / "report" / "index.html"
    write_report(folder)
    kept = {path.name for path in figures.iterdir()}
    for name in ("flip_rate.png", "mine.png"):
        (figures / name).write_bytes(b"old data")
    # The previous report of evaluated trials linked this figure; it is no longer drawn.
    index.write_text(index.read_text() + '<a href="figures/flip_rate.png">png</a>')
    write_report(folder)
    assert {path.name for path in figures.iterdir()} == kept | {"mine.png"}


def test_no_comparison_without_declaration(make_study: Callable[..., Path]) -> None:
    results = load_study(make_study(comparisons=[]))
    assert len(results.conditions) > 1
    assert compare(results, results.study["primary"]) == []
    assert "declares no comparison" in derive_findings(results).headline
    row = numbers(results, "mean of gcn")
    assert row["n"] == "3 seeds"
    assert row["estimate"] == f"{results.by_seed(REGRET)['gcn'].mean():.3f} game value"


def test_report_explains_the_terms_that_it_uses(study: Path) -> None:
    page = Page(write_report(study).index.read_text(encoding="utf-8"))
    terms = page.text.split("Terms")[-1]
    for term in ("decisive position", "regret", "losing line", "selection regret", "unroll depth",
                 "condition", "trial"):  # fmt: skip
        assert f"{term}" in terms
    assert "docs/glossary.md" in terms
    assert list(used_terms("A trial of a condition.")) == ["condition", "trial"]


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write reports without figures, which take seconds."""
    monkeypatch.setattr("analysis.report.draw_figures", lambda results, width: {})


def configure(folder: Path, name: str, config: dict[str, Any]) -> None:
    """Write the configuration of a trial and its id; the seed is the end of its name."""
    config = config | {"seed": int(name[-1])}
    path = folder / "trials" / name / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    result = json.loads(path.with_name("result.json").read_text())
    result["id"] = config_id(config, result["schema"])
    path.with_name("result.json").write_text(json.dumps(result))
    manifest = json.loads((folder / "study.json").read_text())
    for trial in manifest["trials"]:
        if trial["folder"] == f"trials/{name}":
            trial["id"] = result["id"]
    (folder / "study.json").write_text(json.dumps(manifest))


@pytest.mark.usefixtures("without_figures")
def test_report_shows_differences_between_conditions_and_all_options(
    make_study: Callable[..., Path],
) -> None:
    folder = make_study(conditions=("cnn", "gcn"), seeds=(0,))
    page = folder / "report" / "index.html"
    write_report(folder)
    assert "Configuration of the conditions" not in page.read_text()
    losses: dict[str, Any] = {"reward": {"name": "r", "weight": 1.0}, "value": {"name": "v"}}
    configure(folder, "cnn-0", {"planner": {"simulations": 5}, "losses": losses})
    configure(
        folder, "gcn-0", {"planner": {"simulations": 7}, "losses": {**losses, "reward": None}}
    )
    report = write_report(folder)
    text = Page(page.read_text()).text
    assert "planner: simulations=7" in text
    assert "without losses.reward" in text
    assert "All 4 options of cnn" in text
    assert "losses.reward.weight" in text
    (path,) = [path for path in report.tables if path.name == "configuration.csv"]
    table = pd.read_csv(path, keep_default_na=False).set_index("key")
    assert dict(table.loc["planner.simulations"]) == {"cnn": "5", "gcn": "7"}
    assert "seed" not in table.index


@pytest.mark.usefixtures("without_figures")
def test_finished_trials_outside_the_plan_are_stated_at_the_top(
    make_study: Callable[..., Path],
) -> None:
    folder = make_study(conditions=("cnn", "gcn"), seeds=(0, 1, 2))
    for trial in (folder / "trials").iterdir():
        configure(folder, trial.name, {"encoder": trial.name[:-2]})
    assert write_report(folder).notices == []
    manifest = json.loads((folder / "study.json").read_text())
    manifest["seeds"] = [0, 1]
    manifest["trials"] = [trial for trial in manifest["trials"] if trial["seed"] < 2]
    (folder / "study.json").write_text(json.dumps(manifest))
    (notice,) = write_report(folder).notices
    assert "covers seeds 0 and 1. Finished trials of seeds 2 are not part of it" in notice
    text = Page((folder / "report" / "index.html").read_text()).text
    assert text.index("covers seeds 0 and 1") < text.index("Contents")
    configure(folder, "gcn-2", {"encoder": "another"})
    assert "1 finished trial in the folder" in write_report(folder).notices[1]


@pytest.mark.usefixtures("without_figures")
def test_only_tables_with_contents_are_offered(make_study: Callable[..., Path]) -> None:
    folder = make_study(conditions=("cnn",), seeds=(0,), comparisons=[])
    report = write_report(folder)
    names = {path.name for path in report.tables}
    assert {"main.csv", "trials.csv"} <= names
    assert not {"comparisons.csv", "comparisons.md", "evaluation.csv", "gallery.csv"} & names
    assert all(path.stat().st_size > 1 for path in report.tables)
    page = Page(report.index.read_text(encoding="utf-8"))
    assert not any("comparisons" in address for address in page.addresses)


@pytest.mark.usefixtures("without_figures")
def test_given_design_replaces_the_stored_one(make_study: Callable[..., Path]) -> None:
    folder = make_study()
    design = {
        "primary": "decision/prior_regret",
        "comparisons": [{"baseline": "gcn", "against": "cnn"}],
    }
    report = write_report(folder, design=design, notices=["edited"])
    assert "cnn − gcn" in report.summary
    assert "gcn-shuffled − cnn" not in report.summary
    assert "regret (prior)" in report.findings
    assert "edited" in Page(report.index.read_text(encoding="utf-8")).text


def test_gallery_shows_one_position_per_symmetry_class(evaluated_study: Path) -> None:
    """Positions 3 and 5 are equal up to symmetry, position 4 is alone; all have a regret."""
    for trial in (evaluated_study / "trials").iterdir():
        path = trial / "evaluation" / "by_state.npz"
        with np.load(path) as stored:
            arrays = dict(stored)
        arrays["regret"] = np.array([0, 0, 0, 1, 0.5, 1], np.float32)
        arrays["symmetry_class"] = np.array([0, 1, 2, 3, 4, 3])
        np.savez(path, **arrays)
    results = load_study(evaluated_study)
    frame = gallery_frame(results)
    assert list(frame["position"]) == [3, 3, 4, 4]
    assert list(frame["multiplicity"]) == [2, 2, 1, 1]
    assert list(frame["condition"]) == ["cnn", "gcn"] * 2
    assert list(frame["regret"]) == [1.0, 1.0, 0.5, 0.5]
    assert frame["board"].iloc[0] == "xo./..."
    figure = gallery(results)
    assert figure is not None
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("2 positions") == 1
    assert texts.count("regret 1.0") == 2


@pytest.mark.usefixtures("without_figures")
def test_positions_are_counted_up_to_symmetry(study: Path) -> None:
    for trial in (study / "trials").iterdir():
        result = json.loads((trial / "result.json").read_text())
        result["evaluation_set"]["symmetry_classes"] = 627
        (trial / "result.json").write_text(json.dumps(result))
    page = Page(write_report(study).index.read_text(encoding="utf-8"))
    assert "4,520 (627 up to symmetry)" in page.text
