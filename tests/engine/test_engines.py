"""Both engines give the same density; the stock one takes over if the fast one breaks."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytensor.configdefaults import config

import latentscale as ls
from latentscale.data.scores import Scores
from latentscale.declare import ModelSpec, spec_from_dict
from latentscale.engine import choice, fast, stock
from latentscale.errors import FitError, FitWarning
from latentscale.inference.tools.posterior_density import kept_names
from latentscale.model.build import build, build_design
from latentscale.model.coordinates import families_centred, response_of_scores
from latentscale.model.design import design

MOMENTS = (np.mean, np.std)
SMALL = {"draws": 30, "tune": 30, "chains": 2, "cores": 1}


@pytest.fixture(autouse=True)
def unbroken() -> Iterator[None]:
    """Ensure that no test leaves the fast engine switched off."""
    choice.forget_faults()
    yield
    choice.forget_faults()


SLOPES = {
    "benchmarks.family_slopes": ["log_flops"],
    "benchmarks.family_slope_spreads": "by-covariate",
    "family.level": "partial",
}


@pytest.mark.parametrize("changes", [{}, pytest.param(SLOPES, marks=pytest.mark.slow)])
def test_both_engines_give_one_density(
    changes: dict[str, Any], quick_spec: ModelSpec, small_scores: Scores
) -> None:
    model = build(quick_spec.with_(changes), small_scores)
    names = kept_names(model)
    ours, theirs = (e.compile_density(model, names) for e in (fast, stock))
    np.testing.assert_array_equal(ours.start, theirs.start)
    assert (ours.shapes, ours.dims) == (theirs.shapes, theirs.dims)
    assert (ours.engine, theirs.engine) == ("fast", "stock")
    point = ours.start + 0.3 * np.random.default_rng(3).standard_normal(ours.size)
    value, gradient = ours.log_density(point)
    other, slope = theirs.log_density(point)
    assert value == pytest.approx(other, rel=1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-9)
    for name, expanded in theirs.expand(point).items():
        np.testing.assert_allclose(ours.expand(point)[name], expanded, rtol=1e-11)


def methods() -> list[ls.inference.method.Method]:
    return [
        ls.NUTS(**SMALL),
        ls.NUTS(**SMALL, backend="pymc"),
        ls.NUTS(**SMALL, start=ls.methods.ModeStart(climbs=2)),
        ls.ADVI(steps=100, draws=20, window=10),
        ls.Laplace(draws=20),
        ls.Pathfinder(paths=2, draws=20),
    ]


@pytest.mark.parametrize("method", methods(), ids=lambda m: f"{type(m).__name__}")
@pytest.mark.filterwarnings("ignore")
def test_every_method_runs_on_the_stock_engine(
    method: ls.inference.method.Method,
    quick_spec: ModelSpec,
    small_scores: Scores,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(choice.ENGINE, "stock")
    fit = ls.fit(quick_spec, small_scores, method=method, seed=1, progress=False)
    assert np.isfinite(fit.tree["log_likelihood"]["score"]).all()
    assert fit.provenance.versions["engine"] == "stock"


def one_skill() -> ModelSpec:
    """Return a small spec that quadrature and whitened coordinates support."""
    identify = {"kind": "anchored", "anchors": ["mmlu"], "unit": "family"}
    return spec_from_dict(
        {
            "name": "one skill",
            "covariates": ["log_params"],
            "skills": {"count": 1, "identify": identify},
            "family": {"level": "partial"},
        }
    )


@pytest.mark.parametrize(
    "method",
    [
        ls.MarginalML(starts=1, draws=20, cores=1),
        ls.methods.StochasticMarginalML(starts=1, steps=60, rounds=1, moves=60, draws=5, cores=1),
        ls.NUTS(**SMALL, start=ls.methods.ModeStart(climbs=2)),
        ls.ADVI(steps=100, draws=20, window=10, batch=6),
    ],
    ids=lambda m: f"{type(m).__name__}",
)
@pytest.mark.filterwarnings("ignore")
def test_methods_of_anchored_skills_run_on_the_stock_engine(
    method: ls.inference.method.Method, small_scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(choice.ENGINE, "stock")
    fit = ls.fit(one_skill(), small_scores, method=method, seed=1, progress=False)
    assert np.isfinite(fit.tree["log_likelihood"]["score"]).all()
    assert fit.provenance.versions["engine"] == "stock"


@pytest.mark.parametrize(("before", "after"), [("stock", "stock"), ("fast", "stock")])
@pytest.mark.filterwarnings("ignore")
def test_whitened_chains_on_disk_go_on_on_either_engine(
    before: str,
    after: str,
    small_scores: Scores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(choice.ENGINE, before)
    start = ls.methods.ModeStart(climbs=2)
    method = ls.NUTS(**SMALL, start=start, coordinates="whitened", store=tmp_path / "run")
    first = ls.fit(one_skill(), small_scores, method=method, seed=1, progress=False)
    assert first.provenance.settings["coordinates"] == "whitened"
    assert first.provenance.versions["engine"] == before
    monkeypatch.setenv(choice.ENGINE, after)
    more = ls.resume(tmp_path / "run", draws=40, progress=False)
    assert more.posterior.sizes["draw"] == 40
    assert more.posterior.isel(draw=slice(30)).identical(first.posterior)
    # The new draws are from the same posterior as the first ones, in the same coordinates.
    new = more.posterior["intercept"].isel(draw=slice(30, None)).mean(("chain", "draw"))
    old, spread = (first.posterior["intercept"].reduce(f, ("chain", "draw")) for f in MOMENTS)
    assert float(abs((new - old) / spread).max()) < 3


def test_both_engines_give_one_density_in_whitened_coordinates(small_scores: Scores) -> None:
    spec = one_skill()
    prepared = design(spec, small_scores)
    model = build_design(spec, prepared)
    coordinate = families_centred(spec, prepared, model, response_of_scores(prepared))
    ours, theirs = (e.compile_density(model, ["loading"], (coordinate,)) for e in (fast, stock))
    for point in ours.start + 0.3 * np.random.default_rng(3).standard_normal((3, ours.size)):
        value, gradient = ours.log_density(point)
        other, slope = theirs.log_density(point)
        assert value == pytest.approx(other, rel=1e-11)
        np.testing.assert_allclose(gradient, slope, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("engine", [fast, stock], ids=lambda e: e.__name__.rpartition(".")[2])
def test_another_priors_numbers_never_compile(
    engine: Any, quick_spec: ModelSpec, small_scores: Scores
) -> None:
    """And it gives the density that PyMC computes for the model."""
    first = build(quick_spec, small_scores)
    engine.compile_density(first, kept_names(first))
    priors = {
        "precision": {"dist": "LogNormal", "mu": 3.0, "sigma": 0.7},
        "intercept": {"dist": "Normal", "mu": -0.3, "sigma": 0.4},
    }
    model = build(quick_spec.with_priors(priors), small_scores)
    density = engine.compile_density(model, kept_names(model))
    assert density.reused
    reference = model.compile_logp(mode="FAST_COMPILE")
    start = model.initial_point(random_seed=0)
    point = density.start + 0.3 * np.random.default_rng(4).standard_normal(density.size)
    ends = np.cumsum([value.size for value in start.values()])[:-1]
    parts = zip(start.items(), np.split(point, ends), strict=True)
    named = {name: part.reshape(value.shape) for (name, value), part in parts}
    assert density.log_density(point)[0] == pytest.approx(float(reference(named)), rel=1e-10)


@pytest.mark.parametrize(("before", "after"), [("stock", "stock"), ("fast", "stock")])
def test_draws_on_disk_are_resumed_on_the_stock_engine(
    before: str,
    after: str,
    quick_spec: ModelSpec,
    small_scores: Scores,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(choice.ENGINE, before)
    method = ls.NUTS(**SMALL, store=tmp_path / "run")
    first = ls.fit(quick_spec, small_scores, method=method, seed=1, progress=False)
    monkeypatch.setenv(choice.ENGINE, after)
    more = ls.resume(tmp_path / "run", draws=50, progress=False)
    assert more.posterior.sizes["draw"] == 50
    assert more.posterior.isel(draw=slice(30)).identical(first.posterior)


def test_a_nutpie_without_models_in_python_samples_its_own(
    quick_spec: ModelSpec, small_scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(choice.ENGINE, "stock")
    monkeypatch.setitem(sys.modules, "nutpie.compiled_pyfunc", None)
    fit = ls.fit(quick_spec, small_scores, method=ls.NUTS(**SMALL), seed=1, progress=False)
    assert fit.posterior.sizes["draw"] == 30
    method = ls.NUTS(**SMALL, start=ls.methods.ModeStart(climbs=2))
    with pytest.raises(FitError, match=r"PriorStart.*pymc"):
        ls.fit(quick_spec, small_scores, method=method, seed=1, progress=False)


FAST = (
    *("fast", "linker", "contained", "native", "nutpie_model", "rewrites", "sums", "views"),
    *("ops/beta_density", "ops/gammas"),
)
LIBRARIES = ("llvmlite", "numba", "nutpie", "pymc", "pytensor")
# The stock engine needs these too, or nutpie, PyMC and PyTensor look them up at run time: without
# AdvancedIncSubtensor, PyMC cannot be imported and PyTensor has no gradient of indexing.
PUBLIC = {
    ("numba", "njit"),
    ("pytensor.compile.mode", "get_mode"),
    ("pytensor.configdefaults", "config"),
    ("pytensor.gradient", "DisconnectedType"),
    ("pytensor.graph", "clone_replace"),
    ("pytensor.graph", "rewrite_graph"),
    ("pytensor.graph.basic", "Apply"),
    ("pytensor.graph.op", "Op"),
    ("pytensor.graph.rewriting.basic", "node_rewriter"),
    ("pytensor.link.jax.dispatch", "jax_funcify"),
    ("pytensor.tensor.elemwise", "DimShuffle"),
    ("pytensor.tensor.elemwise", "Elemwise"),
    ("pytensor.tensor.math", "Sum"),
    ("pytensor.tensor.subtensor", "AdvancedIncSubtensor"),
    ("pytensor.tensor.subtensor", "AdvancedSubtensor"),
    ("pytensor.xtensor", "as_xtensor"),
}
ATTRIBUTES = {
    ("llvmlite.ir", "Constant"),
    ("numba.core.cgutils", "if_unlikely"),
    ("nutpie._lib", "PyMcModel"),
}
USUAL = {
    ("numba.core.cgutils", "if_unlikely"),
    ("numba.core.codegen", "JITCodeLibrary"),
    ("nutpie.compile_pymc", "CompiledPyMCModel"),
    ("numba.extending", "intrinsic"),
    ("pytensor.link.numba.dispatch.basic", "numba_funcify_and_cache_key"),
    ("pytensor.link.numba.dispatch.basic", "register_funcify_default_op_cache_key"),
}


def internals() -> list[Any]:
    """Return all that the fast engine imports from libraries; rarer names for the slow tests."""
    imported = set(ATTRIBUTES)
    for name in FAST:
        path = Path(fast.__file__).parent / f"{name}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in LIBRARIES:
                imported |= {(str(node.module), alias.name) for alias in node.names}
    # A module is imported again by its path, so only names inside it can be renamed.
    names = {(m, n) for m, n in imported if f"{m}.{n}" not in sys.modules}
    assert names >= USUAL and len(names) > 25
    return [
        pytest.param(*pair, marks=() if pair in USUAL else pytest.mark.slow)
        for pair in sorted(names - PUBLIC)
    ]


@pytest.mark.parametrize(("library", "internal"), internals())
def test_a_renamed_internal_gives_one_warning_and_a_fit(
    library: str, internal: str, quick_spec: ModelSpec, small_scores: Scores, tmp_path: Path
) -> None:
    """In a separate process, since engines are imported only once."""
    table = tmp_path / "scores.csv"
    small_scores.to_frame().to_csv(table, index=False)
    code = f"""
import importlib, sys, warnings
import numba, nutpie, pymc
import pytensor.link.numba.linker
module = importlib.import_module({library!r})
delattr(module, {internal!r})
import pandas as pd
import latentscale as ls
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    scores = ls.Scores.from_frame(pd.read_csv({str(table)!r}))
    method = ls.NUTS(draws=20, tune=20, chains=2, cores=1)
    fit = ls.fit(ls.load_spec("pooled_flops"), scores, method=method, seed=1, progress=False)
said = [str(w.message) for w in caught if "stock engine" in str(w.message)]
print(len(said), fit.provenance.versions["engine"], fit.posterior.sizes["draw"])
"""
    compiled = tmp_path / "compiled"  # machine code, but no graph by which it is read unconverted
    compiled.mkdir()
    (compiled / "numba").symlink_to(Path(config.base_compiledir) / "numba")
    flags = [os.environ.get("PYTENSOR_FLAGS", ""), f"base_compiledir={compiled}"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTENSOR_FLAGS": ",".join(flag for flag in flags if flag)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    warned, engine, draws = done.stdout.split()
    assert (int(warned), engine, int(draws)) == (1, "stock", 20)


def test_a_nutpie_that_takes_the_fast_engines_models_otherwise_gives_one_warning_and_a_fit(
    quick_spec: ModelSpec, small_scores: Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sampler calls this method of its own record, so the fault appears when chains begin."""
    monkeypatch.delattr("nutpie.compile_pymc.CompiledPyMCModel._make_sampler")
    with pytest.warns(FitWarning, match="stock engine takes over") as caught:
        fit = ls.fit(quick_spec, small_scores, method=ls.NUTS(**SMALL), seed=1, progress=False)
    assert sum("stock engine" in str(warning.message) for warning in caught) == 1
    assert fit.posterior.sizes["draw"] == 30


def test_an_engine_that_fails_is_not_tried_again() -> None:
    tried: list[int] = []

    def broken() -> str:
        tried.append(1)
        raise AttributeError("renamed")

    with pytest.warns(FitWarning, match="renamed"):
        assert choice.fast_or_stock(broken, lambda: "stock") == "stock"
    assert choice.fast_or_stock(broken, lambda: "stock") == "stock"
    assert len(tried) == 1 and choice.engine_in_use() == "stock"


def test_a_choice_inside_another_warns_once() -> None:
    def broken() -> str:
        raise AttributeError("renamed")

    def outer() -> str:
        choice.fast_or_stock(broken, lambda: "stock")
        raise AttributeError("renamed too")

    with pytest.warns(FitWarning) as caught:
        assert choice.fast_or_stock(outer, lambda: "stock") == "stock"
    assert len(caught) == 1


def test_users_errors_are_not_taken_for_a_broken_engine() -> None:
    def refused() -> str:
        raise FitError("no draws")

    with pytest.raises(FitError, match="no draws"):
        choice.fast_or_stock(refused, lambda: "stock")


def test_what_neither_engine_can_do_is_no_fault_of_the_fast_one() -> None:
    """For example, a user-defined density that raises: the next model is compiled fast again."""

    def wrong() -> str:
        raise TypeError("a density of a user's own")

    def wrong_on_stock() -> str:
        assert choice.engine_in_use() == "stock"  # so that parts of a graph take stock operations
        return wrong()

    with warnings.catch_warnings():
        warnings.simplefilter("error", FitWarning)
        with pytest.raises(TypeError, match="of a user's own"):
            choice.fast_or_stock(wrong, wrong_on_stock)
        assert choice.engine_in_use() == "fast"
        assert choice.fast_or_stock(lambda: "fast", lambda: "stock") == "fast"


def test_an_unknown_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(choice.ENGINE, "quick")
    with pytest.raises(FitError, match='"auto", "fast", "stock"; got "quick"'):
        choice.chosen_engine()


INTERNALS = re.compile(
    r"^\s*(?:from|import)\s+(pytensor\.link|numba\.core|numba\.extending|llvmlite|"
    r"nutpie\.compile_pymc|nutpie\.compiled_pyfunc|nutpie\._lib)",
    re.MULTILINE,
)


def test_only_the_engine_reaches_into_libraries() -> None:
    package = Path(ls.__file__).parent
    outside = [p for p in package.rglob("*.py") if "engine" not in p.relative_to(package).parts]
    assert [str(p) for p in outside if INTERNALS.search(p.read_text(encoding="utf-8"))] == []
    assert any(INTERNALS.search(p.read_text()) for p in (package / "engine").rglob("*.py"))


def test_notices_of_object_mode_are_not_repeated() -> None:
    def broken() -> None:
        warnings.warn("Numba will use object mode to run Sum's perform method.", stacklevel=1)
        raise AttributeError("renamed")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert choice.fast_or_stock(broken, lambda: "stock") == "stock"
    assert [warning.category for warning in caught] == [FitWarning]
