"""The report: a single file, accessible, with the results of the analyses."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import latentscale as ls
from latentscale.declare import spec_from_dict
from latentscale.posterior.fit import Fit
from latentscale.reporting.blocks import PictureBlock
from latentscale.verb import sections

EVIL = "<script>alert('x')</script>"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page's elements with their attributes, its text, and whether it is well nested."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data + "\n"

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    families = [EVIL, "bee", "cat $x_1$"]
    return pd.DataFrame(
        {
            "model": [f"{family}-{size}b" for family in families for size in (1, 3, 9, 27)],
            "family": np.repeat(families, 4),
            "params_b": [1.0, 3.0, 9.0, 27.0] * 3,
            "tokens_t": [1.0, 1.0, 2.0, 2.0] * 3,
            "mmlu": rng.uniform(0.3, 0.8, 12),
            f"{EVIL} score": rng.uniform(0.05, 0.1, 12),
        }
    )


@pytest.fixture(scope="module")
def fit(table: pd.DataFrame, prior_fit: Callable[..., Fit]) -> Fit:
    spec = ls.load_spec("family_flops").model_copy(update={"name": EVIL, "description": EVIL})
    return prior_fit(spec, ls.Scores.from_frame(table), draws=40)


@pytest.fixture(scope="module")
def page(fit: Fit, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("report") / "report.html"
    assert ls.report(fit, path) == path
    return Page(path)


def test_it_stands_alone(page: Page) -> None:
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/svg+xml;base64,"))
    assert "@import" not in page.source
    assert "url(" not in page.source
    for image in page.all("img"):
        svg = base64.b64decode(image["src"].partition(",")[2])
        for element in ElementTree.fromstring(svg).iter():
            links = [v for k, v in element.attrib.items() if k.endswith("href")]
            assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)


def test_it_can_be_read_by_everyone(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    assert len(page.all("h2")) == len(sections())
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3")]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    drawn = ["Forecast", *["Scaling curves"] * 3, "Measured mean", "Map of residuals", "What makes"]
    alts = [i["alt"] for i in page.all("img") if not i["alt"].startswith("Scores outside")]
    assert len(alts) == len(drawn) + 1
    assert all(alt.startswith(start) for alt, start in zip(alts, drawn, strict=False))
    assert alts[-1].startswith("Quantities most sensitive")
    assert all(len(image["alt"]) > 40 for image in page.all("img"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    identities = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identities) == len(set(identities))
    targets = {link["href"].removeprefix("#") for link in page.all("a")}
    assert targets <= set(identities)
    regions = [a for _, a in page.elements if a.get("role") == "region"]
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in regions)


def _luminance(colour: str) -> float:
    full = colour.lstrip("#")
    full = "".join(c * 2 for c in full) if len(full) == 3 else full
    parts = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_text_stands_out_from_its_ground(page: Page) -> None:
    style = page.source.partition("<style>")[2].partition("</style>")[0]
    for name in ("--ink", "--soft", "--link"):
        colour = style.partition(f"{name}: ")[2].partition(";")[0]
        assert 1.05 / (_luminance(colour) + 0.05) >= 7


def test_every_name_is_escaped(page: Page) -> None:
    assert "<script" not in page.source
    assert f"{EVIL}: report of a fit" in page.text
    assert f"{EVIL} score" in page.text
    assert any(EVIL in image["alt"] for image in page.all("img"))


def test_it_says_what_the_analyses_say(page: Page, fit: Fit) -> None:
    diagnosis = ls.diagnose(fit)
    assert "did NOT pass" in page.text
    assert np.isnan(diagnosis.max_rhat)  # of one chain
    assert "not computed (at most 1.01)" in page.text
    assert "12 in 3 families" in page.text
    assert "24 of 24 cells (100%)" in page.text
    rows = pd.DataFrame(
        {
            "model": ["bee, 108B"],
            "family": ["bee"],
            "lineage": ["bee"],
            "instruct": [0],
            "params_b": [108.0],
            "tokens_t": [2.0],
        }
    )
    assert "bee, 108B" in page.text  # four times the largest
    curve = ls.scaling_curve(fit, family="bee")
    last = curve.table().query("benchmark == 'mmlu'").iloc[-1]
    (alt,) = (i["alt"] for i in page.all("img") if i["alt"].startswith("Scaling curves of bee"))
    assert f"to {last['median']:.0%} ({last['lower']:.0%} to {last['upper']:.0%})" in alt
    assert ls.predict(fit, rows).table().shape == (2, 11)
    assert "Outside the range of the fitted models" in page.text


def test_forecasts_are_those_of_the_models_asked_for(fit: Fit, tmp_path: Path) -> None:
    rows = pd.DataFrame(
        {
            "model": ["bee-5b", f"new {EVIL}"],
            "family": ["bee", "new"],
            "params_b": [5.0, 7.0],
            "tokens_t": [1.5, 2.0],
        }
    )
    before = rows.copy()
    path = ls.report(fit, tmp_path / "r.html", planned=rows, families=["bee"], prob=0.5, seed=4)
    pd.testing.assert_frame_equal(rows, before)
    text = Page(path).text
    expected = ls.predict(fit, rows, seed=4).table(0.5)
    for value in expected[["median", "lower", "upper"]].to_numpy().ravel():
        assert f"{value:.3f}" in text
    assert "50% interval" in text
    assert f"Scaling curves of {EVIL}" not in path.read_text()
    assert "times the parameters of its largest" not in text


def test_the_same_seed_gives_the_same_page(fit: Fit, tmp_path: Path) -> None:
    first = ls.report(fit, tmp_path / "a.html", families=["bee"], seed=1).read_bytes()
    assert ls.report(fit, tmp_path / "b.html", families=["bee"], seed=1).read_bytes() == first


def test_what_a_spec_cannot_answer_is_said(
    table: pd.DataFrame, prior_fit: Callable[..., Fit], tmp_path: Path
) -> None:
    document = {
        "name": "tuned or not",
        "covariates": ["instruct"],
        "skills": {"count": 0},
        "family": {"level": "partial"},
        "benchmarks": {"family_effect": True, "slopes": ["instruct"]},
    }
    scores = ls.Scores.from_frame(table.assign(instruct=[0, 1] * 6))
    fit = prior_fit(spec_from_dict(document), scores, draws=30)
    shown = Page(ls.report(fit, tmp_path / "r.html"))
    absent = 'Not shown: The spec "tuned or not" has no covariate along which a curve can run'
    assert absent in shown.text
    assert len(shown.all("h2")) == len(sections())
    assert not [i for i in shown.all("img") if i["alt"].startswith("Scaling curves")]
    assert 'Not shown: The spec "tuned or not" has no skills' in shown.text
    assert 'Not shown: The spec "tuned or not" has no separate terms' in shown.text


def test_point_estimates_are_named_as_such(fit: Fit, tmp_path: Path) -> None:
    from dataclasses import replace

    status = replace(fit.status, is_posterior=False, message="a maximum", advice=("Use NUTS.",))
    shown = Page(ls.report(replace(fit, status=status), tmp_path / "r.html", families=["bee"]))
    assert "a point estimate" in shown.text
    assert "Use NUTS." in shown.text
    assert shown.text.count("Not shown:") == 4  # checks, skills, allocation, sensitivity


@pytest.mark.parametrize(
    ("converged", "pareto_k", "said"),
    [
        (False, 7.08, "was NOT confirmed as close"),
        (True, 0.21, "is close to the posterior"),
        (True, 7.08, "was NOT confirmed as close"),  # a fit of a version with a higher limit
    ],
)
def test_approximations_are_judged_by_their_pareto_k(
    fit: Fit, tmp_path: Path, converged: bool, pareto_k: float, said: str
) -> None:
    from dataclasses import replace

    status = replace(fit.status, converged=converged, message="optimum found", pareto_k=pareto_k)
    approximation = replace(fit, status=status)
    shown = Page(ls.report(approximation, tmp_path / "r.html", families=["bee"]))
    assert f"an approximation that {said}" in shown.text
    assert f"{pareto_k:.2f} (at most" in shown.text
    assert "R-hat" not in shown.text and "nan" not in shown.text
    assert f"an approximation with Pareto k {pareto_k:.2f}" in str(ls.diagnose(approximation))


@pytest.mark.parametrize(
    ("converged", "said"), [(True, "The maximum was found"), (False, "was NOT confirmed")]
)
def test_draws_around_a_maximum_are_judged_by_whether_it_was_found(
    fit: Fit, tmp_path: Path, converged: bool, said: str
) -> None:
    from dataclasses import replace

    tree = fit.tree.copy()
    tree["estimate"] = xr.DataTree(xr.Dataset())
    estimated = replace(fit, tree=tree, status=replace(fit.status, converged=converged))
    shown = Page(ls.report(estimated, tmp_path / "r.html", families=["bee"]))
    assert said in shown.text
    assert ("do not rely" in shown.text) is not converged
    assert "R-hat" not in shown.text and "nan" not in shown.text


@pytest.mark.parametrize(("converged", "said"), [(True, "passed"), (False, "NOT confirmed")])
def test_draws_kept_of_longer_chains_are_judged_by_the_status(
    fit: Fit, tmp_path: Path, converged: bool, said: str
) -> None:
    from dataclasses import replace

    kept = replace(
        fit,
        status=replace(fit.status, converged=converged, message="latents of 5 of 5 confirmed"),
        provenance=replace(fit.provenance, method="Subsampled"),
    )
    shown = Page(ls.report(kept, tmp_path / "r.html", families=["bee"]))
    assert said in shown.text and "latents of 5 of 5 confirmed" in shown.text
    assert ("do not rely" in shown.text) is not converged
    assert "R-hat" not in shown.text and "nan" not in shown.text


def test_misuse_is_refused(fit: Fit, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    with pytest.raises(ls.DataError, match=r'"beee" is not in the fit\. Did you mean "bee"'):
        ls.report(fit, out, families=["beee"])
    with pytest.raises(ls.DataError, match=r"a list of (at least one name|names)"):
        ls.report(fit, out, families="bee")
    with pytest.raises(ls.DataError, match="params_b"):
        ls.report(fit, out, planned=pd.DataFrame({"model": ["m"], "family": ["f"]}))
    with pytest.raises(ls.LatentscaleError, match="prob must lie"):
        ls.report(fit, out, prob=90)
    for path in (tmp_path, tmp_path / "none" / "r.html"):
        with pytest.raises(ls.FitError, match="Cannot write"):
            ls.report(fit, path)
    assert not out.exists()
    with pytest.raises(ls.FitError, match="a description in words"):
        PictureBlock(b"", " ", "caption")
