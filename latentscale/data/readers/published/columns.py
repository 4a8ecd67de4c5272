"""Which column of a published table is what: the model, its features, a score, its error, neither.

By names, as hubs write them, and by what the cells hold. Nothing is decided here for good: the
reader says each decision, and a declaration of the caller wins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from latentscale.data.column_names import in_words, without_brackets
from latentscale.data.heading_words import EARNED
from latentscale.data.readers.model_names import FEW_MODELS, is_of_known_series
from latentscale.data.readers.published.cells import score_cells
from latentscale.errors import spelling

_ROLES: Final[Mapping[str, str]] = {
    "model": """model|model name|models|name|llm|model id|model version|ai system|system
    |primary model|language model|model/product|model/system|model/agent|model/method
    |display name
    |模型|模型名称|モデル|modell|modellname|modèle|modelo|modello""",
    "family": "family|family name|model family|base family|series|系列",
    "lineage": "lineage",
    "provider": """provider|organization|organisation|org|creator|developer|lab|vendor|company
    |maker|owner|model creator|model creators|model org|model organization|model organisation
    |model provider|model developer|model vendor|publisher|institution|model creator name
    |creator name|provider name|organization name|organisation name|company name
    |机构|厂商|公司|发布机构
    |anbieter|hersteller|fournisseur|proveedor""",
    "released": """released|release|release date|release month|released on
    |model release date|first released|release day|date released|launch date|launch|launched
    |launched on|available since|available from|announced|announced on|announcement date
    |published|published on|date published|date|publication date|upload date|发布时间|发布日期
    |veröffentlicht|veröffentlichung|date de sortie|fecha de lanzamiento""",
    "params_b": """params b|params|parameters|parameters b|n params|num params|number of parameters
    |number of parameters b|num parameters|num params b|n params b|total params b
    |size|size b|model size|model size b|参数量|参数
    |total params|total parameters|total parameters b
    |parameter|parameter b|parameter count|param count|parameter mrd
    |anzahl parameter|paramètres|parámetros|parametri
    |params m|parameters m|n params m|model size m""",
    "active_params_b": """active params b|active parameters|active params|activated params
    |activated parameters|激活参数""",
    "tokens_t": """tokens t|training tokens|train tokens|training tokens t|train tokens t
    |tokens b|training tokens b|train tokens b
    |pretraining tokens|pretraining tokens t|tokens seen|n tokens|pretraining data size t
    |training data size t|pretraining data t|training data t|训练数据量""",
    "flops": """flops|flop|training compute|training compute flop|training compute flops
    |training flop|training flops|pretraining flops|total flops""",
    "effort": "effort|reasoning effort|thinking effort|reasoning level|thinking",
    "reasoning": "reasoning|is reasoning|reasoning model|thinking mode",
    "instruct": "instruct|is instruct",
    "size_class": "size class|model size class|size category|size tier",
    "open_weights": """open weights|open source|open|weights|license|licence|model license
    |hub license|is open weights|is open source|is open|开源""",
    "benchmark": """benchmark|benchmarks|bench|benchmark name|benchmark id|task|task name|task id
    |dataset|dataset name|dataset id|eval|eval name|eval id|evaluation|category|subset|test|metric
    |metric name|measure
    |评测集|数据集|指标""",
    "score": """score|scores|value|result|rating|accuracy|mean score|best score|metric value
    |score headline value""",
    "stderr": """stderr|std err|std error|standard error|score stderr|stderr score|se|metric stderr
    |score headline stderr""",
    "n_items": """n items|items|n|num items|n samples|num samples|samples|completed samples
    |total samples""",
    "source": "source|agent|scaffold|harness|reported by|source of score",
}
ROLE_OF: Final[Mapping[str, str]] = {
    spelling(name.strip()): role for role, names in _ROLES.items() for name in names.split("|")
}
"""Roles by the name of a column without case, spaces and punctuation."""
_TRUTHS: Final = frozenset(("reasoning", "instruct"))
"""Roles of columns of yes and no: a column "Reasoning" with scores is a benchmark."""
_PERPLEXITY: Final = re.compile(r"perplexity|(?<![a-z])ppl(?![a-z])", re.IGNORECASE)
_NO_BUDGET: Final = r"(?<!\d)(?<!\d[ -])"
"""Before a unit of time: a number there is the time that a model was given, "RE-Bench 8 hours"."""
_AMOUNTS: Final = (
    (
        re.compile(
            rf"{_NO_BUDGET}minutes?(?![a-z])|分钟|[(\[](in )?mins?\.?[)\]]"
            rf"|{_NO_BUDGET},? mins?\.?$",
            re.IGNORECASE,
        ),
        "minutes",
    ),
    (
        re.compile(rf"{_NO_BUDGET}hours?(?![a-z])|[(\[](in )?(h|hrs?\.?)[)\]]", re.IGNORECASE),
        "hours",
    ),
    (re.compile(rf"dollars?|(?<![a-z])usd|{EARNED.pattern}", re.IGNORECASE), "USD"),
    (re.compile(r"per (1[, ]?000|1k|thousand)(?!\d)", re.IGNORECASE), "per 1,000"),
    (re.compile(r"per (1[, ]?000[, ]?000|million)(?!\d)", re.IGNORECASE), "per million"),
    (_PERPLEXITY, ""),
    (
        re.compile(
            r"(time|task)[ -]horizon(?![a-z])|horizon[ -]length|p\d\d[ -]horizon|^\W*horizon\W*$",
            re.IGNORECASE,
        ),
        "",
    ),
    (re.compile(r"(?<![a-z])(bits[ -]per|bp[bc](?![a-z]))", re.IGNORECASE), "bits"),
    (re.compile(r"(?<![a-z])loss(?![a-z])", re.IGNORECASE), ""),
)
"""Positive amounts that measure skill, with their units."""
_RATING: Final = re.compile(r"elo|rating|arena|trueskill|glicko", re.IGNORECASE)
_IN_POINTS: Final = re.compile(
    r"mt[ _-]?bench|(?<!\d)/ ?(5|7|10)(?![\d.])|out of (5|7|10|five|seven|ten)(?!\d)"
    r"|(?<!\d)[01] ?[-–] ?(5|7|10)(?![\d.])",
    re.IGNORECASE,
)
"""Benchmarks on which a judge gives up to five, seven or ten points."""
_STDERR: Final = re.compile(
    r"(?<![a-z])(std\.?[ _-]?err(or)?\.?|standard[ _-]error|stderr|sem?)(?![a-z])", re.IGNORECASE
)
_POWER: Final = re.compile(r"(?:1|10|(?<![\w.]))(?:e|\^)\+?(\d{2})(?!\d)", re.IGNORECASE)
"""A power of ten in a heading: "FLOPs (1E21)", "FLOPs (10^21)"."""
_SCORE_OF: Final = re.compile(r"^\s*(score|acc|accuracy|value|eval)\s+(?=\w)", re.IGNORECASE)
_METRIC: Final = re.compile(r"metrics?([ ._-]?(name|id|type))?|measure|指标", re.IGNORECASE)
_INTERVAL: Final = re.compile(
    r"95 ?(%|pct)|(?<![a-z])ci ?95(?!\d)|(?<![a-z])(95 ?)?ci(?![a-z])|interval|±|\+/-",
    re.IGNORECASE,
)
_UNITS: Final = r"mins?|minutes?|h|hrs?|hours?|s|secs?|seconds?|usd|[$€£%]|pp|points?"
_UNIT: Final = re.compile(_UNITS)
_UNIT_BESIDE: Final = re.compile(rf"[(\[]({_UNITS})[)\]]", re.IGNORECASE)
"""Units that headings of errors and intervals state: "95% CI lower (min)"."""
_LOW: Final = re.compile(
    r"(?<![a-z])(low(er)?|lo|lb|min|q0?025|q2\.5|p2\.5|l95)(?![a-z0-9])", re.IGNORECASE
)
_HIGH: Final = re.compile(
    r"(?<![a-z])(high|hi|upper|ub|max|q0?975|q97\.5|p97\.5|u95)(?![a-z0-9])", re.IGNORECASE
)
_LEVEL: Final = re.compile(
    r"(?<![a-z])(minimal|medium|mid|med|xhigh|none|default)(?![a-z])", re.IGNORECASE
)
"""Other levels of effort, beside which "low" and "high" are levels too."""
_SURE: Final = re.compile(
    r"95|(?<![a-z])(lower|upper|lb|ub|ci|bound|score|confidence|conf|interval)(?![a-z])"
    r"|[qp]0?2\.?5|[qp]97",
    re.IGNORECASE,
)
"""Words that only intervals have; "low" and "high" are also efforts and kinds of languages."""
_ENDS: Final = re.compile(
    r"95 ?(%|pct)|(?<![a-z])(ci|bound|score|confidence|conf)(?![a-z])", re.IGNORECASE
)


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Attributes
    ----------
    columns
        Column by role: model, provider, released, benchmark, score and the like.
    others
        Columns without a role, in order: candidates for benchmarks.
    """

    columns: Mapping[str, str]
    others: tuple[str, ...]

    @property
    def long(self) -> bool:
        """Whether the table has one row a score."""
        return {"benchmark", "score"} <= set(self.columns)


def roles_of(frame: pd.DataFrame, kept: Collection[str] = ()) -> Roles:
    """Return the role of each column by its name.

    Of several columns for one role the first of the names listed for it counts ("Model" before
    "Name").

    Parameters
    ----------
    frame
        The table.
    kept
        Columns that the caller declares, which have no role here.
    """
    order = list(ROLE_OF)
    columns: dict[str, str] = {}
    for name in sorted(
        (n for n in frame.columns if n not in kept and _heading(n) in ROLE_OF),
        key=lambda n: order.index(_heading(n)),
    ):
        columns.setdefault(ROLE_OF[_heading(name)], name)
    for role in _TRUTHS & set(columns):
        if _holds_scores(frame[columns[role]]):
            del columns[role]
    if not {"benchmark", "score"} <= set(columns):
        for role in ("benchmark", "score", "stderr", "n_items"):
            columns.pop(role, None)
    if "model" not in columns and (index := _models_in_index(frame)) is not None:
        columns["model"] = index
    taken = set(columns.values())
    return Roles(columns, tuple(name for name in frame.columns if name not in taken))


def _models_in_index(frame: pd.DataFrame) -> str | None:
    """Return the first column if it has no name and holds models, as a saved index does.

    Models of known series are among its cells, and none among the headings: otherwise the table may
    have its models in columns.
    """
    if frame.columns.empty:
        return None
    first, *others = map(str, frame.columns)
    if first.strip() and not first.startswith("Unnamed:"):
        return None
    cells = frame.iloc[:, 0].tolist()
    if not all(isinstance(cell, str) for cell in cells) or len(set(cells)) < len(cells):
        return None
    known = sum(map(is_of_known_series, cells))
    return first if known >= FEW_MODELS and not any(map(is_of_known_series, others)) else None


def _holds_scores(column: pd.Series | pd.DataFrame) -> bool:
    """Return whether a column holds numbers that are not all 0 or 1, as a benchmark does."""
    if isinstance(column, pd.DataFrame):  # of several columns of one name
        return False
    cells = score_cells(column)
    known = cells.values[~np.isnan(cells.values)]
    return bool(known.size and not cells.unread and not np.isin(known, (0.0, 1.0)).all())


def power_of_ten(name: str) -> float:
    """Return the power of ten that a heading counts in: 1e21 of "FLOPs (1E21)", else 1."""
    match = _POWER.search(name)
    return 10.0 ** int(match[1]) if match else 1.0


def counted_in(name: str, unit: float) -> float:
    """Return what the numbers of a column of sizes or tokens count, by the end of its heading.

    "Params (M)" counts millions and "tokens_b" billions; others count in the unit given.
    """
    end = re.search(r"(?<![A-Za-z])([MB])\W*$", in_words(name), re.IGNORECASE)
    return {"m": 1e6, "b": 1e9}[end[1].casefold()] if end else unit


def _heading(name: str) -> str:
    """Return a heading as `ROLE_OF` has it: spelt alike, without "%", "#" and a power of ten."""
    whole, short = (
        spelling(without_brackets(text).replace("%", "").strip(" #").removesuffix("?"))
        for text in (name, _POWER.sub("", name))
    )
    return short if ROLE_OF.get(short) == "flops" else whole


def is_rating(name: str) -> bool:
    """Return whether a benchmark is named as a rating, such as Elo."""
    return bool(_RATING.search(name))


def is_in_points(name: str) -> bool:
    """Return whether a benchmark is named as one on which a judge gives up to ten points."""
    return bool(_IN_POINTS.search(name))


def unit_of_amount(name: str) -> str | None:
    """Return the unit of a positive amount, empty for one without; None if it is not one."""
    text = in_words(name)
    return next((unit for pattern, unit in _AMOUNTS if pattern.search(text)), None)


def is_perplexity(name: str) -> bool:
    """Return whether a benchmark is named as a perplexity, which has no unit."""
    return bool(_PERPLEXITY.search(in_words(name)))


def is_error(name: str) -> bool:
    """Return whether a column is named as standard errors."""
    return bool(_STDERR.search(in_words(name)))


def is_metric(name: str) -> bool:
    """Return whether a column names what was measured on a benchmark, such as "metric"."""
    return bool(_METRIC.fullmatch(name.strip()))


def is_interval(name: str) -> bool:
    """Return whether a column is named as an interval, such as "95% CI"."""
    return bool(_INTERVAL.search(in_words(name)))


def bounds_among(names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return pairs of columns that are the lower and upper ends of intervals.

    "AIME low" and "AIME high" are such beside a column "AIME" or one that begins so, and scores at
    efforts without it, or beside "AIME medium".

    Returns
    -------
    list
        The rest of the name that both share, the lower column and the upper one.
    """
    texts = {_without_unit(name): name for name in names}
    low = {_rest(text, _LOW): name for text, name in texts.items() if _LOW.search(text)}
    high = {_rest(text, _HIGH): name for text, name in texts.items() if _HIGH.search(text)}
    levels = {_rest(text, _LEVEL) for text in texts if _LEVEL.search(text)}
    pairs = [(rest, low[rest], high[rest]) for rest in low if rest in high]
    return [pair for pair in pairs if _are_ends(*pair, names) and pair[0] not in levels]


def _are_ends(rest: str, low: str, high: str, names: Sequence[str]) -> bool:
    """Return whether "low" and "high" are ends of a score: of which there is a column."""
    others = [spelling(bare_benchmark(name)) for name in names if name not in (low, high)]
    sure = _SURE.search(in_words(low))
    return bool(sure) or not rest or any(name.startswith(rest) for name in others)


def _without_unit(name: str) -> str:
    """Return a heading without its unit in brackets, which is the end itself in "GPQA (min)"."""
    text = in_words(name)
    bare = _UNIT_BESIDE.sub(" ", text)
    return bare if _LOW.search(bare) or _HIGH.search(bare) else text


def _rest(text: str, end: re.Pattern[str]) -> str:
    return spelling(_ENDS.sub(" ", end.sub(" ", without_brackets(text))))


def scored_by(name: str, benchmarks: Sequence[str], left: str | None) -> str | None:
    """Return the benchmark that a column of errors belongs to.

    Parameters
    ----------
    name
        What is left of the column's name without the words for errors and ends.
    benchmarks
        The table's benchmarks in order.
    left
        The benchmark in the column to its left, if that is one.

    Returns
    -------
    The benchmark whose name is the same, or begins so; for an empty name that to the left, else
    the first.
    """
    short = spelling(name)
    if short:
        spelt = {spelling(bare_benchmark(b)): b for b in benchmarks}
        spelt |= {spelling(without_brackets(b)): b for b in benchmarks}
        starts = (b for key, b in spelt.items() if key.startswith(short))
        return spelt.get(short) or next(starts, None)
    return left or (benchmarks[0] if benchmarks else None)


def bare_benchmark(name: str) -> str:
    """Return a benchmark's name without a word for its scores before it: "score_gpqa" is "gpqa"."""
    return _SCORE_OF.sub("", without_brackets(name.replace("_", " ")))


def names_nothing(rest: str) -> bool:
    """Return whether a name is empty or a unit alone, as what is left of "95% CI (min)"."""
    short = spelling(rest)
    return not short or bool(_UNIT.fullmatch(short))


def without_error_words(name: str) -> str:
    """Return a column's name without the words that say that it holds errors or intervals."""
    text = _INTERVAL.sub(" ", _STDERR.sub(" ", in_words(name)))
    return _ENDS.sub(" ", without_brackets(text))
