"""Families and lineages of open models, guessed from their base models, names and architectures.

A family is one pretrained model (series, version and size, "llama3.1-8b") with its fine-tunes and
merges; a lineage is its series with the version ("llama3.1").
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import Final

import pandas as pd

from latentscale.data.audit import Finding
from latentscale.data.empty import is_empty
from latentscale.data.readers.model_names import parse_name, without_owner
from latentscale.errors import listed

_ANYWHERE: Final = """tinyllama smollm codellama openllama llama qwen recurrentgemma codegemma gemma
mixtral mistral pythia falcon bloom stablelm internlm deepseek starcoder granite bielik olmoe olmo
danube nemotron codestral"""
"""Series whose name has no other meaning, wherever it occurs in a model's name."""
_AS_WORDS: Final = """phi yi opt mpt gptneox gptneo gptj gpt2 t5 glm chatglm solar aya dbrx rwkv
mamba jamba nemo xgen cerebras dolly command l"""
"""Series whose name also occurs inside other words, so it must be a separate word."""
_ALIASES: Final[Mapping[str, str]] = {
    "nemo": "mistral-nemo",
    "chatglm": "glm",
    "l": "llama",  # "L3.1-8B"
    "command": "command-r",
}
_SERIES: Final = re.compile(
    rf"(?P<rare>{'|'.join(_ANYWHERE.split())})"
    rf"|(?<![a-z])(?P<word>{'|'.join(_AS_WORDS.split())})(?![a-z])"
)
_NEMO: Final = re.compile(r"mistral.*\bnemo\b")
_VERSION: Final = re.compile(r"[-_ ]?v?(\d{1,2}(?:[._]\d(?![\d.]*[bm]))?)(?![\d.]*\s*[bmkx])")
"""A number right after the series that is not a size ("8b") or a context ("32k")."""
_QUANTISED: Final = re.compile(r"[-_](?:bnb[-_])?(?:4|8)bit$|[-_](?:gptq|awq|gguf)$")
_MERGE: Final = re.compile(r"\s*\(merge\)$", re.IGNORECASE)
_REMOVED: Final = "removed"
"""What the leaderboard writes as the base model if a model's page no longer exists."""
_SAME_SIZE: Final = 1.33
"""Ratio up to which two counts of parameters are one size: Gemma-2-2B has 2.61 billion, and a
merge of Gemma-2-9B counts its embeddings twice. Sizes of one series differ by a factor of at least
1.4."""
_SAME_COUNT: Final = 1.01
"""Ratio up to which two counts of parameters belong to the same pretrained model."""
_MOSTLY: Final = 0.8
"""Share of the named models with an architecture and size above which an unnamed one joins them."""
_FEW: Final = 5
"""Named models needed for that share: four of five can be one maker's own series."""
_TRUNK: Final = re.compile(r"For(?:CausalLM|ConditionalGeneration|.*)$|LMHeadModel$|ModelM?$")


@dataclass(frozen=True)
class _Base:
    """The pretraining that a name names: its series with version, and its size if stated."""

    series: str
    size_b: float


def base_families(
    models: Sequence[str],
    *,
    base_models: Sequence[object] | None = None,
    params_b: Sequence[float] | None = None,
    architectures: Sequence[object] | None = None,
) -> tuple[pd.DataFrame, list[Finding]]:
    """Guess the family and lineage of open models.

    Each model's base model is looked up in the table, then the base model of that one, and so on.
    The name at the end of the chain gives the series and version; if it does not, the earlier names
    do, back to the model's own. The size is the number of parameters, rounded to a size that names
    of the series state, else the size in the name. If no name gives a series, architecture and
    size define the family. Models without either are families of their own.

    Parameters
    ----------
    models
        Names, as ``"meta-llama/Llama-3.1-8B"``.
    base_models
        The model that each was made from, its own name for none; None if unknown for all.
    params_b
        Billions of parameters, NaN where unknown.
    architectures
        Names of classes, such as ``"LlamaForCausalLM"``.

    Returns
    -------
    tuple
        A table with the columns model, family, lineage and family_basis (what the family was read
        from: "base model", "name" or "architecture"; "none" for a model that is a family of its
        own), in the order of the models, and one finding that counts what was guessed from what.
    """
    parent = dict(zip(models, base_models or [""] * len(models), strict=True))
    sizes = [float(size) for size in (params_b or [nan] * len(models))]
    pretrainings = [_pretraining(_chain(name, parent)) for name in models]
    nominal = _nominal_sizes(pretrainings, sizes)
    kinds = [_TRUNK.sub("", str(kind).strip()).casefold() for kind in architectures or models]
    kinds = kinds if architectures else [""] * len(models)
    named = {
        place: (_family(base, sizes[place], nominal), base.series)
        for place, (base, _) in enumerate(pretrainings)
        if base is not None
    }
    rows = []
    for place, model in enumerate(models):
        if place in named:
            rows.append((model, *named[place], pretrainings[place][1]))
            continue
        alike = [
            other
            for other in named
            if kinds[other] == kinds[place]
            and _sizes_agree(sizes[other], sizes[place], within=_SAME_COUNT)
        ]
        rows.append(_by_architecture(model, kinds[place], sizes[place], [named[i] for i in alike]))
    table = pd.DataFrame(rows, columns=["model", "family", "lineage", "family_basis"])
    return table, [_finding(table)]


def _chain(name: str, parent: Mapping[str, object]) -> list[str]:
    """Return the models that a model was made from, from the pretrained one to itself."""
    chain = [name]
    while True:
        base = _MERGE.sub("", str(parent.get(chain[-1], ""))).strip()
        if is_empty(base) or base.casefold() == _REMOVED or base in chain:
            return chain[::-1]
        chain.append(base)


def _pretraining(chain: Iterable[str]) -> tuple[_Base | None, str]:
    """Return the pretrained model from the first name of a chain that states one, and the basis."""
    names = list(chain)
    for place, name in enumerate(names):
        base = _base_of(name)
        if base is not None:
            return base, "name" if place == len(names) - 1 else "base model"
    return None, ""


def _base_of(name: str) -> _Base | None:
    short = _QUANTISED.sub("", without_owner(name).casefold())
    squeezed = re.sub(r"(code|open|gpt|c4ai)[-_](?=llama|neox?|j\b|2\b)", r"\1", short)
    match = _SERIES.search(squeezed)
    if match is None:
        return None
    word = match["rare"] or match["word"]
    if word == "mistral" and _NEMO.search(squeezed):
        word = "nemo"
    version = _VERSION.match(squeezed, match.end())
    if word == "l" and version is None:
        return None
    number = version[1].replace("_", ".") if version else ""
    return _Base(_ALIASES.get(word, word) + number, parse_name(short).size_b)


def _nominal_sizes(
    pretrainings: Sequence[tuple[_Base | None, str]], sizes: Sequence[float]
) -> dict[str, list[float]]:
    """Return, by series, the sizes that names state and parameters confirm, commonest first."""
    counts: dict[str, Counter[float]] = defaultdict(Counter)
    for (base, _), size in zip(pretrainings, sizes, strict=True):
        if base is not None and isfinite(base.size_b) and _sizes_agree(base.size_b, size):
            counts[base.series][base.size_b] += 1
    return {series: [size for size, _ in sizes.most_common()] for series, sizes in counts.items()}


def _sizes_agree(first: float, second: float, within: float = _SAME_SIZE) -> bool:
    if not (first > 0 and second > 0):
        return False
    return max(first, second) / min(first, second) <= within


def _family(base: _Base, size: float, nominal: Mapping[str, Sequence[float]]) -> str:
    """Return the family of a series: with the nominal size nearest to the model's own."""
    own = base.size_b if isnan(size) else size
    if isnan(own):
        return base.series
    near = [known for known in nominal.get(base.series, ()) if _sizes_agree(known, own)]
    best = min(near, key=lambda known: abs(known - own)) if near else float(f"{own:.2g}")
    return f"{base.series}-{best:g}b"


def _by_architecture(
    model: str, trunk: str, size: float, alike: Sequence[tuple[str, str]]
) -> tuple[str, str, str, str]:
    """Return the row of a model whose family no name gives.

    `alike` has family and lineage of the named models of its architecture and size.
    """
    if is_empty(trunk) or trunk == _REMOVED or isnan(size):
        return model, model, model, "none"
    commonest = Counter(alike).most_common(1)
    if len(alike) >= _FEW and commonest[0][1] >= _MOSTLY * len(alike):
        return model, *commonest[0][0], "architecture"
    return model, f"{trunk} architecture, {size:.2g}b", f"{trunk} architecture", "architecture"


def _finding(table: pd.DataFrame) -> Finding:
    counts = table["family_basis"].value_counts()
    counts_in_words = ", ".join(
        f"{counts[basis]} from {text}"
        for basis, text in (
            ("base model", "the chain of base models"),
            ("name", "their own names"),
            ("architecture", "architecture and size"),
        )
        if basis in counts
    )
    families = table["family"].value_counts()
    guessed = f"were guessed: {counts_in_words}" if counts_in_words else "are in no name"
    message = (
        f"families of {len(table)} models {guessed}. They are {len(families)} families "
        f"({int((families == 1).sum())} of one model) in {table['lineage'].nunique()} lineages."
    )
    alone = table.loc[table["family_basis"] == "none", "model"]
    if len(alone):
        message += f" {len(alone)} models are families of their own: {listed(alone, 4)}."
    message += " Give metadata= with the column family to say otherwise."
    return Finding("warning", "families-guessed", "family", message)
