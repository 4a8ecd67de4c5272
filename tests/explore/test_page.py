"""The planner's page: its controls in Python, and its use in a headless browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.errors import LatentscaleError
from latentscale.explore import serve as serving

from .conftest import EVIL, FIT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def page(fit: ls.Fit):
    pytest.importorskip("panel", reason="the extra explore is not installed")
    from latentscale.explore.page import Page

    return Page(fit, seed=1)


def test_a_family_sets_the_features_to_what_its_models_are_like(page) -> None:
    page.family.value = "qwen2"
    assert page.planned.family == "qwen2" and page.planned.lineage == ""
    assert 1 < page.planned.features["params_b"] < 4
    assert "planned model of qwen2" in page.summary.object


def test_a_new_family_has_a_name_and_no_curve(page) -> None:
    page.family.value = "a new family"
    page.new_family.value = EVIL
    assert page.planned.family == page.planned.lineage == EVIL
    assert EVIL not in page.summary.object and "&lt;img" in page.summary.object
    assert "no curve" in page.curve.objects[0].object


def test_what_is_refused_is_said_and_the_former_answer_is_taken_away(page) -> None:
    page.family.value = "bloom"
    page.scores["mmlu"].value = 0.95
    assert "too few posterior draws" in page.problem.object
    assert (page.summary.object, page.table.object, page.answer) == ("", "", None)


def test_the_row_and_the_table_can_be_saved(page, fit: ls.Fit) -> None:
    page.family.value = "qwen2"
    page.model.value = "=1+1"
    row = pd.read_csv(page.row_csv())
    assert row["model"].tolist() == ["'=1+1"]
    assert len(ls.predict(fit, row, seed=1).table()) == len(pd.read_csv(page.table_csv()))


def test_the_page_is_served_on_the_loopback_interface_alone(fit: ls.Fit) -> None:
    pytest.importorskip("panel", reason="the extra explore is not installed")
    server = serving.serve(fit, port=0)
    assert server.address == "127.0.0.1"
    server.stop()


def test_without_panel_the_extra_is_named(
    fit: ls.Fit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    with pytest.raises(LatentscaleError, match=r"latentscale\[explore\]"):
        ls.explore(fit)
    assert main(["explore", str(FIT), "--no-show"]) == 2
    assert "latentscale[explore]" in capsys.readouterr().err


@pytest.fixture
def served() -> Iterator[str]:
    """The address of a page that the command line serves."""
    pytest.importorskip("panel", reason="the extra explore is not installed")
    command = [sys.executable, "-u", "-m", "latentscale", "explore", str(FIT), "--no-show"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        line = server.stdout.readline()
        assert "http://127.0.0.1:" in line, line
        yield line.split(" is at ")[1].split(";")[0]
        server.terminate()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_in_a_browser_without_a_network(served: str) -> None:
    driver = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")
    outside: list[str] = []
    errors: list[str] = []
    with driver.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda r: outside.append(r.url) if _leaves(r.url) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.goto(served)
        page.wait_for_selector("text=among 55 fitted models", timeout=120_000)
        page.locator("select").first.select_option("qwen2")
        page.wait_for_selector("text=planned model of qwen2", timeout=60_000)
        page.get_by_label("model", exact=True).fill(EVIL)
        page.keyboard.press("Enter")
        page.wait_for_selector(f"h2:has-text('{EVIL} of qwen2')", timeout=60_000)
        page.get_by_label("hellaswag").first.fill("0.75")
        page.keyboard.press("Enter")
        page.wait_for_selector("th:has-text('measured')", timeout=60_000)
        with page.expect_download() as saved:
            page.get_by_text("Save the forecasts").click()
        table = pd.read_csv(StringIO(Path(saved.value.path()).read_text(encoding="utf-8")))
        assert table.set_index("benchmark").loc["hellaswag", "measured"] == 0.75
        page.get_by_text("Next benchmark").click()
        page.wait_for_selector("text=is expected to remove", timeout=60_000)
        browser.close()
    assert not outside and not errors


def _leaves(url: str) -> bool:
    """Return whether a request leaves this machine."""
    return "127.0.0.1" not in url and not url.startswith(("data:", "blob:"))


def test_an_empty_category_stays_an_empty_cell(prior_fit) -> None:
    """The most common level was missing, and the row then said "None", which is not a level."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "model": [f"m{k}" for k in range(12)],
            "family": [f"f{k % 3}" for k in range(12)],
            "params_b": rng.uniform(1, 70, 12),
            "vendor": ["p0", "p1", *[None] * 10],
            "quiz": rng.uniform(0.3, 0.8, 12),
            "code": rng.uniform(0.3, 0.8, 12),
        }
    )
    scores = ls.Scores.from_frame(frame, features=[ls.Feature("vendor", missing="level")])
    spec = ls.ModelSpec(
        name="x", covariates=("log_params", "vendor"), skills=ls.load_spec("sloth").skills
    ).with_({"skills.count": 1})
    pytest.importorskip("panel", reason="the extra explore is not installed")
    from latentscale.explore.page import Page

    shown = Page(prior_fit(spec, scores))
    assert shown.features["vendor"].value == "(missing)"
    assert shown.planned.features["vendor"] is None
    assert shown.answer is not None
    assert str(shown.answer.forecast.models["extrapolates"].values[0]) == ""
    shown.features["vendor"].value = "p1"
    assert shown.planned.features["vendor"] == "p1"
