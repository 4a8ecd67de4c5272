"""Links, likelihoods, terms and a verb from outside, each in one file that imports only public
names.

They are used in fits, forecasts, saved files, reports and the command line, in this process and in
new ones that find them only by the environment variable.
"""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import logit

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict, spec_from_json
from latentscale.declare.kinds import LIKELIHOODS, LINKS, TERMS
from latentscale.errors import SpecError
from latentscale.extend import Prior, PriorSlot, Term
from latentscale.posterior.fit import Fit
from latentscale.registry import PLUGINS, Registry
from latentscale.verb import VERBS

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "contracts"))  # what every registered kind must hold
from evaluated import evaluate  # noqa: E402
from kind_checks import check_density, check_draws, check_link, check_log_prior  # noqa: E402

MODULES: dict[str, tuple[Registry[Any], str]] = {
    "gompertz_link": (LINKS, "gompertz"),
    "laplace_likelihood": (LIKELIHOODS, "laplace"),
    "marker_shift_term": (TERMS, "marker-shift"),
    "family_tuning_term": (TERMS, "family-tuning"),
}
DOCUMENTS: dict[str, dict[str, Any]] = {
    "gompertz_link": {"benchmarks": {"link": {"kind": "gompertz"}}},
    "laplace_likelihood": {"benchmarks": {"likelihood": {"kind": "laplace"}}},
    "marker_shift_term": {"terms": [{"kind": "marker-shift", "marker": "-m1"}]},
    "family_tuning_term": {"terms": [{"kind": "family-tuning"}]},
}
VERB = "leaders_verb"
VARIABLES = {
    "gompertz_link": "gompertz_share",
    "laplace_likelihood": "precision",
    "marker_shift_term": "marker_shift",
    "family_tuning_term": "family_tuning",
}
ALL_AT_ONCE = """
covariates = ["log_flops"]
skills = { count = 0 }

[family]
level = "partial"

[benchmarks]
slopes = ["log_flops"]
link = { kind = "gompertz" }
likelihood = { kind = "laplace" }

[[terms]]
kind = "marker-shift"
marker = "-m1"

[[terms]]
kind = "family-tuning"

[priors]
gompertz_share = { dist = "Beta", alpha = 3, beta = 3 }
marker_shift = { dist = "Normal", mu = 0, sigma = 0.3 }
"""
ROWS = pd.DataFrame(
    {
        "model": ["fam00-large-m1", "fam00-big", "new-m1", "new-m2"],
        "family": ["fam00", "fam00", "new", "new"],
        "params_b": [3.0, 70.0, 8.0, 8.0],
        "tokens_t": [2.0, 15.0, 4.0, 4.0],
        "instruct": [1, 0, 1, 1],
    }
)


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """Register the kinds, and remove them after these tests."""
    sys.path.insert(0, str(HERE))
    for module in (*MODULES, VERB):
        importlib.import_module(module)
    yield
    VERBS.remove("leaders")
    del sys.modules[VERB]
    for module, (registry, kind) in MODULES.items():
        registry.remove(kind)
        del sys.modules[module]
    sys.path.remove(str(HERE))


def spec_with(module: str) -> ModelSpec:
    """Return a small spec of separate benchmark curves with the kind of a module."""
    more = DOCUMENTS[module]
    benchmarks = {"slopes": ["log_flops"], **more.get("benchmarks", {})}
    small = {"name": module, "skills": {"count": 0}, "family": {"level": "partial"}}
    return spec_from_dict({**small, **more, "benchmarks": benchmarks})


@pytest.fixture(scope="module")
def fits(prior_fit: Callable[..., Fit], small_scores: Scores) -> Callable[[str], Fit]:
    made: dict[str, Fit] = {}

    def fit_with(module: str) -> Fit:
        if module not in made:
            made[module] = prior_fit(spec_with(module), small_scores, draws=40)
        return made[module]

    return fit_with


def run(*words: object, known: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line in a new process, which finds the kinds by the environment or not."""
    paths = [str(HERE), str(Path(ls.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop(PLUGINS, None)
    if known:
        environment[PLUGINS] = ", ".join((*MODULES, VERB))
    return subprocess.run(
        [sys.executable, "-m", "latentscale", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


@pytest.mark.parametrize("module", [*MODULES, VERB])
def test_an_extension_is_short_and_imports_public_names_alone(module: str) -> None:
    text = (HERE / f"{module}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    imported = {
        node.module
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("latentscale")
    }
    assert imported == {"latentscale.extend"}


@pytest.mark.parametrize("module", MODULES)
def test_a_spec_with_it_survives_json_and_has_a_digest_of_its_own(module: str) -> None:
    spec = spec_with(module)
    again = spec_from_json(spec.to_json())
    assert again == spec and again.digest == spec.digest
    plain = spec_from_dict(
        {
            "name": "x",
            "skills": {"count": 0},
            "family": {"level": "partial"},
            "benchmarks": {"slopes": ["log_flops"]},
        }
    )
    assert spec.digest != plain.digest and MODULES[module][1] in str(spec)


def test_an_outside_kind_holds_what_every_kind_must() -> None:
    check_link(LINKS["gompertz"]())
    check_density(LIKELIHOODS["laplace"]())
    check_draws(LIKELIHOODS["laplace"]())


@pytest.mark.parametrize("module", MODULES)
def test_the_model_and_the_equations_of_a_fit_are_one(module: str, small_scores: Scores) -> None:
    """PyMC's likelihood, priors and expected scores are those of fits and forecasts."""
    spec = spec_with(module)
    values = evaluate(spec, small_scores, gradient=False)
    check_log_prior(spec, values)
    fit = values.as_fit(spec)
    ours = fit.tree["log_likelihood"]["score"].isel(chain=0).values
    np.testing.assert_allclose(ours, values.score_logp, rtol=1e-7, atol=1e-7)
    rows = fit.scores.to_frame().drop(columns=list(fit.scores.benchmarks))
    mean = ls.predict(fit, rows).mean_draws.transpose("sample", "model", "benchmark").values
    cells = mean[:, values.design.model_of_cell, values.design.benchmark_of_cell]
    np.testing.assert_allclose(cells, values.mean, rtol=1e-7, atol=1e-9)
    assert np.isfinite(values.natural[VARIABLES[module]]).all()


def test_a_term_acts_on_the_models_that_it_is_about(fits: Callable[[str], Fit]) -> None:
    fit = fits("marker_shift_term")
    mean = ls.predict(fit, ROWS).mean_draws
    floor = fit.scores.dataset["floor"]
    eta = logit((mean - floor) / (1 - floor))
    twins = eta.sel(model="new-m1") - eta.sel(model="new-m2")  # equal except for the marker
    shift = fit.samples["marker_shift"]
    inside = ((mean > 1e-4) & (mean < 1 - 1e-4)).all("model")
    assert float(inside.mean()) > 0.5
    xr.testing.assert_allclose(
        twins.where(inside), shift.where(inside).transpose(*twins.dims), atol=1e-6
    )


@pytest.mark.filterwarnings("ignore:The scores given leave")  # draws from the prior fit badly
def test_an_effect_by_family_is_drawn_for_new_families(fits: Callable[[str], Fit]) -> None:
    fit = fits("family_tuning_term")
    names = {"model": ["a", "b", "c", "d"], "family": ["fam00", "n1", "n2", "n2"]}
    tuned = pd.DataFrame({**names, "params_b": 5.0, "tokens_t": 2.0, "instruct": 1})
    mean = ls.predict(fit, tuned, seed=1).mean_draws
    one, two, same = (mean.sel(model=m) for m in "bcd")
    np.testing.assert_array_equal(two, same)
    assert float(abs(one - two).max()) > 1e-3
    scores = tuned.assign(alpha=[np.nan, 0.9, np.nan, np.nan])
    rough = ls.FewShot(degenerate="warn")
    moved = ls.predict(fit, scores, seed=1, few_shot=rough)  # a score moves its family's effect
    assert moved.conditioning is not None


def test_variance_is_shared_out_by_the_terms_own_names(fits: Callable[[str], Fit]) -> None:
    for module, name in (
        ("marker_shift_term", "marker in the name"),
        ("family_tuning_term", "tuning in single families"),
    ):
        shares = ls.studies.variance_shares(fits(module))
        assert name in shares.draws["component"].values
        assert "other terms" not in shares.draws["component"].values


def test_forecasts_are_explained_by_the_terms_own_names(
    fits: Callable[[str], Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentscale.analysis.forecasts.explain._FEWEST_DRAWS", 40)
    for module, name, source in (
        ("marker_shift_term", "marker in the name", "shared parameters"),
        ("family_tuning_term", "tuning in single families", "family and lineage"),
    ):
        explanation = ls.studies.explain(fits(module), ROWS, "alpha", seed=1)
        assert explanation.part_draws["part"].values.tolist() == ["log_flops", name]
        assert source in explanation.shares["source"].values


@pytest.mark.parametrize("module", MODULES)
def test_a_saved_fit_answers_in_a_new_process(
    module: str, fits: Callable[[str], Fit], tmp_path: Path, seed_shift: int
) -> None:
    fit = fits(module)
    path, rows, out = tmp_path / "fit.nc", tmp_path / "rows.csv", tmp_path / "out.csv"
    fit.save(path)
    ROWS.to_csv(rows, index=False)
    done = run("predict", path, rows, "--out", out, "--seed", 3 + seed_shift)
    assert done.returncode == 0, done.stderr
    table = ls.predict(fit, ROWS, seed=3).table()
    written = pd.read_csv(out, keep_default_na=False)[list(table)]
    pd.testing.assert_frame_equal(written, table, check_dtype=False)


def test_a_process_without_the_module_says_what_is_missing(
    fits: Callable[[str], Fit], tmp_path: Path
) -> None:
    path = tmp_path / "fit.nc"
    fits("gompertz_link").save(path)
    done = run("diagnose", path, known=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert '"gompertz"' in done.stderr and PLUGINS in done.stderr


def test_the_command_line_fits_and_reports_all_at_once(known: Any, tmp_path: Path) -> None:
    """One small run of NUTS with every kind: fit and report, each in a separate process."""
    spec, table, path = (tmp_path / name for name in ("mine.toml", "scores.csv", "fit.nc"))
    spec.write_text(ALL_AT_ONCE, encoding="utf-8")
    known.frame.head(40).drop(columns=["epsilon", "zeta"]).to_csv(table, index=False)
    words = ["--draws", 40, "--tune", 40, "--chains", 2, "--seed", 3, "--out", path]
    done = run("fit", "--spec", spec, "--scores", table, *words)
    assert done.returncode == 0, done.stderr
    fit = ls.load(path)
    for name in VARIABLES.values():
        assert np.isfinite(fit.posterior[name]).all() and float(fit.posterior[name].std()) > 0
    page = tmp_path / "page.html"
    done = run("report", path, "--out", page)
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert "gompertz" in text and "laplace" in text and "marker in the name" in text


def test_a_verb_from_outside_has_a_command(fits: Callable[[str], Fit], tmp_path: Path) -> None:
    fit, path, out = fits("marker_shift_term"), tmp_path / "fit.nc", tmp_path / "leaders.csv"
    fit.save(path)
    done = run("leaders", path, "--top", 2, "--out", out)
    assert done.returncode == 0, done.stderr
    wanted = VERBS["leaders"].answer()(fit, top=2)
    assert wanted.headline in done.stdout
    pd.testing.assert_frame_equal(pd.read_csv(out), wanted.table(), check_dtype=False)
    done = run("leaders", "--help")
    assert "Which model leads each benchmark?" in done.stdout
    assert "--top" in done.stdout and "Models to name a benchmark." in done.stdout
    assert "leaders " in run("--help").stdout
    assert run("leaders", path, known=False).returncode == 2


def test_a_verb_from_outside_has_its_section_in_the_report(
    fits: Callable[[str], Fit], tmp_path: Path
) -> None:
    fit, page = fits("gompertz_link"), tmp_path / "page.html"
    ls.report(fit, page)
    text = page.read_text(encoding="utf-8")
    assert '<a href="#leaders">Leaders</a>' in text
    assert VERBS["leaders"].answer()(fit).headline in text


def refused(**document: object) -> str:
    with pytest.raises(SpecError) as caught:
        spec_from_dict({"name": "x", **document})
    return str(caught.value)


def test_tables_of_terms_are_checked_like_every_other() -> None:
    assert '"marker-shift"' in refused(terms=[{"kind": "marker-shfit", "marker": "a"}])
    assert "terms[0]" in refused(terms=[{"kind": "marker-shift", "markr": "a"}])
    assert "marker" in refused(terms=[{"kind": "marker-shift"}])
    assert "terms[1]" in refused(terms=[{"kind": "family-tuning"}, {"kind": "marker-shift"}])
    assert "terms" in refused(terms={"kind": "family-tuning"})
    assert "kind" in refused(terms=[{"marker": "a"}])
    assert "is repeated" in refused(terms=[{"kind": "family-tuning"}] * 2)
    assert "slope" in refused(terms=[{"kind": "slope"}])  # the package's own have other fields


def test_two_kinds_cannot_have_one_name_or_one_slot() -> None:
    with pytest.raises(SpecError, match='"gompertz" is registered already'):

        @LINKS.add
        class Gompertz(LINKS["gompertz"]):  # type: ignore[misc]
            pass

    class Steep(Term):
        kind: Literal["steep"] = "steep"
        slots: ClassVar = {"slope": PriorSlot(Prior("Normal", mu=5, sigma=1), "another slope")}

    TERMS.add(Steep)
    try:
        with pytest.raises(SpecError, match='"slope"'):
            ls.load_spec("pooled_flops").prior("intercept")
    finally:
        TERMS.remove("steep")


def test_the_quadrature_refuses_a_term_that_it_does_not_know(small_scores: Scores) -> None:
    spec = spec_from_dict(
        {
            "name": "x",
            "skills": {"count": 1},
            "terms": [{"kind": "marker-shift", "marker": "-m1"}],
        }
    )
    with pytest.raises(SpecError, match=r'"marker-shift".*use NUTS'):
        ls.fit(spec, small_scores, method=ls.MarginalML())
