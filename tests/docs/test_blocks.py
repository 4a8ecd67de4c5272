"""Every block of code and every command of the pages, the README and the help runs.

Blocks in ``python`` run in order with the page's cells, in one namespace; cells of pages without
such blocks are run by `make docs`. Commands run one after the other in a folder with a table and
saved fits. Blocks too long for a test are shortened in `SHORTER`, what a page expects of its reader
is in `GIVEN`, and commands that cannot run here are in `NOT_RUN` with a reason.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import zipfile
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pytest
from typer.testing import CliRunner

import latentscale as ls
from latentscale.cli import app, main

ROOT: Final = Path(__file__).parents[2]
FITS: Final = ROOT / "docs" / "fits"
PAGES: Final = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(
            p
            for p in sorted((ROOT / "docs").rglob("*.md"))
            if not {"_build", "api", "generated"} & set(p.parts)
        ),
    ]
}
FENCE: Final = re.compile(r"^```(?:\{([\w-]+)\}|(\w*))[^\n]*\n(.*?)^```", re.S | re.M)
INDENTED: Final = re.compile(r"(?:(?<=\n\n)|(?<=\n))    (\S[^\n]*)\n")
INLINE: Final = re.compile(r"`((?:latentscale|make|python|pip) [a-z.-][^`\n]*|\.ci/run)`")

SHORTER: Final = {
    "ls.NUTS(draws=250, tune=300)": "ls.NUTS(draws=60, tune=100, chains=2)",
    'backend="numpyro", draws=500, tune=500': 'backend="numpyro", draws=50, tune=50',
    "    frame=planned,\n": "    frame=planned,\n    method=ls.Laplace(draws=200),\n",
    "draws=2000, tune=1000, chains=4, target_accept=0.95": "draws=50, tune=50, chains=2",
    "method=ls.NUTS(draws=500, chains=2), seed=1": "method=ls.Laplace(draws=200), seed=1",
    "method=ls.NUTS(draws=2000), seed=1": "method=ls.NUTS(draws=20, tune=30, chains=2)",
    'folder="folds", workers=2': 'folder="folds", method=ls.Laplace(draws=200)',
    "fit --scores scores.csv": "fit --spec pooled_flops --draws 200 --tune 200 --scores scores.csv",
    "backtest --scores": "backtest --spec pooled_flops --method Laplace --scores",
    "report hub.csv": "report hub.csv --method ADVI --draws 100",
    "fit.nc --benchmark gpqa": "dated.nc --benchmark quiz",
    "agreement fit1.nc fit2.nc": "agreement fit1.nc fit.nc",
}
"""Text of pages and commands, and what runs in its place: fewer draws, a method that takes seconds,
and names that the stored fits have."""

SMALL: Final = """
fit = ls.load(FITS / "small.nc")
spec, scores = ls.load_spec("pooled_flops"), fit.scores
planned = pd.DataFrame(
    {"model": ["qwen2-30b"], "family": ["qwen2"], "params_b": [30.0], "tokens_t": [7.0]}
)
"""
LONG: Final = """
frame = pd.DataFrame(
    {
        "model": ["a-1", "a-1", "b-1"],
        "family": ["a", "a", "b"],
        "benchmark": ["quiz", "quiz", "quiz"],
        "score": [0.5, 0.6, 0.7],
        "source": ["paper", "hub", "hub"],
    }
)
"""
HUBS: Final = """
models = [f"model-{k}" for k in range(1, 10)]
rows = pd.DataFrame({"model": models, "score": range(50, 59)})
rows.rename(columns={"score": "zebra_puzzle"}).to_csv("table_2025_05_30.csv", index=False)
Path("benchpress").mkdir()
rows = rows.rename(columns={"model": "model_id"}).assign(benchmark_id="gpqa")
rows.to_csv("benchpress/scores.csv", index=False)
rows[["model_id"]].assign(release_date="2025-04-16").to_csv("benchpress/models.csv", index=False)
rows = pd.DataFrame({"Model version": models, "mean_score": rows["score"] / 100})
with zipfile.ZipFile("benchmark_data.zip", "w") as hub:
    hub.writestr("gpqa_diamond.csv", rows.to_csv(index=False))
"""
INDEX: Final = """
best = index.table().rename(columns={"model": "Model version", "median": "ECI Score"})
with zipfile.ZipFile("benchmark_data.zip", "w") as hub:
    hub.writestr("epoch_capabilities_index.csv", best.to_csv(index=False))
"""
GIVEN: Final = {
    'scores = ls.readers.read_epoch("benchmark_data.zip")  # Epoch\'s hub, as downloaded': HUBS,
    'published = ls.readers.epoch_index("benchmark_data.zip")': INDEX,
    'method = ls.NUTS(backend="numpyro", draws=500, tune=500, chains=2)': SMALL,
    "frame = read.to_frame()": "read = ls.datasets.open_llm_leaderboard()",
    'scores = ls.Scores.from_long(frame, sources="apart")': LONG,
}
"""First line of a block, and code for what its reader has: a fit, a spec, a table."""

NOT_RUN: Final = {
    "latentscale demo": "tests/test_demo.py runs it",
    "latentscale demo --folder results --seed 1": "tests/test_demo.py runs it",
    "latentscale explore fit.nc": "tests/explore/test_page.py serves the page and stops",
    "latentscale align free.nc --rotation varimax --out aligned.nc": "tests/test_cli_verbs.py",
    "latentscale resume run/ --out fit.nc": "tests/test_cli_verbs.py",
    "latentscale undisclosed fit.nc --out tokens.csv": "tests/test_cli_verbs.py",
    "latentscale fit --method NAME --set SETTING=VALUE": "tests/test_cli.py: stands for any method",
    "make test": "Makefile: this suite",
    "make test-all": "Makefile: this suite",
    "make demo": "Makefile: latentscale demo",
    "make lint": ".github/workflows/checks.yml",
    "make compat": ".github/workflows/checks.yml",
    "make docs": ".github/workflows/checks.yml",
    "make build": ".github/workflows/release.yml",
    "make wheels": ".github/workflows/release.yml",
    "make lowest": ".github/workflows/scheduled.yml",
    "make newest": ".github/workflows/scheduled.yml",
    "make notebooks": ".github/workflows/scheduled.yml",
    ".ci/run": "CONTRIBUTING.md: style, types, the site and this suite",
    "pip install .": ".ci/wheel installs the wheel that is built from here",
    'pip install "latentscale[jax]" "jax[cuda12]"': "pyproject.toml: fetches from a registry",
    "python -m benchmarks.growth.gpu --models 20000": "tests/inference/test_gpu.py: needs a GPU",
    "python -m benchmarks.accuracy.run": "benchmarks/accuracy/RESULTS.md: a day",
    "python -m benchmarks.subsampled.run exact": "benchmarks/subsampled/run.py: after nuts",
    "python benchmarks/accuracy.py": "docs/upgrade.md: its place in 0.1",
    "python -m notebooks.execute": "notebooks/execute.py: tests/notebooks runs them with few draws",
    "python docs/make_fits.py": "docs/make_fits.py: minutes; the pages load what it saved",
    "python -W error::DeprecationWarning:__main__ script.py": "docs/upgrade.md: a reader's script",
    "git worktree add ../then <commit>": "CONTRIBUTING.md: a release's commit",
    "python tests/golden/write_numbers.py --checkout ../then": "tests/golden: once a release",
}
"""Commands that no test here runs, each with the file that runs it or states its requirements."""

EXIT: Final = {"latentscale diagnose fit.nc": 1}
"""Exit codes other than 0 that a page states."""

NEEDS: Final = {"latentscale elicit": "preliz", 'backend="numpyro"': "numpyro"}
"""Libraries from extras that blocks with this beginning or text need."""


def blocks(text: str) -> list[tuple[str, str]]:
    """Return kind and source of a page's blocks of code, in order."""
    return [(cell or kind, body) for cell, kind, body in FENCE.findall(text)]


def of_help() -> list[str]:
    """Return the examples in the help of all commands."""
    help_text = CliRunner().invoke(app, ["--help"]).output
    names = re.findall(r"^  ([a-z][a-z-]+)  +\S", help_text[help_text.index("Commands:") :], re.M)
    shown = [help_text, *(CliRunner().invoke(app, [name, "--help"]).output for name in names)]
    return [
        line.strip() for text in shown for line in re.findall(r"^    (latentscale .+)", text, re.M)
    ]


def commands() -> list[str]:
    """Return every command of the pages and of the help, without comments."""
    lines = of_help()
    for text in PAGES.values():
        shells = [body for kind, body in blocks(text) if kind == "sh"]
        lines += [line for body in shells for line in body.splitlines()]
        lines += INDENTED.findall(text) if "\n    make " in text else []
        lines += INLINE.findall(re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))
    bare = [re.sub(r"\s+#.*", "", line).strip() for line in lines]
    return sorted({line for line in bare if line})


RUN: Final = [line for line in commands() if line.startswith("latentscale") and line not in NOT_RUN]
PYTHON: Final = [page for page, text in PAGES.items() if "\n```python" in text]


def test_every_command_is_run_or_listed_with_its_reason() -> None:
    assert set(commands()) - set(RUN) == set(NOT_RUN)
    places = [reason.split(":")[0].split(" ")[0] for reason in NOT_RUN.values()]
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_what_is_shortened_and_given_is_on_the_pages() -> None:
    text = "\n".join([*PAGES.values(), *of_help()])
    assert [old for old in SHORTER if old not in text] == []
    first = {body.partition("\n")[0] for page in PAGES.values() for _, body in blocks(page)}
    assert set(GIVEN) <= first


def test_blocks_of_code_are_of_kinds_that_are_run() -> None:
    others = {"toctree", "include", "literalinclude", "figure", "measured", "text", "thumbnails"}
    kinds = {kind for text in PAGES.values() for kind, _ in blocks(text)}
    assert kinds - others == {"python", "code-cell", "sh"}


def test_pages_with_cells_are_executed_when_the_site_is_built() -> None:
    celled = [text for text in PAGES.values() if "```{code-cell}" in text]
    assert len(celled) > 30
    assert all(text.startswith("---\nfile_format: mystnb\n") for text in celled)
    conf = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    assert "nb_execution_raise_on_error = True" in conf and "excludepatterns" not in conf


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON)
def test_python_of_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = [(kind, body) for kind, body in blocks(PAGES[page]) if kind in ("python", "code-cell")]
    for part, library in NEEDS.items():
        if any(part in body for _, body in code):
            pytest.importorskip(library)
    work = tmp_path / "docs" / "learn"
    work.mkdir(parents=True)
    (tmp_path / "docs" / "_build").mkdir()
    (tmp_path / "docs" / "fits").symlink_to(FITS)
    monkeypatch.chdir(work)
    names: dict[str, Any] = {"ls": ls, "pd": pd, "FITS": FITS, "Path": Path, "zipfile": zipfile}
    for _, body in code:
        exec(GIVEN.get(body.splitlines()[0], ""), names)
        lines = [line for line in shorter(body).splitlines() if not line.startswith(":")]
        exec(compile("\n".join(lines), page, "exec"), names)


@pytest.mark.slow
@pytest.mark.parametrize("command", RUN)
def test_a_command_runs(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part, library in NEEDS.items():
        if part in command:
            pytest.importorskip(library)
    monkeypatch.chdir(folder)
    words = shlex.split(shorter(command).partition(" > ")[0])[1:]
    assert main(words) == EXIT.get(command, 0)
    written = [words[k + 1] for k, word in enumerate(words) if word in ("--out", "--csv")]
    assert [name for name in written if not (folder / name).exists()] == []


def shorter(code: str) -> str:
    """Return code with its long parts replaced by shorter ones."""
    for old, new in SHORTER.items():
        code = code.replace(old, new)
    return code


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files that the commands assume: a table, fits, rows, results."""
    for name, stored in {"fit": "small", "fit1": "small", "fit2": "pooled_flops"}.items():
        shutil.copy(FITS / f"{stored}.nc", tmp_path / f"{name}.nc")
    shutil.copy(FITS / "dated.nc", tmp_path)
    scores = ls.load(FITS / "small.nc").scores
    scores.save(tmp_path / "scores.csv")
    row = {"model": "qwen2-30b", "family": "qwen2", "params_b": 30.0, "tokens_t": 7.0}
    pd.DataFrame([row]).to_csv(tmp_path / "planned.csv", index=False)
    pd.DataFrame([row | {"hellaswag": 0.84}]).to_csv(tmp_path / "measured.csv", index=False)
    known = scores.to_frame()
    known.assign(arena=range(len(known)))[["model", "arena"]].to_csv(
        tmp_path / "arena.csv", index=False
    )
    named = known[["model", "family", "params_b", "tokens_t", "instruct"]]
    named.to_csv(tmp_path / "models.csv", index=False)
    hub = pd.DataFrame({"Model": [f"gpt-{k}" for k in range(1, 9)]})
    for j, name in enumerate(("Resolved", "Maths", "Science", "Code")):
        hub[name] = [f"{10 + 9 * k + 2 * j}%" for k in range(8)]
    hub.to_csv(tmp_path / "hub.csv", index=False)
    results = tmp_path / "results"
    results.mkdir()
    for model in named["model"].head(3):
        measured = {"hellaswag": {"acc_norm,none": 0.7}}
        document = {"results": measured, "model_name": model}
        (results / f"results_{model}.json").write_text(json.dumps(document), encoding="utf-8")
    return tmp_path
