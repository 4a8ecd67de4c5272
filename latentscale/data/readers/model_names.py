"""What a model's name says: its series, version, size, and the setting it was run at.

For names as labs and leaderboards write them ("claude-opus-4-20250514_16K", "Qwen/Qwen2.5-72B").
Size classes and settings as features are made of it elsewhere (`size_classes`, `efforts`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from latentscale.data.readers.model_sizes import is_size, sizes_of, with_plain_sizes

_LEVELS: Final = "minimal|low|medium|high|xhigh|x-high"
_MODE: Final = "(?:thinking|reasoning)"
_MODE_IN_BRACKETS: Final = "(?:think(?:ing)?|reasoning)"
_EFFORT: Final = re.compile(
    r"_(?P<budget>\d+k)$"  # the hub's: a thinking budget, thousands of tokens
    rf"|_(?P<hub>{_LEVELS}|max|none|unknown|thinking)$"
    rf"|[-_ ](?P<named>{_LEVELS}|max|default|no)[- ]?(?:(?:{_MODE}[- ])?effort|{_MODE})$"
    r"|[-_ ]thinking-(?P<tokens>\d+k)$"
    rf"|[-_ ](?P<level>{_LEVELS})$"
    rf"|(?:,|[-_ ]w/|[-_ ]with)?[-_ ](?:(?:extended|adaptive)[-_ ])?(?P<mode>(?:non?-?)?{_MODE})$"
    rf"|\s*\((?P<bracketed>[^()]*\b(?:{_LEVELS}|max|none|(?:non?)?{_MODE_IN_BRACKETS}|\d+k)\b[^()]*)\)$",
    re.IGNORECASE,
)
_NO_MODE: Final = re.compile(
    rf"(?<![a-z])(?:no(?:n|ne)?(?:$|[-, ]*{_MODE_IN_BRACKETS})|disabled?[- ]{_MODE_IN_BRACKETS})"
    rf"|{_MODE_IN_BRACKETS}[-: ]+(?:none|off|disabled)"
)
_ABOVE_HIGH: Final = re.compile("(?:x|extra|very)[- ]high")
_LEVEL: Final = re.compile(rf"(?<![a-z])(?:{_LEVELS}|max)(?![a-z])")
_BUDGET: Final = re.compile(r"\d+k")
"""What brackets may hold, in lower case."""
_WITH_BUDGETS: Final = re.compile(
    r"(?<![a-z])((claude.*?(?<!\d)(?<!\d[.-])(3[.-]7|[4-9])|gemini.*?(?<!\d)(?<!\d[.-])(2[.-]5|[3-9]))"
    r"(?!\d)"
    r"|qwen-?[3-9])",
    re.IGNORECASE,
)
"""Models that are listed by their thinking budget: "Claude 3.7 (16K)". In other names thousands in
brackets are a length of context: "GPT-4 (32k)", "Yi-34B (200K)"."""
_OF_SETTING: Final = re.compile(
    rf"{_LEVELS}|max|non?|none|off|unknown|default|(?:non?)?{_MODE_IN_BRACKETS}|effort|adaptive|extended|mode"
    r"|budget|length|tokens|with|w|extra|very|\d+k|disabled?"
)
"""Words in brackets that say nothing but the setting; "Fast" in "(Fast Reasoning)" is a model's."""
_DATED: Final = re.compile(
    r"\s*\((?:20\d\d-?[01]\d-?[0-3]\d|\d{1,2}/\d{1,2}"
    r"|(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?(?:,?'? ?(?:'|20)?\d\d)?)\)$",
    re.IGNORECASE,
)
"""A date in brackets at the end of a name: "Claude 4.5 Opus medium (20251101)", "R1 (05/28)",
"Claude 3.5 Sonnet (Oct)", "GPT-4o (Mar' 25)"."""
_MEASURED: Final = re.compile(
    r"(?<![a-z\d])((\d+|zero|one|few|multi)[- ]?shots?|cot"
    r"|(i?q\d\w*|\d+-?b(it)?s?|(fp|bf|int)\d+|awq|gptq|gguf|no)[- ]quanti[sz](ation|ed)"
    r"|[2-8][- ]bits?)(?![a-z])",
    re.IGNORECASE,
)
"""How a model was prompted or packed: "(5-shot)", "(CoT)", "(16b quantization)"; no version or
size."""
_SQUARE: Final = re.compile(r"(?<=\S\s)\[([^()\[\]]+)\]$")
"""Square brackets around a setting: "gpt-5.5 [xhigh]"."""
_FALLBACK: Final = re.compile(r",[^,()]*\bfallback\b[^,()]*", re.IGNORECASE)
"""What answers where a model refuses, after its effort: "(Max, Opus 4.8 Fallback)"."""
_SIZED_BY_MEDIUM: Final = re.compile(r"([a-z]*stral|phi|gpt-?2|dialogpt)(?![a-z.])")
"""Series in which "medium" at the end of a name is a size: devstral-medium, gpt2-medium."""
_TRAINED: Final = re.compile(r"phi.*reasoning$")
"""Models that are named by their training to reason, which is not a setting: phi-4-reasoning."""
_OF_MAX: Final = re.compile(r"qwen|qvq|qwq|step|doubao|seed|hunyuan|ernie")
"""Series with models named Max, which reason in "Qwen3-Max-Thinking"; it is no effort there."""
_MAX_AS_EFFORT: Final = re.compile(r"^(?:gpt|claude|o\d)(?!.*codex).*-(max)$")
"""In these series a name ends with "-max" for the effort; elsewhere (qwen-max) it is a model."""

_NUMBER: Final = re.compile(r"v?((?:0(?=\.)|[1-9]\d?)(?:\.\d+)*)")
"""A part of a version; months and days of dates ("05") and years are none."""
_DIGITS: Final = re.compile(r"v?\d+(?:\.\d+)*")
_CONTEXT: Final = re.compile(
    r"\d+[km]|\d+k\w*|res\d+|(?:step|tokens|ckpt|checkpoint|iter|epoch)\d+[kmbt]?|(?:mx|nv)?(?:fp|bf|int)\d+|w\d+a\d+|[2-8]bit|exl\d"
)
"""Context lengths, image sizes, number formats and checkpoints."""
_GGUF: Final = re.compile(r"(?<=[-_ :.(])i?q\d(?:_[a-z0-9]{1,3})*(?![a-z0-9])")
"""Quantisations as llama.cpp names them: "Q8_0", "Q4_K_M", "IQ2_XXS"."""
_JOINED: Final = re.compile(r"(?P<letters>[a-z]+)(?P<number>\d{1,2}(?:\.\d+)*)(?P<rest>[a-z]*)")
_ALONE: Final = re.compile(r"(\d{1,2}(?:\.\d+)?)([a-z]+)")
_GENERIC_WORDS: Final = """instruct chat it base hf preview exp experimental latest beta alpha
thinking reasoning reasoner think enabled instructions new old updated upgraded qat mlx gguf awq
gptq bnb dpo sft rlhf orpo merged unknown effort default web app turbo fast basic original vision
vl meta c4ai open models amazon non w with without no tools fc prompt dense tee"""
_GENERIC: Final = frozenset(_GENERIC_WORDS.split())
"""Words of a name that say how a model was tuned, packed or served, and not of which series."""

_ALIASES: Final = {"chatgpt": "gpt", "t5": "t5"}
"""Series by the word of a name that would not give it: the 5 of T5 is not a version."""
_OPENAI_O: Final = "openai-o"
"""OpenAI's o1 to o4; a name that only ends so ("Marco-o1") is of another series."""
_DAYS: Final = (
    re.compile(r"(?<!\d)(?P<year>20\d\d)-?(?P<month>[01]\d)-?(?P<day>[0-3]\d)(?!\d)"),
    re.compile(r"(?<!\d)(?P<month>[01]\d)-(?P<day>[0-3]\d)-(?P<year>20\d\d)(?!\d)"),
)
"""Days in names: 20241022, 2024-10-22 and 10-22-2024; months and days without a year are not."""

_AFTER_OWNER: Final = re.compile(
    r"(?<!\s)/(?!\s|[ae]\d+(?:\.\d+)?b\b|[^()]*\))(?<!\d/(?=\d))(?<!\d[bmt]/(?=\d+(?:\.\d+)?b))",
    re.IGNORECASE,
)
"""The slash after an organisation or a route; that of "480B/A35B" and "671B/37B" is between two
sizes, others are in brackets, in dates ("12/25") or beside a space ("w/ thinking")."""
_CLOUD: Final = re.compile(
    r"^(?:(?:us|eu|ap|apac|au|jp|global)(?:-gov)?\.)?(?:anthropic|meta|amazon|mistral|cohere|deepseek"
    r"|qwen|openai|google|ai21|writer|moonshot(?:ai)?|minimax|nvidia|zai)\.(?=[a-z])"
    r"|-v\d+:\d+$",
    re.IGNORECASE,
)
"""A region and an owner before a name, and a version after it, as clouds write them:
"us.anthropic.claude-sonnet-4-5-20250929-v1:0"."""
_ROUTED: Final = re.compile(r":(?:free|nitro|floor|online|exacto|extended|latest)$", re.IGNORECASE)
"""How a router serves a model, after its name: "deepseek-r1:free"."""
_MAKERS: Final[Mapping[str, str]] = {
    "openai": "gpt|chatgpt|codex|o[134](?![a-z])",
    "anthropic": "claude|opus|sonnet|haiku",
    "google(?: deepmind)?": "gemini|gemma|learnlm|palm",
    "alibaba(?: cloud)?": "qwen|qwq|qvq",
    "xai": "grok",
    "moonshot(?: ?ai)?": "kimi",
    "(?:z\\.ai|zhipu(?: ?ai)?)": "glm",
    "nvidia": "nemotron",
    "microsoft": "phi",
    "ibm": "granite",
    "cohere": "command",
    "tencent": "hunyuan",
    "stepfun": "step",
    "(?:allen ?ai|ai2)": "olmo",
    "tii": "falcon",
    "01[. -]?ai": "yi",
}
"""Series by the makers that names have before them: "Anthropic: Claude Opus 4.5"."""
_MADE_BY: Final = re.compile(
    "|".join(rf"^{maker}(?::\s*|[\s_-]+)(?={series})" for maker, series in _MAKERS.items()),
    re.IGNORECASE,
)
_CLAUDES: Final = ("opus", "sonnet", "haiku")
"""Sizes of Claude, by which agents' leaderboards name it without the series: "Opus 4.5"."""
_IN_AGENT: Final = re.compile(r"(?P<agent>[^()]+?)\s*\((?P<model>[^()]+)\)")
"""An agent and its model in brackets: "Claude Code (Opus 4.6)"."""
_AGENT: Final = re.compile(r"\s\+\s")
"""Between an agent and its model, or a model and its tools: "mini-SWE-agent + GPT-5"."""
_OF_PROVIDERS: Final = re.compile(
    r"claude[ -]code|codex([ -]cli)?|gemini[ -]cli|qwen[ -]?(code|agent)|kimi[ -](cli|code)"
    r"|grok[ -](cli|build)|mistral[ -]vibe",
    re.IGNORECASE,
)
"""Agents that bear the name of a series: "Claude Code + GPT-5" is of the series gpt."""

PROVIDERS: Final[Mapping[str, str]] = {
    "claude": "Anthropic",
    "gpt": "OpenAI",
    "openai": "OpenAI",
    "codex": "OpenAI",
    "gemini": "Google",
    "gemma": "Google",
    "codegemma": "Google",
    "learnlm": "Google",
    "palm": "Google",
    "llama": "Meta",
    "llama4": "Meta",
    "codellama": "Meta",
    "qwen": "Alibaba",
    "qwq": "Alibaba",
    "qvq": "Alibaba",
    "deepseek": "DeepSeek",
    "grok": "xAI",
    "mistral": "Mistral AI",
    "mixtral": "Mistral AI",
    "ministral": "Mistral AI",
    "magistral": "Mistral AI",
    "codestral": "Mistral AI",
    "devstral": "Mistral AI",
    "mathstral": "Mistral AI",
    "pixtral": "Mistral AI",
    "kimi": "Moonshot",
    "glm": "Zhipu AI",
    "chatglm": "Zhipu AI",
    "command": "Cohere",
    "phi": "Microsoft",
    "nova": "Amazon",
    "minimax": "MiniMax",
    "yi": "01.AI",
    "nemotron": "NVIDIA",
    "hunyuan": "Tencent",
    "step": "StepFun",
    "olmo": "Allen Institute for AI",
    "granite": "IBM",
    "falcon": "Technology Innovation Institute",
    "apertus": "Swiss AI",
    "baichuan": "Baichuan",
    "dbrx": "Databricks",
    "doubao": "ByteDance",
    "ernie": "Baidu",
    "exaone": "LG AI Research",
    "internlm": "Shanghai AI Laboratory",
    "jamba": "AI21 Labs",
    "lfm": "Liquid AI",
    "longcat": "Meituan",
    "mimo": "Xiaomi",
    "palmyra": "Writer",
    "pythia": "EleutherAI",
    "reka": "Reka",
    "smollm": "Hugging Face",
    "sonar": "Perplexity",
    "stablelm": "Stability AI",
}
"""Providers of series that only they make, by the first word of the series."""


@dataclass(frozen=True)
class ModelName:
    """The parts of a model's name.

    Parameters
    ----------
    name
        As it was given.
    version
        Without an organisation before the last slash, and without `setting`.
    setting
        How it was run, as the name says it ("high", "16k", "thinking"), else empty.
    series
        What is left without version, size, date, generic words: ``"claude-opus"``, ``"qwen"``.
    number
        Version number of the series (``"3.5"``), else empty.
    size_b
        Total parameters in billions that the name states, NaN if none.
    active_b
        Active parameters in billions that the name states, NaN if none.
    words
        All parts of `version`, in lower case and in order.
    """

    name: str
    version: str
    setting: str
    series: str
    number: str
    size_b: float
    active_b: float
    words: tuple[str, ...]


def parse_name(name: str) -> ModelName:
    """Read the parts of one model's name.

    Of an agent and its model, or of a model and its tools, the parts are those of the model, where
    one of the two is of a series in `PROVIDERS`.

    Examples
    --------
    >>> parsed = parse_name("claude-opus-4-1-20250805_16K")
    >>> parsed.series, parsed.number, parsed.setting
    ('claude-opus', '4.1', '16k')
    >>> parse_name("Qwen/Qwen2.5-72B-Instruct").size_b
    72.0
    >>> parsed = parse_name("Qwen3-30B-A3B")
    >>> parsed.size_b, parsed.active_b
    (30.0, 3.0)
    """
    models = [part for part in map(parse_name, _parts(name)) if provider_of(part)]
    if len(models) == 1:
        return replace(models[0], name=name)
    version, setting = _without_setting(_SQUARE.sub(r"(\1)", without_owner(name)))
    bare = _MEASURED.sub(" ", version)
    words = tuple(_words(_DATED.sub("", bare)))
    series: list[str] = []
    numbers: list[str] = []
    open_number, dated = True, False
    for word in words:
        number = _NUMBER.fullmatch(word)
        if number and not dated:
            # "3-5" is version 3.5; a number after the next word is none of the version.
            if open_number or not numbers:
                numbers.append(number[1])
            open_number = True
            continue
        open_number = False
        dated = dated or bool(_DIGITS.fullmatch(word))  # what follows a year or a month is a date
        if not is_size(word, words):
            own = _of_series(word, numbers, first=not series)
            series += [part for part in own if part not in series[-1:]]
    if series and series[0] in _CLAUDES:
        series.insert(0, "claude")
    if series[:1] == ["r"] and numbers[:1] == ["1"]:  # papers name DeepSeek-R1 just R1
        series.insert(0, "deepseek")
    sizes = sizes_of(words, bare.casefold())
    return ModelName(
        name=name,
        version=version,
        setting=setting,
        series="-".join(series) or version.casefold(),
        number=".".join(numbers[:2]),
        size_b=sizes.total_b,
        active_b=sizes.active_b,
        words=words,
    )


def without_owner(name: str) -> str:
    """Return a name without the organisation or route before its last slash, or of a cloud.

    Examples
    --------
    >>> without_owner("openrouter/qwen/qwen3-32b"), without_owner("Qwen3-Coder 480B/A35B")
    ('qwen3-32b', 'Qwen3-Coder 480B/A35B')
    >>> without_owner("us.anthropic.claude-opus-4-1-v1:0"), without_owner("qwen/qwq-32b:free")
    ('claude-opus-4-1', 'qwq-32b')
    >>> without_owner("Anthropic: Claude Opus 4.5"), without_owner("OpenAI o3")
    ('Claude Opus 4.5', 'o3')
    """
    plain = _CLOUD.sub("", _AFTER_OWNER.split(name)[-1].strip())
    return _ROUTED.sub("", _MADE_BY.sub("", plain))


def day_of(name: str) -> str | None:
    """Return the day that a name states, as 2024-10-22; None if it states none.

    Examples
    --------
    >>> day_of("claude-3-5-sonnet-20241022"), day_of("gpt-4-0613")
    ('2024-10-22', None)
    """
    for pattern in _DAYS:
        match = pattern.search(name)
        if match:
            try:
                day = date(int(match["year"]), int(match["month"]), int(match["day"]))
            except ValueError:  # the 31st of a month of 30 days
                continue
            return day.isoformat()
    return None


def provider_of(name: ModelName) -> str | None:
    """Return the only maker of a model's series, None where the series does not say."""
    return PROVIDERS.get(name.series.split("-")[0])


FEW_MODELS: Final = 2
"""Least number of names of known series that show where models are: one may be by chance."""


def is_of_known_series(name: str) -> bool:
    """Return whether a name is that of a model of a series in `PROVIDERS`.

    Examples
    --------
    >>> is_of_known_series("GPT-5 (high)"), is_of_known_series("GPQA Diamond")
    (True, False)
    """
    return provider_of(parse_name(name)) is not None


def _parts(name: str) -> list[str]:
    """Return an agent and its model, where a name has both; nothing else."""
    within = _IN_AGENT.fullmatch(name)
    if within and _OF_PROVIDERS.fullmatch(within["agent"].strip()):
        return [within["model"]]
    parts = _AGENT.split(name)
    models = [part for part in parts if not _OF_PROVIDERS.fullmatch(part.strip())]
    return models if len(parts) > 1 else []


def _of_series(word: str, numbers: list[str], *, first: bool) -> Iterator[str]:
    """Yield what a word that is not a number gives to the series; note a version in it."""
    if word in _ALIASES:
        yield _ALIASES[word]
        return
    if any(kind.fullmatch(word) for kind in (_CONTEXT, _DIGITS)):
        return
    if word in _GENERIC or "=" in word:  # a setting: "T=1"
        return
    alone = _ALONE.fullmatch(word)
    if alone:  # "4o"
        if not numbers:
            numbers.append(word)
        return
    joined = _JOINED.fullmatch(word)
    if joined:  # "qwen2.5", "r1"
        if not numbers:
            numbers.append(joined["number"])
        word = joined["letters"]
        if word == "v":
            return
        if word == "o" and first:
            word = _OPENAI_O
    yield word


def _words(version: str) -> list[str]:
    plain = with_plain_sizes(_GGUF.sub("", version.casefold()))
    text = re.sub(r"(?<=\d)[_p](?=\d)", ".", plain)  # internlm2_5-1_8b, deepseek-v3p1
    return [word for word in re.split(r"[-_\s:/(),+]+|\.(?=\D)", text) if word]


def _without_setting(name: str) -> tuple[str, str]:
    dated = _DATED.search(name)
    if dated is not None:
        version, setting = _without_setting(name[: dated.start()])
        return (version + name[dated.start() :], setting) if setting else (name, "")
    match = _EFFORT.search(name)
    if match is None:
        ending = _MAX_AS_EFFORT.match(name.casefold())
        return (name[: ending.start(1) - 1], "max") if ending else (name, "")
    version = name[: match.start()].strip()
    if match["bracketed"]:
        text = _FALLBACK.sub("", match["bracketed"])
        setting, others = _in_brackets(text)
        context = _BUDGET.fullmatch(text.casefold()) and not _WITH_BUDGETS.search(version)
        if not setting or context:
            return name, ""
        return f"{version} ({others})" if others else version, setting
    text = next(group for group in match.groups() if group is not None).casefold()
    of_max = text == "max" and match["named"] and _OF_MAX.match(name.casefold())
    if of_max and not name.casefold().endswith("effort"):
        return name[: match.end("named")], "thinking"
    if match["mode"]:
        text = "none" if text.startswith("no") else "thinking"
    medium = text == "medium" and _SIZED_BY_MEDIUM.match(name.casefold())
    if (match["level"] and medium) or (match["mode"] and _TRAINED.match(name.casefold())):
        return name, ""
    return version, text.replace("x-high", "xhigh")


def _in_brackets(text: str) -> tuple[str, str]:
    """Return the setting that is said in brackets, empty if none is, and all words beside it."""
    words = re.findall(r"x-high|[\w.]+", text, re.IGNORECASE)
    others = " ".join(word for word in words if not _OF_SETTING.fullmatch(word.casefold()))
    said = text.casefold()
    if _NO_MODE.search(said):
        return "none", others
    if _ABOVE_HIGH.search(said):
        return "xhigh", others
    level, budget, mode = (
        part.search(said) for part in (_LEVEL, _BUDGET, re.compile(_MODE_IN_BRACKETS))
    )
    if level:
        return level[0], others
    if mode:
        return budget[0] if budget else "thinking", others
    # Beside other words thousands are a length of context: "8x7B 32K seqlen".
    return (budget[0], "") if budget and not others else ("", text)
