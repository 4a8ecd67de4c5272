from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.image import imread

import latentscale as ls
from latentscale.cli import main
from latentscale.cli.console import guarded
from latentscale.declare import shipped_specs, spec_from_dict
from latentscale.errors import DataWarning
from latentscale.verb import VERBS

COMMANDS = tuple(VERBS)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the base models of four families, on three benchmarks."""
    frame = ls.datasets.open_llm_leaderboard().to_frame()
    rows = frame[frame["family"].isin(["pythia", "opt", "qwen1.5", "llama-2"])]
    path = tmp_path_factory.mktemp("tables") / "scores.csv"
    columns = ["model", "family", "lineage", "params_b", "tokens_t", "arc", "mmlu", "gsm8k"]
    rows[columns].to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fit_file(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fit the smallest spec with the command itself; so few draws cannot pass diagnostics."""
    path = tmp_path_factory.mktemp("fits") / "fit.nc"
    words = ["--draws", "40", "--tune", "60", "--chains", "2", "--seed", "3", "--out", str(path)]
    assert main(["fit", "--spec", "pooled_flops", "--scores", str(table), *words]) == 0
    return path


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    path = tmp_path / "planned.csv"
    path.write_text("model,family,params_b,tokens_t\npythia-30b,pythia,30,0.3\nnew-7b,new,7,2\n")
    return path


def _refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must be refused, and return its one message."""
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr()
    assert said.err.count("error: ") == 1
    assert "Traceback" not in said.err
    return said.err


def test_fit_writes_what_the_library_reads_back(fit_file: Path) -> None:
    fit = ls.load(fit_file)
    assert fit.spec == ls.load_spec("pooled_flops")
    assert fit.scores.benchmarks == ("arc", "mmlu", "gsm8k")
    assert (fit.posterior.sizes["chain"], fit.posterior.sizes["draw"]) == (2, 40)
    assert fit.provenance.seed == 3


def test_predict_writes_the_library_s_numbers(
    fit_file: Path, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "forecast.csv"
    words = ["predict", fit_file, planned, "--prob", "0.8", "--seed", "4", "--out", out]
    assert main([str(word) for word in words]) == 0
    said = capsys.readouterr()
    expected = ls.predict(ls.load(fit_file), pd.read_csv(planned), seed=4).table(0.8)
    pd.testing.assert_frame_equal(pd.read_csv(out, keep_default_na=False), expected)
    assert f"wrote {out}: 6 rows" in said.out
    assert said.err.startswith("warning: ")
    assert "not converged" in said.err


def test_predict_prints_a_table_without_out(
    fit_file: Path, planned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(fit_file), str(planned)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lower, upper: 0.9 interval of a new score"
    assert len(lines) == 2 + 2 * 3
    assert "pythia-30b" in lines[2]


def test_predict_warns_once_of_a_family_spelt_in_another_way(
    fit_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("model,family,params_b,tokens_t\na,Pythia,30,0.3\nb,Pythia,40,0.3\n")
    assert main(["predict", str(fit_file), str(rows), "--draws", "9"]) == 0
    said = capsys.readouterr()
    assert said.err.count('"Pythia" differs from the fitted family "pythia"') == 1
    assert "assumed" not in said.out  # the spec uses neither instruct nor lineage
    assert 'Did you mean "pythia"' in _refused(capsys, "curve", fit_file, "--family", "PYTHIA")


def test_curve_writes_a_figure_and_the_library_s_numbers(fit_file: Path, tmp_path: Path) -> None:
    png, csv = tmp_path / "curve.png", tmp_path / "curve.csv"
    words = ["curve", fit_file, "--family", "opt", "--out", png, "--csv", csv, "--seed", "2"]
    assert main([str(word) for word in words]) == 0
    expected = ls.scaling_curve(ls.load(fit_file), family="opt", seed=2).table()
    pd.testing.assert_frame_equal(pd.read_csv(csv), expected)
    assert imread(png).std() > 0.02


def test_curve_of_one_benchmark_between_given_ends(fit_file: Path, tmp_path: Path) -> None:
    csv, only = tmp_path / "curve.csv", ls.load(fit_file).scores.benchmarks[1]
    words = ["curve", fit_file, "--family", "opt", "--over", "log_params", "--benchmark", only]
    assert main([str(word) for word in [*words, "--limits", "0.5", "700", "--csv", csv]]) == 0
    table = pd.read_csv(csv)
    assert set(table["benchmark"]) == {only}
    assert table["at"].agg(["min", "max"]).tolist() == pytest.approx([0.5, 700])


def test_report_writes_one_page(
    fit_file: Path, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    words = ["report", fit_file, "-o", out, "--planned", planned, "--family", "opt"]
    assert main([str(word) for word in words]) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    page = out.read_text(encoding="utf-8")
    assert "new-7b" in page
    assert "Scaling curves of opt" in page
    assert "Scaling curves of pythia" not in page
    assert "NOT pass" in page


@pytest.fixture(scope="module")
def skill_fit(
    small_scores: ls.Scores,
    prior_fit: Callable[..., ls.Fit],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Write prior draws of a spec with skills, and with size and tokens apart."""
    document = {
        "name": "small",
        "covariates": ["log_params", "log_tokens"],
        "skills": {"count": 1, "identify": {"kind": "anchored", "anchors": ["alpha"]}},
    }
    fit = prior_fit(spec_from_dict(document), small_scores, draws=30)
    return fit.save(tmp_path_factory.mktemp("skills") / "fit.nc")


def test_skills_prints_and_writes_the_library_s_numbers(
    skill_fit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png, csv = tmp_path / "skills.png", tmp_path / "skills.csv"
    assert main(["skills", str(skill_fit), "--prob", "0.8"]) == 0
    said = capsys.readouterr().out
    assert "prob_top" in said
    assert "Loadings; lower, upper: 0.8 interval" in said
    assert main(["skills", str(skill_fit), "--csv", str(csv), "--out", str(png)]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(csv), ls.skills(ls.load(skill_fit)).loadings())
    assert imread(png).std() > 0.02


def test_allocate_prints_and_writes_the_library_s_numbers(
    skill_fit: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    png, csv = tmp_path / "split.png", tmp_path / "split.csv"
    words = ["allocate", str(skill_fit), "--flops", "1e23", "--flops", "5e23", "--target", "beta"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.startswith("For the base model of the average family; lower, upper: 0.9 interval")
    assert len(said.splitlines()) == 4
    assert main([*words, "--family", "fam01", "--csv", str(csv), "--out", str(png)]) == 0
    expected = ls.optimal_allocation(
        ls.load(skill_fit), flops=[1e23, 5e23], target=["beta"], family="fam01"
    ).table()
    read = pd.read_csv(csv, keep_default_na=False)
    pd.testing.assert_frame_equal(read, expected)
    assert imread(png).std() > 0.02


def test_diagnose_prints_the_verdict_and_exits_with_one_if_not_passed(
    fit_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diagnose", str(fit_file)]) == 1
    said = capsys.readouterr().out
    assert said.startswith("Diagnostics NOT passed")
    assert "benchmark_slope" in said


def test_data_shows_benchmarks_and_the_audit(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(table)
    mixed = tmp_path / "mixed.csv"
    frame.assign(arc=frame["arc"].where(frame.index % 3 > 0, 0.03)).to_csv(mixed, index=False)
    assert main(["data", str(mixed)]) == 0
    said = capsys.readouterr()
    assert "[floor-rescaled] arc" in said.out
    assert not said.err
    assert main(["data", str(table), "--out", str(tmp_path / "read.csv")]) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["mmlu", "0.25", "14042", "26"] in [words[:4] for words in shown]
    assert ls.Scores.from_frame(pd.read_csv(tmp_path / "read.csv")).n_observed > 0


def test_data_shows_nothing_where_nothing_applies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arena = pd.DataFrame({"Model": ["GPT-5", "o3", "Grok 4"], "Elo": [1450, 1410, 1400]})
    arena.to_csv(tmp_path / "arena.csv", index=False)
    assert main(["data", str(tmp_path / "arena.csv")]) == 0
    shown = capsys.readouterr().out
    assert "NaN" not in shown and "unknown" not in shown.split("Features")[0]
    words = next(line.split() for line in shown.splitlines() if line.strip().startswith("Elo"))
    assert words == ["Elo", "3", "1400", "1410", "1450", "real", "higher", "Elo"]


def test_data_takes_the_bundled_table_corrected_or_published(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["data"]) == 0
    corrected = capsys.readouterr().out
    assert main(["data", "--published"]) == 0
    assert corrected.startswith("Scores(194 models")
    assert capsys.readouterr().out.startswith("Scores(194 models")


RECORDED = Path(__file__).parent / "data" / "recorded"


def test_gather_shows_what_a_source_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gather", str(RECORDED / "harness_0_4")]) == 0
    said = capsys.readouterr().out
    assert "EleutherAI/pythia-160m" in said
    assert "2 models. To make a table" in said
    assert main(["gather", str(RECORDED / "leaderboard_contents.csv")]) == 0
    said = capsys.readouterr()
    assert "6 models. To make a table" in said.out
    assert said.err.count("contaminated-7B") == 1


def test_gather_reads_a_hubs_table_as_it_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, out = tmp_path / "hub.csv", tmp_path / "scores.csv"
    rows = {"Model": ["gpt-5", "gpt-5", "o3"], "Agent": ["a", "b", "b"], "Price": "$3"}
    rows |= {"% Resolved": ["70%", "60%", "50%"]}
    pd.DataFrame(rows).to_csv(hub, index=False)
    assert main(["gather", str(hub), "--repeats", "best", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "model from Model" in said
    assert '"Price": by its name' in said
    scores = ls.readers.read_scores(out)
    assert scores.dataset["score"].sel(model="gpt-5").values == pytest.approx([0.7])
    assert scores.families == ("gpt", "openai-o")
    assert main(["gather", str(hub), "--sources", "apart", "--out", str(out)]) == 0
    assert ls.readers.read_scores(out).benchmark_info["% Resolved (a)"].task == "% Resolved"
    assert "leave out" in _refused(capsys, "gather", hub, "--metadata", out)
    about = tmp_path / "about.toml"
    about.write_text('[Price]\nscale = "fraction"\n')
    words = ("report", hub, "--benchmarks", about, "--out", tmp_path / "page.html")
    assert "Price" in _refused(capsys, *words)
    board = RECORDED / "leaderboard_contents.csv"
    assert "for a hub's table" in _refused(capsys, "gather", board, "--repeats", "best")


def test_gather_writes_a_table_that_data_and_fit_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, out = tmp_path / "models.csv", tmp_path / "scores.csv"
    names = ["pythia-160m", "pythia-1b"]
    rows = {"model": names, "family": "pythia", "params_b": [0.16, 1.0], "tokens_t": 0.3}
    pd.DataFrame(rows).to_csv(models, index=False)
    words = ["gather", RECORDED / "harness_0_4", "--metadata", models]
    assert main([str(word) for word in words]) == 0
    assert "[names-matched]" in capsys.readouterr().out
    assert main([str(word) for word in [*words, "--out", out]]) == 0
    assert f"wrote {out}: 2 models" in capsys.readouterr().out
    assert ls.readers.read_scores(out).n_observed == 12
    board = RECORDED / "leaderboard_contents.csv"
    assert "4 of 6 models" in _refused(capsys, "gather", board, "--metadata", models)
    assert "--out needs --metadata" in _refused(capsys, "gather", board, "--out", out)
    assert "either a SOURCE" in _refused(capsys, "gather")
    assert "either a SOURCE" in _refused(capsys, "gather", board, "--hub")


def test_specs_lists_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["specs"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert tuple(listed) == shipped_specs()
    assert main(["specs", "cai2025"]) == 0
    assert "ModelSpec cai2025" in capsys.readouterr().out
    assert main(["specs", "cai2025", "--toml"]) == 0
    document = tomllib.loads(capsys.readouterr().out)
    assert spec_from_dict({"name": "cai2025", **document}) == ls.load_spec("cai2025")
    assert main(["specs", "cai2025", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ls.load_spec("cai2025").to_dict()


def test_a_suspicious_table_gives_one_clean_warning(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.read_csv(table)
    frame.loc[: len(frame) // 3, "arc"] = 0.02
    frame.to_csv(tmp_path / "low.csv", index=False)
    out = tmp_path / "no folder" / "fit.nc"
    # The missing folder is found before anything is read, so nothing else is said.
    assert "does not exist" in _refused(capsys, "fit", "--out", out)
    words = ["--spec", "no such spec", "--scores", tmp_path / "low.csv", "--out", tmp_path / "f.nc"]
    assert "neither a shipped spec nor a file" in _refused(capsys, "fit", *words)

    def warned() -> int:
        warnings.warn("arc: look here", DataWarning, stacklevel=1)
        warnings.warn("not ours", RuntimeWarning, stacklevel=1)
        return 0

    assert guarded(warned, verbose=False) == 0
    assert capsys.readouterr().err == "warning: arc: look here\n"


def test_mistakes_give_one_message_and_exit_code_two(
    fit_file: Path, planned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.csv"
    broken.write_text("model,family,params_b\nm,f,1\n")
    text = tmp_path / "text.nc"
    text.write_text("this is not a fit")
    minutes = tmp_path / "minutes.csv"
    minutes.write_text("model,family,horizon\na,f,12\nb,f,45\n")
    bad_spec = tmp_path / "bad.toml"
    bad_spec.write_text("covariate = []\n")
    cases: list[tuple[tuple[object, ...], str]] = [
        (("predit",), "predict"),
        (("fit", "--draws", "many"), "--draws"),
        (("fit", "--draws", "0"), "NUTS.draws must be"),
        (
            ("fit", "--backend", "stan"),
            'NUTS.backend must be one of "nutpie", "nutpie-jax", "numpyro", "pymc"',
        ),
        (("fit", "--scores", tmp_path / "none.csv"), "none.csv"),
        (("fit", "--scores", broken, "--spec", bad_spec), 'Did you mean "covariates"'),
        (("fit", "--scores", broken, "--published"), "--published is for the bundled table"),
        (("data", broken), "no benchmark column"),
        (("predict", fit_file), "ROWS.csv"),
        (("predict", fit_file, planned, "--prob", "90"), "strictly between 0 and 1"),
        (("predict", fit_file, broken), "tokens_t"),
        (("predict", tmp_path / "none.nc", planned), "There is no file"),
        (("predict", text, planned), "cannot be read as NetCDF"),
        (("curve", fit_file, "--family", "pithia"), 'Did you mean "pythia"'),
        (("curve", fit_file, "--family", "opt", "--over", "flops"), "log_flops"),
        (("curve", fit_file, "--family", "opt", "--benchmark", "mmlv"), "mmlu"),
        (("curve", fit_file, "--family", "opt", "--limits", "2", "one"), "increasing positive"),
        (("curve", fit_file, "--family", "opt", "--out", tmp_path / "a.xyz"), "a.xyz"),
        (("skills", fit_file), "has no skills"),
        (("allocate", fit_file), "--flops"),
        (("allocate", fit_file, "--flops", "1e22"), "no separate terms for size and tokens"),
        (("report", fit_file, "--family", "opt1", "-o", tmp_path / "r.html"), "not in the fit"),
        (("report", fit_file, "-o", tmp_path / "none" / "r.html"), "does not exist"),
        (("report", fit_file, "--planned", broken, "-o", tmp_path / "r.html"), "tokens_t"),
        (("diagnose", tmp_path), "holds no draws by latentscale"),
        (("specs", "cai"), "neither a shipped spec nor a file"),
        (("data", minutes), "--benchmarks FILE.toml"),
        (("demo", "--folder", planned, "--draws", "1"), "planned.csv"),
    ]
    for words, expected in cases:
        assert expected in _refused(capsys, *words), words


def test_verbose_adds_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["specs", "cai", "--verbose"]) == 2
    assert "Traceback" in capsys.readouterr().err
    assert main(["--verbose", "specs", "cai"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_fault_of_the_package_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise RuntimeError("boom")

    assert guarded(fail, verbose=False) == 70
    said = capsys.readouterr().err
    assert "RuntimeError: boom" in said
    assert "Traceback" not in said

    def stop() -> int:
        raise KeyboardInterrupt

    assert guarded(stop, verbose=False) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr().out
    assert f"Example:\n    latentscale {command}" in said


def test_no_words_means_help_and_every_command_is_listed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert len(COMMANDS) >= 30
    for command in COMMANDS:
        assert f"\n  {command} " in said


def test_the_module_runs_and_its_help_is_light() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "latentscale", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Commands:" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"pymc", "matplotlib", "pandas", "numpy", "nutpie"}
    done = subprocess.run(
        [sys.executable, "-m", "latentscale", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"latentscale {ls.__version__}\n"


@pytest.mark.parametrize(("rhat", "warned"), [(1.12, True), (1.005, False)])
def test_a_backtest_says_units_and_which_folds_have_not_converged(
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rhat: float,
    warned: bool,
) -> None:
    score, unit = [0.5, 0.6, 20.0], ["fraction", "fraction", "minutes"]
    rows = pd.DataFrame({"model": ["a", "b", "a"], "family": ["x", "y", "x"], "score": score})
    rows = rows.assign(fold=["one", "two", "two"], benchmark=["quiz", "quiz", "horizon"])
    rows = rows.assign(mean=rows["score"], median=rows["score"], lower=0.4, upper=30.0, prob=0.9)
    rows = rows.assign(log_score=0.0, crps=0.1, pit=0.5, scale="", unit=unit, spread=1.0)
    rows["max_rhat"] = [1.001, rhat, rhat]
    monkeypatch.setattr(ls, "backtest", lambda *_, **__: rows)
    assert main(["backtest", "--scores", str(table), "--scheme", "cells"]) == 0
    said = capsys.readouterr()
    assert "sd of the benchmark's scores" in said.out and "minutes" in said.out
    assert ("1 of 2 folds have not converged (largest R-hat 1.120" in said.err) == warned
