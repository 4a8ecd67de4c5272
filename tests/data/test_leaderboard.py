"""The Open LLM Leaderboard's contents table, and fetching it."""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.readers import download_leaderboard, leaderboard_table, read_leaderboard
from latentscale.errors import DataError, DataWarning

CONTENTS = Path(__file__).parent / "recorded" / "leaderboard_contents.csv"
MERGE = "someone/Qwen2-7B-Merge-<b>"


@pytest.fixture
def contents() -> pd.DataFrame:
    return pd.read_csv(CONTENTS)


@pytest.fixture
def metadata() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["pythia-160m", "pythia-410m", "pythia-1b", "Qwen2-7B", "qwen2-7b-instruct"],
            "family": ["pythia", "pythia", "pythia", "qwen2", "qwen2-instruct"],
            "lineage": ["pythia", "pythia", "pythia", "qwen2", "qwen2"],
            "params_b": [0.16, np.nan, np.nan, np.nan, 7.6],
            "tokens_t": [0.3, 0.3, 0.3, 7.0, 7.0],
        }
    )


def test_raw_scores_and_what_is_known_of_the_models(contents: pd.DataFrame) -> None:
    before = contents.copy()
    with pytest.warns(DataWarning, match="contaminated-7B"):
        table = leaderboard_table(contents)
    pd.testing.assert_frame_equal(contents, before)
    wanted = ["ifeval", "bbh", "math_lvl5", "gpqa", "musr", "mmlu_pro"]
    raw = contents.set_index("fullname").loc["EleutherAI/pythia-1b"]
    row = table.set_index("model").loc["EleutherAI/pythia-1b"]
    columns = ["IFEval Raw", "BBH Raw", "MATH Lvl 5 Raw", "GPQA Raw", "MUSR Raw", "MMLU-PRO Raw"]
    assert row[wanted].tolist() == raw[columns].tolist()
    assert row["params_b"] == 1.079
    assert row["instruct"] == 0
    assert str(row["released"].date()) == "2023-02-10"
    by_model = table.set_index("model")
    assert by_model.loc["Qwen/Qwen2-7B-Instruct", "instruct"] == 1
    assert np.isnan(by_model.loc[MERGE, ["params_b", "instruct"]].astype(float)).all()


@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_of_several_rows_one_is_kept(contents: pd.DataFrame) -> None:
    table = leaderboard_table(contents).set_index("model")
    assert table.index.is_unique
    assert table.loc["Qwen/Qwen2-7B", "precision"] == "bfloat16"  # and not 4bit
    assert table.loc["Qwen/Qwen2-7B-Instruct", "ifeval"] == 0.5681  # the later of two


def test_parquet_gives_what_csv_does(contents: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    contents.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    with pytest.warns(DataWarning):
        first = leaderboard_table(tmp_path / "train-00000-of-00001.parquet")
    with pytest.warns(DataWarning):
        pd.testing.assert_frame_equal(first, leaderboard_table(CONTENTS))


def test_without_fullname_the_link_s_text_is_the_name(contents: pd.DataFrame) -> None:
    with pytest.warns(DataWarning):
        table = leaderboard_table(contents.drop(columns="fullname"))
    assert "Qwen/Qwen2-7B-Instruct" in set(table["model"])


def test_scores_with_metadata(metadata: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="1 of 6 models") as error:
        read_leaderboard(CONTENTS, metadata)
    assert MERGE in str(error.value)
    with pytest.warns(DataWarning, match=r"0.213 in the source, 0.16 in the metadata"):
        scores = read_leaderboard(CONTENTS, metadata, drop_unmatched=True)
    data = scores.dataset.to_dataframe().reset_index().drop_duplicates("model").set_index("model")
    assert data.loc["EleutherAI/pythia-160m", "params"] == 0.16  # the metadata's
    assert data.loc["EleutherAI/pythia-410m", "params"] == 0.506  # the leaderboard's
    assert data.loc["Qwen/Qwen2-7B-Instruct", "instruct"] == 1
    assert data.loc["Qwen/Qwen2-7B-Instruct", "lineage"] == "qwen2"
    assert scores.n_observed == 30
    assert {"flagged-model", "repeated-model", "metadata-missing"} <= set(scores.audit.codes)


def rows(*changes: dict) -> pd.DataFrame:
    """Return rows of a contents table that differ from one another as given."""
    raw = ["IFEval Raw", "BBH Raw", "MATH Lvl 5 Raw", "GPQA Raw", "MUSR Raw", "MMLU-PRO Raw"]
    first = {"fullname": "acme/a", "Type": "chat", "Precision": "bfloat16"}
    return pd.DataFrame([first | dict.fromkeys(raw, 0.4) | change for change in changes])


def named(flags: dict[str, object], **more: object) -> pd.DataFrame:
    return rows(*({"fullname": name, "Flagged": flag, **more} for name, flag in flags.items()))


def test_how_a_model_was_tuned_and_run_are_features() -> None:
    kinds = {
        "a/base": ("🟢 pretrained", "False"),
        "a/more": ("🟩 continuously pretrained", False),
        "a/chat": ("💬 chat models (RLHF, DPO, IFT, ...)", True),
        "a/own": ("🔶 fine-tuned on domain-specific datasets", True),
        "a/merge": ("🤝 base merges and moerges", None),
        "a/eyes": ("🌸 multimodal", True),
        "a/odd": (None, True),
    }
    table = rows(
        *(
            {"fullname": name, "Type": kind, "Chat Template": template, "#Params (B)": 7.0}
            for name, (kind, template) in kinds.items()
        )
    )
    with pytest.warns(DataWarning):
        scores = read_leaderboard(table, set_aside=True)
    frame = scores.to_frame().set_index("model")
    assert frame["tuning"].fillna("").tolist() == [
        *("pretrained", "continued", "chat", "fine-tuned", "merge", "multimodal", "")
    ]
    assert frame["chat_template"].fillna(-1).tolist() == [0, 0, 1, 1, -1, 1, 1]
    covariates = ["log_params", "chat_template", "tuning=chat"]
    spec = ls.load_spec("pooled_flops").with_(
        {"covariates": covariates, "benchmarks.slopes": covariates}
    )
    model = ls.build(spec, scores.select(models=list(frame.index[:4])))
    assert list(model.coords["covariate"]) == covariates


GOOD_INVERTED = {"acme/a": True, "acme/b": True, "acme/c": True, "cheat/d": False}


@pytest.mark.parametrize("more", [{"Not_Merged": True, "MoE": True}, {}])
def test_an_inverted_flag_keeps_the_good_models(more: dict) -> None:
    with pytest.warns(DataWarning, match=r'"cheat/d".*read inverted.*flagged="as-named"'):
        table = leaderboard_table(named(GOOD_INVERTED, **more))
    assert table["model"].tolist() == ["acme/a", "acme/b", "acme/c"]


def test_a_flag_as_named_drops_the_few() -> None:
    flags = {name: not flag for name, flag in GOOD_INVERTED.items()}
    with pytest.warns(DataWarning, match=r'"cheat/d".*read as named.*flagged="inverted"'):
        table = leaderboard_table(named(flags, MoE=False))
    assert table["model"].tolist() == ["acme/a", "acme/b", "acme/c"]


@pytest.mark.parametrize("value", [True, False])
def test_a_large_export_with_one_value_alone_flags_nobody(value: bool) -> None:
    table = named({f"acme/{i}": value for i in range(30)}, MoE=False)
    assert len(leaderboard_table(table)) == 30


def test_the_caller_says_what_a_flag_means() -> None:
    table = named(GOOD_INVERTED)
    for reading, count in (("inverted", 3), ("as-named", 1)):
        with pytest.warns(DataWarning, match="as asked for"):
            assert len(leaderboard_table(table, flagged=reading)) == count
    assert len(leaderboard_table(table, flagged="keep")) == 4
    with pytest.raises(DataError, match='"auto", "as-named", "inverted", "keep"'):
        leaderboard_table(table, flagged="yes")  # type: ignore[arg-type]


def test_evidence_for_both_readings_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match=r'cannot be decided.*"Not_Merged".*flagged="as-named"'):
        leaderboard_table(named({"acme/a": False, "acme/b": False}, Not_Merged=True))


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        (["true", "TRUE ", 1, "0"], 3),
        ([1.0, 1.0, 1.0, 0.0], 3),
        ([True, True, None, False], 3),
        ([np.nan] * 4, 4),
    ],
)
@pytest.mark.filterwarnings("ignore::latentscale.errors.DataWarning")
def test_flags_of_any_type_are_read(cells: list, kept: int) -> None:
    assert len(leaderboard_table(named(dict(zip("abcd", cells, strict=True))))) == kept
    with pytest.raises(DataError, match=r'"Flagged" must hold True or False.*"row 3: maybe"'):
        leaderboard_table(named(dict(zip("abcd", [*cells[:3], "maybe"], strict=True))))


@pytest.mark.filterwarnings("error::latentscale.errors.DataWarning")
@pytest.mark.parametrize("precisions", [("bfloat16", "float16"), ("float16", "bfloat16")])
@pytest.mark.parametrize(
    "dates", [("2024-06-12", "2024-07-12T01:02:03"), (None, "2024-06-01T00:00:00Z")]
)
def test_the_newest_16_bit_row_counts(precisions: tuple, dates: tuple) -> None:
    table = rows(
        *(
            {"Precision": precision, "Submission Date": date, "IFEval Raw": value}
            for precision, date, value in zip(precisions, dates, (0.1, 0.9), strict=True)
        ),
        {"Precision": "4bit", "Submission Date": "2024-12-01", "IFEval Raw": 0.5},
    )
    for frame in (table, table.iloc[::-1], table.astype({"Precision": "category"})):
        assert leaderboard_table(frame)["ifeval"].tolist() == [0.9]


def test_rows_that_no_date_sets_apart_are_named() -> None:
    about = pd.DataFrame({"model": ["a"], "family": ["a"], "tokens_t": [1.0], "params_b": [1.0]})
    table = rows({"IFEval Raw": 0.1, "Chat Template": True}, {"Chat Template": False})
    audit = read_leaderboard(table, about).audit
    (message,) = audit.filter("repeated-model").table["message"]
    assert 'no date says which is the last, so the lowest: "acme/a"' in message
    assert 'with and without a chat template: "acme/a"' in message


def test_a_quantised_row_alone_is_warned_of() -> None:
    with pytest.warns(DataWarning, match=r'only quantised rows: "acme/a \(4bit\)"'):
        leaderboard_table(rows({"Precision": "4bit"}))


def test_dates_in_several_spellings_are_read_and_ambiguous_ones_named() -> None:
    spelt = ["2024-06-12", "2024-06-12T01:02:03Z", "12 Jun 2024", "07/12/2024", "soon", None]
    table = rows(*({"fullname": str(i), "Upload To Hub Date": d} for i, d in enumerate(spelt)))
    with pytest.warns(DataWarning, match=r'2 dates cannot be read.*"3: 07/12/2024", "4: soon"'):
        released = leaderboard_table(table)["released"]
    assert [str(day)[:10] for day in released] == ["2024-06-12"] * 3 + ["NaT"] * 3


def test_numbers_that_came_as_text_are_read_and_others_named() -> None:
    table = rows(
        {"fullname": "a", "#Params (B)": "7.2", "BBH Raw": "0.5"},
        {"fullname": "b", "#Params (B)": "seven", "BBH Raw": "N/A"},
    )
    with pytest.warns(DataWarning, match='1 sizes cannot be read.*"b: seven"'):
        read = leaderboard_table(table)
    assert read["params_b"].tolist()[0] == 7.2
    assert read["bbh"].tolist()[0] == 0.5
    assert read[["params_b", "bbh"]].iloc[1].isna().all()


def test_normalised_scores_are_never_taken(contents: pd.DataFrame) -> None:
    raw = [name for name in contents if name.endswith("Raw")]
    with pytest.raises(DataError, match="normalised so that guessing is zero"):
        leaderboard_table(contents.drop(columns=raw))
    with pytest.warns(DataWarning, match=r'the table has no "BBH Raw"'):
        table = leaderboard_table(contents.drop(columns="BBH Raw"))
    assert "bbh" not in table


def test_tables_that_are_no_contents(contents: pd.DataFrame) -> None:
    with pytest.raises(DataError, match='no column "fullname"'):
        leaderboard_table(contents.drop(columns=["fullname", "Model"]))
    with pytest.raises(DataError, match='"fullname" is empty in row "2"'):
        leaderboard_table(contents.assign(fullname=["a", "b", None, *"cdefgh"]))
    with pytest.raises(DataError, match=r"\"Flagged\" .*no row that can be used"):
        leaderboard_table(contents.iloc[8:])


def test_offline_the_hub_gives_a_clear_error_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("latentscale.data.readers.leaderboard.hub.getproxies", dict)
    start = time.monotonic()
    with pytest.raises(DataError, match=r"could not be fetched.*give its path to read_leaderboard"):
        download_leaderboard(folder=tmp_path, endpoint="http://127.0.0.1:9", timeout=2)
    assert time.monotonic() - start < 5


def test_the_hub_s_file_is_read(
    contents: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    contents.to_parquet(tmp_path / "t.parquet")
    asked = {}

    def download(repository: str, name: str, **settings: object) -> str:
        asked.update(settings, repository=repository, name=name)
        return str(tmp_path / "t.parquet")

    fake = types.ModuleType("huggingface_hub")
    fake.hf_hub_download = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    pd.testing.assert_frame_equal(download_leaderboard(revision="abc"), contents)
    assert asked["repository"] == "open-llm-leaderboard/contents"
    assert asked["repo_type"] == "dataset"
    assert asked["revision"] == "abc"


def test_without_the_hub_s_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DataError, match=r"pip install 'latentscale\[hub\]'"):
        download_leaderboard()


RUNS = pd.DataFrame(
    {
        "fullname": ["a/x-7b", "a/x-7b"],
        "Precision": ["float32", "bfloat16"],
        "Submission Date": ["2024-06-01", "2024-07-01"],
        "IFEval Raw": [0.5, np.nan],
        "BBH Raw": [0.4, np.nan],
    }
)


def test_a_row_without_scores_replaces_none_with_scores() -> None:
    table = leaderboard_table(RUNS)
    assert table[["precision", "ifeval", "bbh"]].to_numpy().tolist() == [["float32", 0.5, 0.4]]


def test_scores_that_only_the_row_passed_over_has_are_named() -> None:
    with pytest.warns(DataWarning, match='another row has them: "a/x-7b on ifeval"'):
        table = leaderboard_table(RUNS.assign(**{"BBH Raw": [0.4, 0.9]}))
    assert table["bbh"].tolist() == [0.9]
    assert table["ifeval"].isna().all()


def test_rows_of_unknown_precision_count_before_quantised_ones() -> None:
    kinds = pd.DataFrame({"fullname": "a/x-7b", "Precision": ["?", "4bit"], "BBH Raw": [0.4, 0.1]})
    assert leaderboard_table(kinds)["bbh"].tolist() == [0.4]
    assert leaderboard_table(kinds.replace("?", "half"))["bbh"].tolist() == [0.4]


def test_types_of_the_first_year_say_how_a_model_was_tuned() -> None:
    kinds = ["⭕ instruction-tuned", "🟦 RL-tuned", "🔶 fine-tuned"]
    table = leaderboard_table(
        pd.DataFrame({"fullname": list("abc"), "Type": kinds, "BBH Raw": 0.4})
    )
    assert table["tuning"].tolist() == ["chat", "chat", "fine-tuned"]
    assert table["instruct"].tolist()[:2] == [1.0, 1.0]


def test_chat_templates_are_truth_values_in_every_spelling() -> None:
    contents = pd.DataFrame({"fullname": list("abcd"), "BBH Raw": 0.4})
    table = leaderboard_table(contents.assign(**{"Chat Template": [1, 0.0, "yes", True]}))
    assert table["chat_template"].tolist() == [1, 0, 1, 1]
    with pytest.warns(DataWarning, match='Chat Template: 1 cells cannot be read.*"b: maybe"'):
        leaderboard_table(contents.assign(**{"Chat Template": [True, "maybe", None, False]}))


def test_scores_that_are_no_fractions_are_named() -> None:
    contents = pd.DataFrame({"fullname": ["a/x", "a/y"], "BBH Raw": [40.0, 0.4]})
    with pytest.warns(DataWarning, match='1 scores are not fractions from 0 to 1: "a/x: 40"'):
        leaderboard_table(contents)


def test_a_name_may_be_a_link_in_markdown() -> None:
    contents = pd.DataFrame({"fullname": ["[a/x-7b](https://hub/a/x-7b)"], "BBH Raw": [0.4]})
    assert leaderboard_table(contents)["model"].tolist() == ["a/x-7b"]
