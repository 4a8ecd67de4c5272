"""By names: benchmarks on which lower is better, and those on which it may be."""

from __future__ import annotations

import re
from typing import Final

from latentscale.data.column_names import in_words
from latentscale.data.heading_words import Phrases, anywhere

_TASKS: Final = (
    "[ -](detect|correct|locat|locali|ident|recover|handl|analy|diagnos|classif|find|attrib"
    "|recogn|moderat)"
)
"""After an error or an unwanted behaviour: a task that it is the subject of."""
_LOSSES: Final[Phrases] = {
    "error": [
        *(
            "loss",
            "errors?",
            "error.?rates?",
            "wer",
            "cer",
            "ece",
            "r?mse",
            "mae",
            "crps",
            "rms ce",
        ),
        *("metricx", "brier(?! (index|skill))", "edit.?distance"),
        "hamming(?! (score|accuracy|similarity|loss))",
    ],
    "likelihood": [
        *("ppl", "perplexity", "kld", "kl[ -]?div(ergence)?", "cross[ -]entropy", "bits[ -]per"),
        "bp[bc]",
    ],
    "unwanted": [
        *("toxicity", "hallucinations", "attack success"),
        "(?<!non)(?<!non[ -])hallucination.?rates?",
        "(?<!-)(decepti(on|ve)|lying|lie|jail-?break(ing)?|scheming|sabotage|blackmail|misalignment"
        "|reward[ -]hack(ing)?|sycophan(cy|tic)|(over-?|false )refusals?|fail(ure)?|issue|violation"
        "|harmful(ness)?|unsafe|toxic)([ -](behaviou?r|response|success))?[ -]rate",
    ],
}
_LOWER: Final = anywhere(_LOSSES, unless=_TASKS)
_LESS: Final = re.compile(r"[↓⬇▼]|lower[ -](is[ -])?better|越低越好|越小越好|幻觉率", re.IGNORECASE)
_MORE: Final = re.compile(r"[↑⬆▲]|higher[ -](is[ -])?better|越高越好|越大越好", re.IGNORECASE)
"""What a heading says of which scores are better; it wins over what its words suggest."""
_UNWANTED: Final = re.compile(
    r"(?<![a-z])(sycophan|decepti|jail-?break|hallucinat|misalign|blackmail|reward.?hack|refus|toxic"
    r"|unsafe|harmful|stereotyp|sabotag|scheming|sandbag|leakage|latency|levenshtein|violation"
    r"|fail(ure|ed)|(bias|asr|errors?|mistakes)(?![a-z]))"
)
_WANTED: Final = re.compile(
    r"non|anti|resist|robust|detect|avoid|(?<!un)saf(e|ety)(?![a-z])|honest|bench|correct|locat"
    r"|locali|identif|recover|classif|analy|diagnos|f1(?!\d)"
)
"""Unwanted behaviour, and words in a name that mean that it is avoided."""
_SPEECH_AND_TEXT: Final = re.compile(
    r"librispeech|ted-?lium|(giga|spgi)speech|voxpopuli|common.?voice|(?<![a-z])wikitext|earnings.?2[12]"
    r"|(?<![a-z])(fleurs|covost|mls|coraal|aishell|callhome|switchboard)(?![a-z])"
)
"""Tests of speech recognition and language modelling."""
_ACCURACY: Final = re.compile(r"(?<![a-z])acc(uracy)?(?![a-z])")


def is_lower(name: str) -> bool:
    """Return whether lower is better, by a benchmark's name.

    Examples
    --------
    >>> is_lower("WER"), is_lower("Error detection")
    (True, False)
    """
    text = in_words(name)
    if _MORE.search(text):
        return False
    return bool(_LESS.search(text) or _LOWER.search(text))


def why_lower(name: str) -> str | None:
    """Return why a benchmark's name suggests that lower is better; None if it does not.

    Unlike `is_lower` it takes names into account that only suggest so: these are for the user to
    decide.
    """
    text = in_words(name).casefold()
    if _MORE.search(text) or _ACCURACY.search(text):
        return None
    if is_lower(name) or (_UNWANTED.search(text) and not _WANTED.search(text)):
        return "its name means an error, a loss or unwanted behaviour"
    if _SPEECH_AND_TEXT.search(text):
        return "tables mostly give error rates or perplexities of it"
    return None
