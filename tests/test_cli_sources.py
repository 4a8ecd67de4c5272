"""Commands that take scores of published sources: from a raw table to a report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import latentscale as ls
from latentscale.cli import main
from latentscale.data.readers import read_scores
from latentscale.declare import ModelSpec
from latentscale.inference.method import Method
from latentscale.verb import VERBS

CONTENTS = Path(__file__).parent / "data" / "recorded" / "leaderboard_contents.csv"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, prior_fit: Callable[..., ls.Fit]) -> list[tuple]:
    """Record the arguments of `fit`, and return prior draws."""
    calls = []

    def fit(model: ModelSpec, scores: ls.Scores, *, method: Method, seed: int) -> ls.Fit:
        calls.append((model, scores, method, seed))
        return prior_fit(model, scores, draws=20)

    monkeypatch.setattr(ls, "fit", fit, raising=False)
    return calls


def test_a_report_of_the_leaderboard_s_raw_table_is_one_command(
    asked: list[tuple], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, kept = tmp_path / "report.html", tmp_path / "fit.nc"
    words = ["report", CONTENTS, "-o", out, "--keep", kept, "--spec", "pooled_size_tokens"]
    assert main([str(word) for word in words]) == 0
    ((model, scores, method, _),) = asked
    assert model.covariates == ("log_params",)
    assert "Qwen/Qwen2-7B" in scores.models and isinstance(method, ls.NUTS)
    said = capsys.readouterr()
    assert "no model states its training tokens" in said.out and f"wrote {kept}" in said.out
    assert "families of 6 models were guessed" in said.out
    assert "math_lvl5" in out.read_text(encoding="utf-8")


def test_the_method_of_a_report_can_be_named(
    asked: list[tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = []
    monkeypatch.setattr(ls, "report", lambda fit, out, **_: pages.append(out), raising=False)
    words = ["report", CONTENTS, "-o", tmp_path / "r.html", "--spec", "pooled_size_tokens"]
    assert main([str(word) for word in [*words, "--method", "advi"]]) == 0
    assert isinstance(asked[0][2], ls.ADVI) and pages == [tmp_path / "r.html"]


def test_an_unknown_method_and_a_missing_file_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "r.html")
    assert main(["report", str(CONTENTS), "-o", out, "--method", "mcmc"]) == 2
    assert 'No method is called "mcmc"' in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none.csv"), "-o", out]) == 2
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(("dates", "name"), [(4, "latentscale_dated"), (1, "latentscale")])
def test_a_report_of_models_with_sizes_takes_dates_where_most_models_state_them(
    dates: int, name: str, asked: list[tuple], tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(ls, "report", lambda fit, out, **_: None, raising=False)
    days = ["2024-01-01", "2024-05-01", "2025-01-01", "2025-05-01"]
    rows = [
        f"m{place},{'xy'[place % 2]},{1 + place},{day if place < dates else ''},0.{2 + place},0.4"
        for place, day in enumerate(days)
    ]
    table = tmp_path / "open.csv"
    text = "model,family,params_b,released,a,b\n" + "\n".join(rows)
    table.write_text(text + "\n", encoding="utf-8")
    assert main(["report", str(table), "-o", str(tmp_path / "r.html")]) == 0
    model = asked[0][0]
    assert model.name == name and ("released" in model.covariates) == (dates == 4)
    assert "log_params" in model.covariates
    said = " ".join(capsys.readouterr().out.split())
    assert f"the spec is {name}" in said and "--spec names another spec" in said


def test_a_report_of_models_without_sizes_takes_the_spec_for_them(
    asked: list[tuple], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(ls, "report", lambda fit, out, **_: None, raising=False)
    table = tmp_path / "closed.csv"
    table.write_text(
        "model,family,released,a,b,c,d\nx1,x,2025-01-01,0.2,0.4,0.3,0.5\n"
        "x2,x,2025-06-01,0.3,0.5,0.4,0.6\ny1,y,2026-01-01,0.5,0.6,0.5,0.7\n",
        encoding="utf-8",
    )
    assert main(["report", str(table), "-o", str(tmp_path / "r.html")]) == 0
    model = asked[0][0]
    assert model.name == "capabilities" and model.covariates == ("released",)
    assert [term.kind for term in model.terms] == ["trend"]
    said = " ".join(capsys.readouterr().out.split())
    assert "most models state no size: the spec is capabilities" in said
    unstated = "fewer than half of the models have reasoning, size_class"
    assert f"{unstated}: capabilities is fitted" in said
    assert "no group has two benchmarks or more" in said


def test_fit_takes_the_spec_for_a_table_too_and_says_what_to_do_where_it_is_not_asked_to(
    asked: list[tuple], tmp_path: Path, capsys
) -> None:
    table, out = tmp_path / "closed.csv", tmp_path / "fit.nc"
    rows = "x1,x,0.2,0.4,0.3\nx2,x,0.3,0.5,0.4\ny1,y,0.5,0.6,0.5\n"
    table.write_text("model,family,a,b,c\n" + rows, encoding="utf-8")
    words = ["fit", "--scores", table, "--out", out]
    assert main([str(word) for word in [*words, "--spec", "auto"]]) == 0
    assert asked[0][0].name == "capabilities" and out.exists()
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert 'no model has both a score and "params_b", "tokens_t"' in said
    assert 'fit a spec that needs neither sizes nor tokens, such as "capabilities"' in said


def test_a_table_of_one_benchmark_is_fitted_with_one_skill(
    asked: list[tuple], tmp_path: Path, capsys
) -> None:
    table = tmp_path / "one.csv"
    sized = "model,family,params_b,tokens_t,a\nx1,x,1,2,0.2\nx2,x,3,2,0.3\ny1,y,7,2,0.5\n"
    for text in (sized, sized.replace("params_b,tokens_t", "colour,shape")):
        table.write_text(text, encoding="utf-8")
        words = ["fit", "--scores", table, "--spec", "auto", "--out", tmp_path / "fit.nc"]
        if "colour" in text:
            words += ["--feature", "colour", "--feature", "shape"]
        assert main([str(word) for word in words]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "the table has 1 benchmark:" in said and "with 1 skill instead of" in said
    assert [model.skills.count for model, *_ in asked] == [1, 1]


def test_models_without_tokens_are_kept_and_those_without_sizes_are_counted(
    asked: list[tuple], tmp_path: Path, capsys
) -> None:
    """Most models state tokens, so the spec uses them; the other models must not be lost."""
    table = tmp_path / "some.csv"
    rows = ["a1,a,1,2,0.2,0.3", "a2,a,3,2,0.3,0.4", "b1,b,7,,0.5,0.5", "c1,c,,,0.6,0.7"]
    table.write_text("model,family,params_b,tokens_t,x,y\n" + "\n".join(rows), encoding="utf-8")
    words = ["fit", "--scores", table, "--spec", "auto", "--out", tmp_path / "fit.nc"]
    assert main([str(word) for word in words]) == 0
    model = asked[0][0]
    assert model.name == "latentscale" and model.undisclosed.kind == "estimated"
    assert set(ls.load(tmp_path / "fit.nc").scores.models) == {"a1", "a2", "b1"}
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 3 models of known size state no training tokens" in said
    assert "1 of 4 models state no size and are left out: the spec capabilities keeps them" in said
    assert "--features FILE.toml, with the line features = [{name = " in said


def test_the_tokens_of_a_step_can_be_given_where_checkpoints_do_not_state_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "runs.csv", tmp_path / "scores.csv"
    rows = [f"run-1b,{step},0,piqa,acc,0.{6 + step // 1000}" for step in (1000, 2000)]
    source.write_text("run,step,num_fewshot,task,metric,value\n" + "\n".join(rows))
    assert main(["gather", str(source), "--out", str(out)]) == 2
    assert "--tokens-per-step to `latentscale gather`" in capsys.readouterr().err
    words = ["gather", str(source), "--tokens-per-step", "2097152", "--out", str(out)]
    assert main(words) == 0
    tokens = ls.readers.read_scores(out).dataset["tokens"].values
    assert tokens.tolist() == pytest.approx([2097152e3 / 1e12, 2 * 2097152e3 / 1e12])


def test_spec_for_shows_the_spec_of_a_table_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "one.csv"
    table.write_text("model,family,a,b\nx1,x,0.2,0.3\nx2,x,0.4,0.5\ny1,y,0.6,0.7\n")
    assert main(["spec-for", str(table)]) == 0
    said = capsys.readouterr().out
    assert "most models state no size: the spec is capabilities" in said
    assert "ModelSpec capabilities" in said and "covariates: none" in said
    assert main(["spec-for", str(table), "--spec", "capabilitees"]) == 2
    assert "neither a shipped spec nor a file" in capsys.readouterr().err


def test_a_command_explains_an_option_once(
    asked: list[tuple], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both the reader's warning and the reasons for the spec name benchmarks={...}."""
    rows = [f"GPT-{k},OpenAI,{30 + k},{20 + k},{-5 + k}" for k in range(12)]
    table = tmp_path / "hub.csv"
    table.write_text("\n".join(["Model,Organization,GPQA,AIME,Omniscience", *rows]))
    words = ["fit", "--scores", table, "--spec", "auto", "--out", tmp_path / "fit.nc"]
    for _ in range(2):  # for each command separately
        assert main([str(word) for word in words]) == 0
        said = capsys.readouterr()
        assert (said.out + said.err).count("On the command line: --benchmarks") == 1


def test_a_table_in_json_is_gathered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ", ".join(f'{{"Model": "GPT-{k}", "GPQA": {40 + k}}}' for k in range(3, 6))
    table, out = tmp_path / "hub.json", tmp_path / "scores.csv"
    table.write_text(f"[{rows}]", encoding="utf-8")
    assert main(["gather", str(table), "--out", str(out)]) == 0
    assert ls.readers.read_scores(out).models == ("GPT-3", "GPT-4", "GPT-5")


def test_every_command_that_takes_scores_takes_descriptions_of_their_benchmarks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors about scales name --benchmarks."""
    having = []
    for name in VERBS:
        assert main([name, "--help"]) == 0
        if "--scores" in (said := capsys.readouterr().out):
            having.append(name)
            assert "--benchmarks" in said, name
    assert {"fit", "simulate", "backtest", "criteria"} <= set(having)
    table, about = tmp_path / "scores.csv", tmp_path / "about.toml"
    table.write_text("model,family,params_b,quiz\na,f,1,30\nb,f,2,40\nc,g,4,50\nd,g,8,70\n")
    about.write_text('[quiz]\nscale = "percent"\n')
    spec = tmp_path / "one_skill.toml"
    spec.write_text('covariates = ["log_params"]\n[skills]\ncount = 1\n')
    words = ["simulate", "--spec", str(spec), "--scores", str(table)]
    assert main(words) == 2
    assert "--benchmarks FILE.toml" in capsys.readouterr().err
    assert main([*words, "--benchmarks", str(about)]) == 0


def test_gather_takes_descriptions_of_benchmarks_and_refuses_what_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, about, out = (tmp_path / name for name in ("hub.csv", "about.toml", "out.csv"))
    table.write_text("Model,Price,Quiz\nGPT-5,2,30\no3,3,40\nGPT-4,4,50\n")
    about.write_text('[Price]\nscale = "positive"\nlower_is_better = true\n')
    words = ["gather", str(table), "--benchmarks", str(about), "--out", str(out)]
    assert main(words) == 0
    assert read_scores(out).benchmark_info["Price"].lower_is_better
    capsys.readouterr()
    for option in (["--flagged", "keep"], ["--drop-unmatched"], ["--aside", str(tmp_path / "a")]):
        assert main(["gather", str(table), *option]) == 2
        assert f'leave out "{option[0]}"' in capsys.readouterr().err
    assert main(["gather", str(table), "--tokens-per-step", "5", "--repeats", "best"]) == 2
    assert "--repeats and --sources are for" in capsys.readouterr().err


def test_gather_takes_features_as_other_commands_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "hub.csv", tmp_path / "scores.csv"
    table.write_text(
        "Model,GPQA,MMLU,Context window\nGPT-5,40,80,400k\no3,50,85,200k\nGPT-4o,30,79,128k\n"
    )
    words = ["gather", str(table), "--out", str(out)]
    assert main([*words, "--feature", "Context window:log"]) == 0
    scores = ls.readers.read_scores(out)
    assert scores.dataset["Context window"].values.tolist() == [400e3, 200e3, 128e3]
    (kind,) = (kind for kind in scores.features if kind.name == "Context window")
    assert vars(kind)["transform"] == "log"
    capsys.readouterr()
    board = Path(__file__).parent / "data" / "recorded" / "leaderboard_contents.csv"
    assert main(["gather", str(board), "--feature", "released"]) == 2
    assert "as columns of --metadata" in capsys.readouterr().err
    assert main(["gather", str(table), "--tokens-per-step", "5", "--feature", "x"]) == 2
    assert "leave out --feature and --features" in capsys.readouterr().err
