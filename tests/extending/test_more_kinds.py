"""A verb with a picture and a kind of feature with two covariates, both from outside."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.data.features import FEATURES
from latentscale.declare import spec_from_dict
from latentscale.extend import TERMS, Design, ModelSpec, Parameter, Prior, PriorSlot, Term
from latentscale.posterior.fit import Fit
from latentscale.verb import VERBS

HERE = Path(__file__).parent
MODULES = ("podium_verb", "month_feature")


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    sys.path.insert(0, str(HERE))
    for module in MODULES:
        importlib.import_module(module)
    yield
    VERBS.remove("podium")
    FEATURES.remove("month")
    for module in MODULES:
        del sys.modules[module]
    sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def scores(known: Any) -> ls.Scores:
    table = known.frame.head(24).drop(columns=["epsilon", "zeta"])
    frame = table.assign(launched=[1 + i % 12 for i in range(len(table))])
    return ls.Scores.from_frame(frame, features=[ls.Feature("launched", kind="month")])


@pytest.fixture(scope="module")
def fit(scores: ls.Scores, prior_fit: Callable[..., Fit]) -> Fit:
    spec = {"name": "months", "covariates": ["launched"], "skills": {"count": 1}}
    return prior_fit(spec_from_dict(spec), scores)


def test_a_feature_gives_two_covariates(fit: Fit) -> None:
    assert list(fit.design.x["covariate"].values) == ["launched_sin", "launched_cos"]
    rows = pd.DataFrame({"model": ["a"], "family": ["new"], "launched": [3], "instruct": [0]})
    rows = rows.assign(params_b=1.0, tokens_t=1.0)
    assert np.isfinite(ls.predict(fit, rows).mean_draws).all()


@pytest.mark.parametrize(
    "words", [{"covariates": ["launched:launched"]}, {"benchmarks": {"slopes": ["launched"]}}]
)
def test_one_number_of_it_is_asked_for_by_name(words: dict[str, Any], scores: ls.Scores) -> None:
    spec = spec_from_dict({"name": "x", "covariates": ["launched"], "skills": {"count": 1}} | words)
    with pytest.raises(ls.SpecError, match='"launched_sin", "launched_cos"'):
        ls.build(spec, scores)


class Clash(Term):
    """A term whose parameter has the name of a dim."""

    kind: Literal["clash"] = "clash"
    slots: ClassVar = {"benchmark": PriorSlot(Prior("Normal", mu=0, sigma=1), "a dim's name")}

    def parameters(self, spec: ModelSpec, design: Design) -> dict[str, Parameter]:
        return {"benchmark": Parameter("benchmark", ())}


def test_names_that_clash_are_refused_with_the_term(scores: ls.Scores) -> None:
    TERMS.add(Clash)
    try:
        spec = spec_from_dict({"name": "x", "skills": {"count": 1}, "terms": [{"kind": "clash"}]})
        with pytest.raises(ls.SpecError, match=r'"clash" cannot be declared.*benchmark'):
            ls.build(spec, scores)
    finally:
        TERMS.remove("clash")


def test_the_picture_of_a_verb_is_any_figure(
    fit: Fit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page, out = (tmp_path / name for name in ("fit.nc", "page.html", "podium.png"))
    fit.save(path)
    assert main(["podium", str(path), "--out", str(out), "--csv", str(tmp_path / "p.csv")]) == 0
    assert out.stat().st_size > 0 and "highest mean expected score" in capsys.readouterr().out
    ls.report(fit, page)
    section = page.read_text(encoding="utf-8").partition('<section id="podium"')[2]
    assert "<img" in section.partition("</section>")[0]
