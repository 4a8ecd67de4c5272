"""How objects appear in a notebook: the important facts, with every name escaped."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.audit import Audit, Finding
from latentscale.inference.method import METHODS
from latentscale.markup import bullets, cell_text, data_table, facts_table, shortened
from latentscale.posterior.fit import Fit

SPECS = Path(__file__).parents[1] / "model_specs"
EVIL = "<script>alert('x')</script>&\""


class Elements(HTMLParser):
    """Collects the elements and the text of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def evil_scores() -> ls.Scores:
    rng = np.random.default_rng(2)
    names = [f"{EVIL}-{i}" for i in range(8)]
    frame = pd.DataFrame(
        {
            "model": names,
            "family": [EVIL, "b", "c", "d"] * 2,
            "params_b": rng.uniform(1, 70, 8),
            "tokens_t": rng.uniform(0.3, 12, 8),
            EVIL: rng.uniform(0.3, 0.8, 8),
            "mmlu": rng.uniform(0.3, 0.8, 8),
        }
    )
    return ls.Scores.from_frame(frame)


@pytest.fixture(scope="module")
def evil_fit(evil_scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    return prior_fit(ls.load_spec("family_flops"), evil_scores, draws=30)


def test_facts_and_tables_are_well_formed_and_escaped() -> None:
    elements = Elements(facts_table(EVIL, {EVIL: EVIL}))
    assert elements.opened == ["table", "caption", "tbody", "tr", "th", "td"]
    assert elements.text == EVIL * 3
    frame = pd.DataFrame({"name": [EVIL, "b", "c"], "x": [0.12345, np.nan, 2e9], "n": [1, 2, 3]})
    elements = Elements(data_table(frame, caption=EVIL, limit=2))
    assert "script" not in elements.opened
    assert EVIL in elements.text
    assert "0.123" in elements.text
    assert "–" in elements.text
    assert elements.text.endswith("and 1 more row")
    assert '<th scope="row"' in data_table(frame)
    assert '<th scope="col" style="text-align:right">x</th>' in data_table(frame)
    assert Elements(bullets([EVIL])).opened == ["ul", "li"]
    assert bullets([]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (np.int64(4), "4"),
        (0.5, "0.500"),
        (0.0, "0.000"),
        (-0.0123456, "-0.012"),
        (1.5e-5, "1.5e-05"),
        (6.02e23, "6.02e+23"),
        (float("nan"), "–"),
        (None, "–"),
        (pd.NA, "–"),
        (True, "yes"),
        (np.bool_(False), "no"),
        ("qwen2", "qwen2"),
        (pd.NaT, "–"),
        (pd.Timestamp("2026-06-01"), "2026-06-01"),
        (pd.Timestamp("2026-06-01 08:30"), "2026-06-01 08:30:00"),
    ],
)
def test_how_cells_are_written(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_every_object_shows_itself_with_names_escaped(evil_fit: Fit) -> None:
    frame = pd.DataFrame(
        {"model": [EVIL], "family": [EVIL], "params_b": [70.0], "tokens_t": [12.0]}
    )
    spec = ls.load_spec("latentscale")
    named = spec.model_copy(update={"name": EVIL, "description": EVIL, "sources": (EVIL,)})
    objects = {
        "scores": evil_fit.scores,
        "spec": named,
        "fit": Fit(**{**vars(evil_fit), "spec": evil_fit.spec.model_copy(update={"name": EVIL})}),
        "forecast": ls.predict(evil_fit, frame),
        "curve": ls.scaling_curve(evil_fit, family=EVIL, points=5),
    }
    for name, one in objects.items():
        elements = Elements(one._repr_html_())
        assert "script" not in elements.opened, name
        assert "alert" in elements.text, name
    diagnosis = Elements(ls.diagnose(evil_fit)._repr_html_())
    assert "script" not in diagnosis.opened
    prior = ls.Prior("Normal", mu=0, sigma=1)
    assert prior._repr_html_() == "<code>Normal(mu=0, sigma=1)</code>"
    assert eval(repr(prior), {"Prior": ls.Prior}) == prior


def test_scores_show_their_benchmarks(evil_scores: ls.Scores) -> None:
    text = Elements(evil_scores._repr_html_()).text
    assert "8 models, 4 families" in text
    assert "14042" in text
    table = evil_scores.benchmark_table().set_index("benchmark")
    column = evil_scores.to_frame()["mmlu"]
    assert table.loc["mmlu", ["scores", "lowest", "median", "highest"]].tolist() == [
        8,
        column.min(),
        column.median(),
        column.max(),
    ]
    assert table.loc[EVIL, "items"] == "unknown"


def test_specs_show_what_they_are() -> None:
    text = Elements(ls.load_spec("cai2025")._repr_html_()).text
    assert "cai2025" in text
    assert "4, anchored" in text
    assert "logistic link" in text


def test_a_sentence_in_a_cell_has_room() -> None:
    table = pd.DataFrame(
        {"name": ["a"], "advice": ["check the prompt and how answers were read. " * 2]}
    )
    made = data_table(table)
    assert made.count("min-width") == 1
    assert "min-width" not in data_table(table.assign(advice="short"))


def test_a_long_text_is_cut_to_so_many_letters() -> None:
    assert shortened("qwen2-7b", 8) == "qwen2-7b" and shortened("qwen2-72b", 8) == "qwen2-7…"


def _public_records() -> dict[str, object]:
    fit = ls.load(Path(__file__).parents[1] / "docs" / "fits" / "small.nc")
    scores = ls.datasets.open_llm_leaderboard()
    specs = {one.stem: ls.load_spec(one.stem) for one in SPECS.glob("*.toml")}
    methods = {name: kind() for name, kind in METHODS.items()}
    return {
        **specs,
        **methods,
        "audit": Audit(tuple(Finding("warning", "code", "x", "words " * 40) for _ in range(60))),
        "benchmark": ls.Benchmark(floor=0.25, n_items=1000, scale="fraction", group="knowledge"),
        "convergence": fit.convergence(),
        "design": fit.design,
        "feature": ls.Feature("context_k", transform="log", unit="thousand tokens"),
        "few-shot": ls.FewShot(),
        "fit": fit,
        "information": scores.audit,
        "prior": ls.Prior("Normal", mu=0, sigma=1),
        "provenance": fit.provenance,
        "scores": scores,
        "status": fit.status,
        "transform": fit.transform,
    }


def test_text_of_every_public_record_fits_a_terminal() -> None:
    for name, record in _public_records().items():
        lines = repr(record).splitlines()
        assert len(lines) <= 40, name
        assert max(len(line) for line in lines) <= 100, name


def test_a_record_on_several_lines_can_be_copied_as_the_call_that_makes_it() -> None:
    method = ls.NUTS(draws=700, chains=3, target_accept=0.95)
    assert "\n" in repr(method)
    assert eval(repr(method), {"NUTS": ls.NUTS}) == method
