"""Words of headings by what they mean: prices, speeds, sizes, counts, means, measures of spread.

Each entry is one phrase, a regular expression without case. Phrases that count anywhere in a
heading are matched as whole words; for others the whole heading has to be the phrase.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

Phrases = Mapping[str, Sequence[str]]
"""Phrases by what they mean."""


def anywhere(phrases: Phrases, unless: str = "") -> re.Pattern[str]:
    """Return a pattern that finds a phrase as whole words in a heading.

    Parameters
    ----------
    phrases
        By what they mean.
    unless
        What may not follow: a regular expression.

    Examples
    --------
    >>> bool(anywhere({"price": ["costs?"]}).search("Total cost"))
    True
    """
    follows = rf"(?!{unless})" if unless else ""
    return _compiled(rf"(?<![a-z])(?:{_joined(phrases)})(?![a-z]){follows}")


def whole(phrases: Phrases) -> re.Pattern[str]:
    """Return a pattern for `fullmatch`: the heading is a phrase, with punctuation around it.

    Parameters
    ----------
    phrases
        By what they mean.

    Examples
    --------
    >>> bool(whole({"count": ["runs"]}).fullmatch("# runs"))
    True
    """
    return _compiled(rf"\W*(?:{_joined(phrases)})\W*")


def _joined(phrases: Phrases) -> str:
    return "|".join(f"(?:{phrase})" for phrase in chain(*phrases.values()))


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


# Not followed by "adjusted": a cost-adjusted score is a score.
OF_USE: Final[Phrases] = {
    "rank": ["(?<!reciprocal )rank"],
    "popularity": ["votes?", "battles?", "likes", "downloads"],
    "price": ["prices?", "pricing", "costs?"],
    "speed": ["latency", "speed", "throughput", "rtfx?", "t/s", "toks?/s", "runtime", "duration"],
    "size": ["tokens?", "(?<!miss )(?<!missing )(params?|parameters)", "data ?size"],
    "training": ["(pre-?)?training", "cutoff"],
    "setting": ["temperature", "top[- ]?[pk]", "quantization"],
    "reference": ["urls?", "licen[cs]e", "sota"],
}
"""What a model costs to use and how much it is used."""
OF_A_RUN: Final[Phrases] = {
    "price": ["per (dollar|usd)"],
    "speed": ["ttft", "response time", "first (answer )?(chunk|token)"],
    "size": [
        "(context|max) (window|size|length|output|input)s?",
        "memory (usage|footprint)",
        "(embed(ding)?|output|vector|hidden)s? (dim(ension)?s?|size)",
        "vocab(ulary)? ?size",
        "v?ram",
    ],
    "hyperparameter": [
        *("lr", "learning ?rate", "weight ?decay", "warm-?up( steps)?", "batch ?size", "dropout"),
        "grad(ient)? ?norm",
        "data ?mix(ture)?",
        r"max(imum|\.)? (steps|turns|attempts|iterations|retries)",
    ],
    "share or state": ["(usage|market|mix|data) ?share", "contamination", "uptime", "bootstrap"],
    "energy": [r"energy (use|usage|consum\w+|costs?|per)", "emissions"],
    "count": ["num", r"(tool|api|instance|model|llm) calls?(?! (acc|score|succ))"],
    "length": [
        "(avg|average|mean|median|total|summary|answer|response|output|reason(ing)?) len(gth)?s?"
    ],
    "time": [
        r"(minutes?|mins?|seconds?|hours?) ?(per|/).*",
        r"time (per|/).*",
        r"times?\W+(ms|msec|s|secs?|seconds?|mins?|minutes?|hours?)(?=\W*$)",
        "(wall|clock|gpu|tpu|h100|completion|inference|training|execution|solving?|reasoning)"
        " ?(time|hours?|minutes?)",
        r"(avg|average|mean|median|total)\W*"
        r"(((api|exec(ution)?|run|response|wall|test) ?)?time|minutes?|steps?|turns?|attempts?)"
        r"(?=\W*(\w+\W*)?$)",
        "days since",
        "(release|launch) (year|month|day|quarter)",
    ],
}
"""Settings, run time and hardware of training or evaluation."""
MARKED: Final = _compiled(
    r"^\W*(total )?(number|count) of\b"
    r"|^\W*n (total|items|samples|questions|tasks|tests|cases|problems|prompts|examples|instances"
    r"|wins?|loss(es)?|draws?|ties?|games|battles|votes|pairs|comparisons|runs|trials|attempts"
    r"|models|tokens|calls|errors|fail(ed|ures)|incorrect|wrong)\b"
    r"|\((gb|gib|k?wh|kg|words|tokens|characters)\)|\s\((s|ms)\)\W*$"
    r"|[$€]|^#|\s#\W*$|排名|价格|速度|上下文|序号"
)
"""Marks of counts, units and money, and words of Chinese, which has no spaces between words."""
ALONE: Final[Phrases] = {
    "description": [
        *("age", "years?", "months?", "days?", "ids?", "links?", "sites?", "types?", "modes?"),
        *("access", "image", "notes?", "comments?", "api", "logs?", "trajs?", "open", "checked"),
        *("verified", "submi(ssion|tted)", "context", "size", "updated", "hash", "revision"),
        *("precision", "name", "line"),
        "(model )?(hardware|architecture|commit|website)( (type|name|used|hash|id|sha))?",
        "((benchmark|model|data ?set|task|harness|eval) )?version",
    ],
    "size": [
        *(r"bits?( per weight)?", "bpw", "bit ?width", "dim(ension)?s?", "layers", "heads"),
        "experts",
    ],
    "design": [
        *("(zero|few)[- ]?shot", "seeds?", "steps?", "epochs?", "folds?", "splits?", "runs?"),
        *("trials?", "replicates?", "repeats?", "clusters?", "cycles", "rounds", "turns", "evals"),
        *("matches", "games", "n", "counts?", "samples", "truncated"),
    ],
    "order": [
        *("index", r"level 0", r"unnamed: \d+", "rows?", "row (number|index)", "positions?"),
        *("places?", "ranking", "order", "nr", "no", "tiers?", "percentile", "stars"),
    ],
    "test": ["p", r"p\W*val(ue)?", r"p ?\([^()]*\)"],
    "money": ["roi( score)?"],
    "time": [r"(time|age|energy)\W*(\(\w+\))?"],
}
"""Headings that say nothing of skill, such as "Runs", which in longer names may be of a task."""
EVENTS: Final[Phrases] = {
    "asked": [
        "((total|test|all) )?"
        "(tests|cases|tasks|questions|problems|instances|timeouts|retries|crashes)",
        "(user )?asks",
    ],
    "faulty": [
        "(syntax|indentation|format(ting)?|parsing|compilation|runtime|tool|api) errors",
        "(error|malformed|empty) (outputs|responses)",
        "lazy comments",
        "failed",
        "((test|compil(e|ation)|build|runtime|parsing|format(ting)?|tool|api|llm) )?failures?",
        *("fails", "n error"),
    ],
    "without an answer": [
        *("empty", "(n )?missing", "skipped", "ungraded", "unanswered"),
        "(no|empty|missing) (answers?|responses?)",
        "not (answered|attempted)",
    ],
}
"""Counts of what was asked, or of what happened in a run; counts and shares without an answer."""
SPREAD: Final[Phrases] = {
    "difference": [
        "((elo|score|rating) )?(Δ|delta|change|diff(erence)?)",
        "(elo|score|rating) gap",
        ".*Δ.*",
        r"(relative |absolute )?(improvement|gain|change|delta)( (vs|over|from|to)\b.*)?",
        r".+[\s(\[-]max delta",
    ],
    "standard deviation": [
        r"(.+[\s(\[-])?(std\.?( ?dev(iation)?\.?)?|stdev|sd|variance)",
        r".+[\s(\[-](sigma|standard deviation)",
    ],
    "uncertainty": [
        *("p-?value", "uncertainty", "error bars?", "margin of error", "(ci|interval) width"),
    ],
}
"""Differences and measures of spread, also those of a benchmark: "GPQA std"."""
MEANS: Final[Phrases] = {
    "mean": [
        "(model )?(global |overall |weighted |macro |micro )?(average|avg|mean)"
        "( score| accuracy| win rate)?"
        r"(( of| over)? \d+ (datasets|tasks|benchmarks|subjects))?",
        "(score|accuracy|win rate) (average|avg|mean)",
        "(overall|total|aggregate|combined|composite)( score| accuracy)?",
        "综合(得分|分)?|总分|平均(分|值)?|均分|均值",
    ],
    "index": [
        r".*(?<![a-z])index( v?\d[\d ]*)?",
        "((aa|artificial analysis) )?intelligence( score)?",
    ],
}
"""Means and indices of the table's other columns."""
BROAD: Final[Phrases] = {
    "ability": [
        r"(intelligence|capabilit(y|ies)|quality|performance|coding|code|maths?|agentic|reasoning"
        r"|multilingual|language|safety|trust|average|overall|global|composite|aggregate)( \w+)?"
        " index",
    ],
    "maker": ["(aa|analysis) index"],
}
"""Indices of a broad ability; others, such as the Remote Labor Index, are benchmarks themselves."""
EARNED: Final = _compiled(
    r"(?<![a-z])(revenue|profits?|balance|net worth|earn(ed|ings))(?![a-z\d-])"
    r"(?! *(?!mean|avg|average|median|final|total|max|min|std|at |after |per |in |on )[a-z])"
)
"""Amounts of money that a model earned, which measure skill; prices and costs do not, nor tasks on
money: "Balance Sheet QA", "Profit-oriented QA"."""
