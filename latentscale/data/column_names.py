"""Names of columns that do not measure a skill of their own: ranks, prices, counts, means."""

from __future__ import annotations

import re
from typing import Final

_NEITHER: Final = re.compile(
    r"\b((?<!reciprocal )rank|votes?|battles?|prices?|pricing|costs?|latency|speed|throughput|rtfx?"
    r"|tokens?|t/s|toks?/s"
    r"|(pre-?)?training|data ?size|cutoff|temperature|top[- ]?[pk]|urls?|licen[cs]e"
    r"|(?<!miss )(?<!missing )(params?|parameters)|sota|runtime"
    r"|duration|likes|downloads|quantization)\b(?![- ]adjusted)"
    r"|^\W*(model )?(hardware|architecture|commit|website)( (type|name|used|hash|id|sha))?\W*$"
    r"|\b(context|max)\b ?(window|size|length|output|input)"
    r"|^\W*(bits?( per weight)?|bpw|bit ?width|(zero|few)[- ]?shot)\W*$"
    r"|\bmemory (usage|footprint)\b|\b(embed(ding)?|output|vector|hidden)s? (dim(ension)?s?|size)\b"
    r"|^\W*dim(ension)?s?\W*$"
    r"|^\W*(age|years?|months?|days?|id|ids?|links?|sites?|types?|modes?|access|image|notes?|comments?|api|logs?|trajs?|open"
    r"|checked|verified|submi(ssion|tted)|context|size|updated|hash|revision|precision|name"
    r"|seeds?|steps?|epochs?|folds?|splits?|runs?|trials?|replicates?|repeats?|clusters?|index"
    r"|cycles|rounds|turns|evals|matches|games|roi( score)?|p|p\W*val(ue)?|p ?\([^()]*\)"
    r"|((benchmark|model|data ?set|task|harness|eval) )?version"
    r"|level 0|unnamed: \d+|rows?|row (number|index)|positions?|places?|ranking|order|nr|no"
    r"|n|counts?|samples|tiers?|line)\W*$"
    r"|\bnum\b|^\W*(total )?(number|count) of\b"
    r"|^\W*n (total|items|samples|questions|tasks|tests|cases|problems|prompts|examples|instances"
    r"|wins?|loss(es)?|draws?|ties?|games|battles|votes|pairs|comparisons|runs|trials|attempts"
    r"|models|tokens|calls|errors|fail(ed|ures)|incorrect|wrong)\b"
    r"|\bper (dollar|usd)\b"
    r"|\b(ttft|response time|first (answer )?(chunk|token))\b|\s\((s|ms)\)\W*$"  # latencies
    r"|[$€]|^#|\s#\W*$|排名|价格|速度|上下文|序号",
    re.IGNORECASE,
)
"""Columns of numbers that do not measure a skill: prices, speeds, ranks, counts, settings."""
EARNED: Final = re.compile(
    r"(?<![a-z])(revenue|profits?|balance|net worth|earn(ed|ings))(?![a-z\d-])"
    r"(?! *(?!mean|avg|average|median|final|total|max|min|std|at |after |per |in |on )[a-z])",
    re.IGNORECASE,
)
"""Amounts of money that a model earned, which measure skill; prices and costs do not, nor tasks on
money: "Balance Sheet QA", "Profit-oriented QA"."""
_OF_A_RUN: Final = re.compile(
    r"\b(lr|learning ?rate|weight ?decay|warm-?up( steps)?|batch ?size|dropout|grad(ient)? ?norm"
    r"|bootstrap|data ?mix(ture)?|(usage|market|mix|data) ?share|vocab(ulary)? ?size|contamination"
    r"|uptime|energy (use|usage|consum\w+|costs?|per)|emissions|v?ram"
    r"|(tool|api|instance|model|llm) calls?(?! (acc|score|succ))"
    r"|days since|max(imum|\.)? (steps|turns|attempts|iterations|retries))\b"
    r"|\((gb|gib|k?wh|kg|words|tokens|characters)\)"
    r"|\b(avg|average|mean|median|total|summary|answer|response|output|reason(ing)?) len(gth)?s?\b"
    r"|\b(avg|average|mean|median|total)\b\W*(((api|exec(ution)?|run|response|wall|test) ?)?time"
    r"|minutes?|steps?|turns?|attempts?)"
    r"\W*([(\[]\w+[)\]])?\W*$|\b(minutes?|mins?|seconds?|hours?) ?(per|/)"
    r"|\btimes?\W+(ms|msec|s|secs?|seconds?|mins?|minutes?|hours?)\W*$"
    r"|\b(wall|clock|gpu|tpu|h100|completion|inference|training|execution|solving?|reasoning)"
    r" ?(time|hours?|minutes?)\b|\btime (per|/)|\b(release|launch) (year|month|day|quarter)\b"
    r"|^\W*(time|age|energy)\W*(\(\w+\))?\W*$|^\W*(truncated|layers|heads|experts|stars|percentile)\W*$",
    re.IGNORECASE,
)
"""Settings, run time and hardware of training or evaluation, and figures on a model's use."""
_SPREAD: Final = re.compile(
    r"\W*((elo |score |rating )?(Δ|delta|change|diff(erence)?)|(elo|score|rating) gap"
    r"|std\.?( ?dev(iation)?)?|stdev|sd|variance|p-?value|uncertainty|error bars?"
    r"|margin of error|(ci|interval) width)\W*"
    r"|.*Δ.*|\W*(relative |absolute )?(improvement|gain|change|delta)( (vs|over|from|to)\b.*)?\W*"
    r"|.+[\s(\[-](std\.?( ?dev(iation)?\.?)?|stdev|sd|sigma|standard deviation|variance"
    r"|max delta)\W*",
    re.IGNORECASE,
)
"""Differences and measures of spread, also those of a benchmark: "GPQA std"."""
_EVENTS: Final = re.compile(
    r"\W*(((total|test|all) )?(tests|cases|tasks|questions|problems|instances|timeouts|retries"
    r"|crashes)|((syntax|indentation|format(ting)?|parsing|compilation|runtime|tool|api) errors"
    r"|(error|malformed|empty) (outputs|responses)|(user )?asks|lazy comments)"
    r"|failed|((test|compil(e|ation)|build|runtime|parsing|format(ting)?|tool|api|llm) )?failures?"
    r"|fails|empty|(n )?missing|n error|skipped|ungraded"
    r"|(no|empty|missing) (answers?|responses?)|unanswered|not (answered|attempted))\W*",
    re.IGNORECASE,
)
"""Counts of what was asked, or of what happened in a run; counts and shares without an answer."""
_CAMEL: Final = re.compile(r"[a-z]+[a-z0-9]*(?:[A-Z][a-z0-9]*)+")
"""Names of fields in programs: "upperBound", "costPerTask"; not names such as "TimeQA"."""
_AGGREGATE: Final = re.compile(
    r"(model )?(global |overall |weighted |macro |micro )?(average|avg|mean)"
    r"( score| accuracy| win rate)?"
    r"(( of| over)? \d+ (datasets|tasks|benchmarks|subjects))?"
    r"|(score|accuracy|win rate) (average|avg|mean)"
    r"|(overall|total|aggregate|combined|composite)( score| accuracy)?"
    r"|.*(?<![a-z])index( v?\d[\d ]*)?|((aa|artificial analysis) )?intelligence( score)?"
    r"|综合(得分|分)?|总分|平均(分|值)?|均分|均值",
    re.IGNORECASE,
)
"""Means and indices of the table's other columns."""
_OF_OTHERS: Final = re.compile(
    r"(?<![a-z])(intelligence|capabilit(y|ies)|quality|performance|coding|code|maths?|agentic|reasoning"
    r"|multilingual|language|safety|trust|average|overall|global|composite|aggregate)( \w+)? index"
    r"|(?<![a-z])(aa|analysis) index|^\W*index",
    re.IGNORECASE,
)
"""Indices of a broad ability; others, such as the Remote Labor Index, are benchmarks themselves."""
_MEAN: Final = re.compile(r"\W*(average|avg|mean|overall|total)(?![a-z])", re.IGNORECASE)


def in_words(name: str) -> str:
    """Return a column's name with spaces between its words: "upper_bound" and "upperBound"."""
    edges = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?=\d)"
    apart = re.sub(edges, " ", name) if _CAMEL.fullmatch(name) else name
    return apart.replace("_", " ")


def is_neither(name: str) -> bool:
    """Return whether a column's name means prices, speeds, ranks, counts or settings."""
    text = in_words(name)
    text = re.sub(r"[$€£]", "", text) if EARNED.search(text) else text
    patterns = _NEITHER.search, _OF_A_RUN.search, _SPREAD.fullmatch, _EVENTS.fullmatch
    return any(found(text) for found in patterns)


def is_aggregate(name: str) -> bool:
    """Return whether a column's name means a mean or index of other columns."""
    words = re.sub(r"\W+", " ", without_brackets(in_words(name)))
    return bool(_AGGREGATE.fullmatch(words.strip()))


def is_own_index(name: str) -> bool:
    """Return whether an index may be a benchmark of its own: "Remote Labor Index"."""
    text = without_brackets(in_words(name))
    return "index" in text.casefold() and not _OF_OTHERS.search(text)


def begins_as_mean(name: str) -> bool:
    """Return whether a column's name begins like a mean's: "Avg Pass^1", "Mean WER"."""
    return bool(_MEAN.match(name))


def without_brackets(name: str) -> str:
    """Return a column's name without brackets around its unit: "Params (B)" becomes "Params B"."""
    return re.sub(r"[()\[\]]", " ", name)
