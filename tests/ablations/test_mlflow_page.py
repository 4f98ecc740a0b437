"""Pages of MLflow in a real browser, at the addresses that `workbench ui` prints."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, find_chromium
from tracked_study import PRIMARY

from ablations.tracking.address import own_store
from ablations.tracking.study import read_tracked_study
from ablations.tracking.sync import bring_up_to_date
from analysis.report import write_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]

DEAD_LINKS = """
[...document.querySelectorAll("a[href]")].map(link => link.getAttribute("href")).filter(
  target => !(target.startsWith("#") && document.getElementById(target.slice(1)))
            && !/^https?:/.test(target))
"""


@pytest.fixture
def printed(folder: Path) -> Iterator[list[str]]:
    """Addresses that `workbench ui` prints for a study with a report, while it serves them."""
    written = write_report(folder)
    report = [written.index, *written.figures, *written.tables]
    bring_up_to_date(read_tracked_study(folder), own_store(folder.parent / "mlflow.db"), report)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = ["ui", "--outputs", str(folder.parent), "--port", port]
    server = subprocess.Popen(
        [sys.executable, "-m", "workbench", *command],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(4)]
        yield re.findall(r"http://\S+/runs\S+", "".join(lines))
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    program = find_chromium()
    assert program is not None
    opened = Browser(program, tmp_path / "profile")
    yield opened
    opened.close()


def open_when_served(browser: Browser, address: str) -> None:
    """Open an address as soon as the server listens."""
    for _ in range(100):
        browser.open(address)
        if browser.evaluate("location.protocol") == "http:":
            return
        browser.wait_for("true", 1)
    raise AssertionError(f"nothing answers at {address}")


def test_printed_addresses_show_runs_charts_and_a_report_without_dead_links(
    printed: list[str], browser: Browser
) -> None:
    runs, charts = printed
    open_when_served(browser, runs)
    text = browser.wait_for(
        "document.body.innerText.includes('a | seed 0') && document.body.innerText"
    )
    assert "b | seed 1" in text
    assert f"Sort: {PRIMARY}" in text
    assert "0.1" in text
    assert "Traces 0" not in text

    browser.open(charts)
    browser.wait_for("document.body.innerText.includes('Group: a')")
    browser.wait_for("document.body.innerText.includes('Conditions: means and lear')")

    base = runs.split("/runs?")[0]
    browser.open(runs)
    launch = browser.wait_for(
        "(document.querySelector(\"a[href*='/runs/']:not([href*='?'])\") || {}).href"
        " && [...document.querySelectorAll(\"a[href*='/runs/']\")]"
        ".find(link => link.innerText.startsWith('launch')).href"
    )
    run = re.search(r"/runs/(\w{32})", launch)
    assert run is not None
    browser.open(f"{base}/runs/{run[1]}/artifacts/report/index.html")
    dead = browser.wait_for(
        "location.protocol === 'blob:' && document.readyState === 'complete'"
        f" && JSON.stringify({DEAD_LINKS})",
        in_a_frame=True,
    )
    assert dead == "[]"
