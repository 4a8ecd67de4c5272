"""Settings of a run that affect scores: quantisation, chat template, sampling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from math import isfinite
from typing import Any, Final

from latentscale.data.columns import number_of_cell

QUANTISED: Final = "quantised"
"""Beginning of a setting that marks a quantised model."""
PLAIN: Final = "no chat template"
"""Name of empty settings."""

_MARK: Final = 8
"""Hexadecimal digits of a hash, 32 bits: enough to tell the instructions in a folder apart."""
_SWITCHES: Final = {"load_in_4bit": "4-bit", "load_in_8bit": "8-bit"}
_METHODS: Final = ("autogptq", "gptqmodel", "quantization", "quantization_config", "gguf_file")
_LOW_DTYPE: Final = re.compile(r"(4|8)-?bit|u?int(4|8)|fp(4|8)|float8|nf4|gptq|awq", re.IGNORECASE)
_THINKING: Final = "enable_thinking"
"""Arguments by which a chat template switches reasoning on or off."""
_IN_TEXT: Final = re.compile(rf"{_THINKING}\W+(\w+)")
_OFF: Final = ("", "false", "none", "null", "0", "auto")


def settings_of(document: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings of a run, sorted; empty for a plain one.

    Parameters
    ----------
    document
        The whole result file.
    arguments
        Its ``model_args``.
    """
    settings = []
    if _is_on(document.get("chat_template")) or _is_on(document.get("chat_template_sha")):
        settings.append("chat template")
        if _is_on(document.get("fewshot_as_multiturn")):
            settings.append("examples as turns")
    thinking = _thinking(arguments)
    if thinking is not None:
        settings.append("thinking" if thinking else "no thinking")
    if _is_on(document.get("system_instruction")):
        settings.append(f"system instruction {_mark(document)}")
    sampled = _sampling(document)
    if sampled:
        settings.append(sampled)
    quantised = _quantisation(document, arguments)
    if quantised:
        settings.append(f"{QUANTISED} ({quantised})")
    return tuple(sorted(settings))


def settings_text(settings: Sequence[str]) -> str:
    """Return settings as text."""
    return " + ".join(settings) or PLAIN


def is_quantised(settings: Sequence[str]) -> bool:
    """Return whether the model was quantised."""
    return any(setting.startswith(QUANTISED) for setting in settings)


def _quantisation(document: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Return how a model was quantised, an empty string if it was not."""
    for key, kind in _SWITCHES.items():
        if _is_on(arguments.get(key)):
            return kind
    for key in _METHODS:
        value = arguments.get(key)
        if _is_on(value):
            return key if not isinstance(value, str) or value.casefold() == "true" else value
    config, general = document.get("config"), document.get("config_general")
    types = (
        arguments.get("dtype"),
        *(
            settings.get("model_dtype")
            for settings in (config, general)
            if isinstance(settings, Mapping)
        ),
    )
    low = [str(kind) for kind in types if _LOW_DTYPE.search(str(kind))]
    return low[0].removeprefix("torch.") if low else ""


def _thinking(arguments: Mapping[str, Any]) -> bool | None:
    """Return whether a run switched a model's thinking on or off; None if it did neither."""
    inner = arguments.get("chat_template_args") or arguments.get("chat_template_kwargs")
    for place in (arguments, inner):
        if isinstance(place, Mapping) and place.get(_THINKING) is not None:
            return _is_on(place[_THINKING])
        if isinstance(place, str) and (said := _IN_TEXT.search(place)):
            return _is_on(said[1])
    return None


def _sampling(document: Mapping[str, Any]) -> str:
    """Return how a run sampled its answers, an empty string if it did not.

    The run's ``gen_kwargs`` take precedence over those of its tasks. Answers are sampled at a
    temperature above 0 unless ``do_sample`` is off, and whenever ``do_sample`` is on.
    """
    config = document.get("config")
    given = config.get("gen_kwargs") if isinstance(config, Mapping) else None
    if isinstance(given, str):
        pairs = (pair.partition("=") for pair in given.split(","))
        given = {key.strip(): value for key, _, value in pairs}
    if not isinstance(given, Mapping):
        return ""
    temperature = finite_number(given.get("temperature"))
    asked = given.get("do_sample")
    if temperature == 0 or (asked is not None and not _is_on(asked)):
        return ""
    if temperature is None:
        return "sampled answers" if asked is not None else ""
    return f"sampled answers at temperature {temperature:g}"


def finite_number(value: object) -> float | None:
    """Return a finite number, also from text; else None."""
    try:
        number = float(value) if isinstance(value, str) else number_of_cell(value)
    except (ValueError, OverflowError):
        return None
    return number if number is not None and isfinite(number) else None


def _mark(document: Mapping[str, Any]) -> str:
    """Return what distinguishes system instructions: the beginning of the hash."""
    text = str(document["system_instruction"]).encode("utf-8", "surrogatepass")
    return sha256(text).hexdigest()[:_MARK]


def _is_on(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() not in _OFF
    return bool(value)
