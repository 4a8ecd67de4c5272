"""Tables as read-me files and papers have them: in Markdown, with bold names and bare counts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import latentscale as ls
from latentscale.data.readers.published.cells import plain_name
from latentscale.errors import DataError


def written(folder: Path, text: str, name: str = "table.md") -> Path:
    """Return a file with a text."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_a_table_in_markdown_is_read_as_one_in_csv(tmp_path: Path) -> None:
    lines = ["| Model | Size | GPQA | Notes |", "|:---|:-:|--:|---|"]
    lines += ["| o1-mini | N/A | 60.0 | a \\| b |", "| **QwQ-32B** | ~32B | **65.2%** | x, y |", ""]
    read = ls.readers.read_published(written(tmp_path, "\n".join(lines)))
    frame = read.to_frame()
    assert frame["model"].tolist() == ["o1-mini", "QwQ-32B"]
    assert frame["GPQA"].tolist() == [0.6, 0.652]
    assert frame["params_b"].iloc[1] == 32.0
    raw = ls.readers.read_csv(tmp_path / "table.md")
    assert raw["Notes"].tolist() == ["a | b", "x, y"]


def test_a_table_in_a_read_me_file_is_read_without_the_text_around_it(tmp_path: Path) -> None:
    table = "| Model | GPQA |\n|---|--:|\n| [o1](https://a.b/o1) | [78](https://a.b) |\n| o3 | 83 |"
    text = f"---\nlicense: mit\n---\n# Scores\n\n> Snapshot: 2026\n\n{table}\n\nFrom a card.\n"
    frame = ls.readers.read_published(written(tmp_path, text, "README.md")).to_frame()
    assert frame["model"].tolist() == ["o1", "o3"]
    assert frame["GPQA"].tolist() == [0.78, 0.83]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(("92,9", "88"), [0.929, 0.88]), (("1,407", "1,380"), [1407.0, 1380.0])],
)
def test_commas_there_are_decimal_ones_where_they_can_be_nothing_else(
    tmp_path: Path, cells: tuple[str, str], expected: list[float]
) -> None:
    rows = [f"| gpt-{k} | {cell} |" for k, cell in enumerate(cells, 4)]
    text = "\n".join(["| Model | Arena Elo |" if "1,407" in cells else "| Model | GPQA |", "|-|-|"])
    read = ls.readers.read_published(written(tmp_path, "\n".join([text, *rows])))
    assert read.to_frame().iloc[:, -1].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("| Model | GPQA |\n| o3 | 83 |", "needs a line such as"),
        ("| Model | GPQA |\n|---|---|\n| o3 |", "line 3 has 1 cell, and the headings have 2"),
        ("| Model | GPQA |\n|---|---|\n| o3 | 83 |\nOpen:\n| a | 5 |", "line 4 is not a row"),
        (2 * "# Scores\n| Model | GPQA |\n|---|---|\n| o3 | 83 |\n\n", "2 tables.* lines 2 and 7"),
        ("# Scores\n\nNone yet.", "needs a line such as"),
    ],
)
def test_what_is_not_one_table_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        ls.readers.read_csv(written(tmp_path, text))


def test_names_in_bold_or_as_code_lose_their_marks() -> None:
    names = ["**Llama-8B-LC (Ours)**", "**GPT-5** (high)", "`gpt-4o`", "*o3*", "meta__a__b", "a*"]
    plain = ["Llama-8B-LC (Ours)", "GPT-5 (high)", "gpt-4o", "o3", "meta__a__b", "a"]
    assert [plain_name(name) for name in names] == plain


def test_a_saved_index_of_models_names_them(tmp_path: Path) -> None:
    table = pd.DataFrame({"win_rate": [50.0, 30.1, 36.8]}, index=["gpt-4o", "gemini-pro", "own"])
    table.to_csv(tmp_path / "index.csv")
    assert ls.readers.read_published(tmp_path / "index.csv").models == (
        "gpt-4o",
        "gemini-pro",
        "own",
    )


def test_models_above_an_index_of_benchmarks_are_transposed(tmp_path: Path) -> None:
    table = pd.DataFrame({"gpt-4o": [50.0, 30.1], "o3": [60.0, 40.0]}, index=["GPQA", "AIME 2025"])
    table.to_csv(tmp_path / "index.csv")
    scores = ls.readers.read_published(tmp_path / "index.csv")
    assert scores.models == ("gpt-4o", "o3") and scores.benchmarks == ("GPQA", "AIME 2025")
    assert "by names of models" in next(iter(scores.audit.filter("transposed"))).message


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"gpt-4o": [50.0, 30.1], "o3": [60.0, 40.0]}, index=["gpt test", "MMLU"]),
        pd.DataFrame({"quiz": [50.0, 30.1]}, index=["first", "second"]),
        pd.DataFrame({"quiz": [50.0, 30.1]}, index=["gpt-4o", "gpt-4o"]),
    ],
    ids=["models in columns", "no known model", "repeated"],
)
def test_another_index_does_not(tmp_path: Path, table: pd.DataFrame) -> None:
    table.to_csv(tmp_path / "index.csv")
    with pytest.raises(DataError, match="no column names the models"):
        ls.readers.read_published(tmp_path / "index.csv")


def test_columns_that_begin_with_n_are_counts_but_for_successes() -> None:
    table = pd.DataFrame(
        {
            "model": ["gpt-4", "gpt-4o", "claude-3-opus"],
            "n_correct": [30, 35, 38],
            "n_total": [50, 50, 50],
            "win_rate": [40.1, 50.2, 60.3],
            "n_draws": [803, 804, 805],
        }
    )
    scores = ls.readers.read_published(table)
    assert set(scores.benchmarks) == {"n_correct", "win_rate"}
    assert scores.to_frame()["n_correct"].tolist() == [0.6, 0.7, 0.76]


def test_series_as_papers_and_boards_name_them() -> None:
    table = pd.DataFrame(
        {
            "model": [
                *("R1", "Qwen 3.6-27B-Dense Instruct", "01-AI Yi-1.5-34B-Chat", "gpt-6-sol"),
                *("GPT-5.1 Instant", "gpt-5-chat", "gpt-neo-2.7B"),
            ],
            "quiz": [0.4, 0.5, 0.6, 0.7, 0.65, 0.55, 0.2],
        }
    )
    frame = ls.readers.read_published(table).to_frame()
    assert frame["family"].tolist()[:4] == ["deepseek-r", "qwen", "yi", "gpt-sol"]
    assert frame["provider"].tolist()[:4] == ["DeepSeek", "Alibaba", "01.AI", "OpenAI"]
    assert frame["reasoning"].tolist() == [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]


def test_a_model_in_two_columns_is_refused() -> None:
    card = pd.DataFrame([["GPQA", 0.5, 0.6]], columns=["Benchmark", "GPT-5", "GPT-5"])
    with pytest.raises(DataError, match="GPT-5"):
        ls.readers.read_scores(card)


def test_a_table_whose_columns_are_numbers_is_refused_in_words() -> None:
    with pytest.raises(DataError, match=r"column names must be text|no column names the models"):
        ls.readers.read_scores(pd.DataFrame({1: [0.5], 2: [0.6]}))


def test_a_card_in_markdown_gives_models_their_sizes(tmp_path: Path) -> None:
    lines = ["| | **Benchmark (Metric)** | **# Shots** | **DeepSeek-V2** | **Qwen2.5 72B** |"]
    lines += ["|---|---|---|---|---|", "| | Architecture | - | MoE | Dense |"]
    lines += ["| | # Activated Params | - | 21B | 72B |", "| | # Total Params | - | 236B | 72B |"]
    lines += ["| English | Pile-test (BPB) | - | 0.606 | **0.542** |"]
    lines += [
        "| | MMLU (Acc.) | 5-shot | 78.4 | 85.0 |",
        "| Code | HumanEval | 0-shot | - | 53.0 |",
    ]
    scores = ls.readers.read_published(written(tmp_path, "\n".join(lines)))
    frame = scores.to_frame()
    assert frame["params_b"].tolist() == [236.0, 72.0]
    assert frame["active_params_b"].tolist() == [21.0, 72.0]
    assert frame["MMLU (Acc.)"].tolist() == [0.784, 0.85]
    assert scores.benchmark_info["Pile-test (BPB)"].lower_is_better
    assert pd.isna(frame["HumanEval"].iloc[0])
