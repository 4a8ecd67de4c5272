"""What guessing reaches on tasks, by their names: for every reader of tables that declare none.

One over the number of choices. The name says nothing of the format, so a floor that most scores
of a column contradict is not taken (`floor_for`), and every reader says which ones it took.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from latentscale.data.benchmarks import without_version
from latentscale.errors import spelling

_QUARTER: Final = """gpqa gpqadiamond gpqamain gpqaextended mmlu mmmlu mmluredux arc arcc arce
arcchallenge arceasy ai2arc hellaswag openbookqa obqa sciq logiqa race videomme longbenchv2 ceval
cmmlu kmmlu belebele medmcqa globalmmlu globalmmlulite"""
_THIRD: Final = "socialiqa siqa xnli mnli anli cb pubmedqa"
_HALF: Final = """winogrande winograd xwinograd winogradwsc wsc273 boolq piqa globalpiqa cluewsc
copa xcopa storycloze xstorycloze rte qnli wic"""
GUESSING: Final[Mapping[str, float]] = {
    **dict.fromkeys(_QUARTER.split(), 1 / 4),
    **dict.fromkeys(_THIRD.split(), 1 / 3),
    **dict.fromkeys(_HALF.split(), 1 / 2),
    "csqa": 1 / 5,
    "commonsenseqa": 1 / 5,
    "mmlupro": 1 / 10,
    "mmluprox": 1 / 10,
    "musr": (250 / 2 + 256 / 5 + 250 / 3) / 756,
    "wsc": 38 / 104,
}
"""Fractions by the task's name without case, spaces and punctuation. Of the 104 items of wsc
(SuperGLUE) 38 are true, and models that say so of all are the commonest. MuSR has three tasks of
two, five and three choices. BIG-Bench Hard is not among them: most tables have it with a chain of
thought, of which the answer is written."""
_SUBJECTS: Final = """mmlu mmlupro mmluprox mmluredux mmmlu globalmmlu globalmmlulite ceval cmmlu
kmmlu belebele"""
_WITH_SUBJECTS: Final = frozenset(_SUBJECTS.split())
"""Tasks of which hubs list single subjects and languages: "mmlu_astronomy", "C-Eval law"."""
_WORDS: Final = re.compile(r"[\s_:-]+")
_BELOW: Final = 0.05
"""Below guessing by more than this, a twentieth of the scale, scores are corrected for it, or
answers are written and not chosen."""
_WRITTEN: Final = re.compile(
    r"(?<![a-z])(gen(erative|erated|eration)?|open[- ]?ended|free[- ]?form)(?![a-z])"
)
"""What a heading says where answers are written: nothing is reached by guessing among choices."""
_BEST_OF: Final = re.compile(r"(?<![a-z])(pass|best)(@| of )(?!1(?!\d))\d")
"""The best of several answers, of which guessing reaches more than of one."""
_SETTING: Final = re.compile(
    r"""( \s*[(\[][^()\[\]]*[)\]]  # an explanation in brackets
        | (?<=[\w%)\]])[\s_,;:-]+
          ( (\d+|zero|one|five|few)[-_\s]?shots? | cot | chain[-_\s]of[-_\s]thought
          | em | raw | correct | exact[-_\s]match | acc(uracy)?([-_\s]norm)? | avg | average | mean
          | pass@1 | (maj|majority|cons|avg)@\d+ | (no|without|w/o)[-_\s]tools? )
        | \s*%
        | [¹²³⁴⁵⁶⁷⁸⁹*†‡]+
        )$""",
    re.IGNORECASE | re.VERBOSE,
)
"""How a task was run, at the end of a heading: it does not belong to the name of the task."""
_PATH: Final = re.compile(
    r"^(?:[a-z_]\w*\.)+(?=[a-z_])|^(?:score|acc|accuracy|value|eval)[\s_]+(?=\w)", re.IGNORECASE
)
"""What pandas.json_normalize puts before a key, or tables before a task: "evaluations.gpqa",
"score_gpqa"."""
_LIGHTEVAL: Final = re.compile(r"[\w-]+\|([^|]+)\|\d+(?:\|\d)?")
"""A suite, a task and its shots, as lighteval joins them: "leaderboard|mmlu:astronomy|5"."""
_LANGUAGE: Final = re.compile(r"[\s_-]+[a-z]{2}([-_][a-z]{2})?$", re.IGNORECASE)
"""A language at the end of a task's name: "mmlu_de", "MMMLU_FR-FR"."""


def guessing(name: str) -> float:
    """Return the fraction that guessing reaches on a task, 0 where it is not known.

    Examples
    --------
    >>> guessing("ARC-C"), guessing("XWinograd"), guessing("GPQA Diamond (science)")
    (0.25, 0.5, 0.25)
    >>> guessing("ARC-AGI"), guessing("MMLU (generative)"), guessing("ARC (25-shot)")
    (0.0, 0.0, 0.25)
    >>> guessing("mmlu_de"), guessing("evaluations.gpqa"), guessing("lighteval|gpqa:diamond|0")
    (0.25, 0.25, 0.25)
    """
    lower = name.casefold().replace("_", " ")
    if _WRITTEN.search(lower) or _BEST_OF.search(lower):
        return 0.0
    joined = _LIGHTEVAL.fullmatch(name)
    task = joined[1] if joined else _PATH.sub("", name)
    whole = task.split(" - ", maxsplit=1)[0]  # what follows is the metric
    short = _without_settings(whole)
    spelt = [spelling(text) for text in (whole, short, _LANGUAGE.sub("", short))]
    words = _WORDS.split(short)
    leading = [spelling("".join(words[:count])) for count in range(len(words) - 1, 0, -1)]
    spelt += [name for name in leading if name in _WITH_SUBJECTS]
    return next((GUESSING[key] for key in spelt if key in GUESSING), 0.0)


def _without_settings(name: str) -> str:
    """Return a heading without how the task was run, and without its date or version."""
    while (short := without_version(_SETTING.sub("", name))) not in ("", name):
        name = short
    return name


def floor_for(name: str, lowest: float, top: float = 1.0) -> float:
    """Return the floor of a column of scores: what guessing reaches, unless a score contradicts it.

    Parameters
    ----------
    name
        The task.
    lowest
        The lowest score.
    top
        The best possible score: 1 of fractions, 100 of percentages.
    """
    floor = top * guessing(name)
    return 0.0 if lowest < floor - _BELOW * top else floor
