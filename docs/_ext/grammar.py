"""The grammar of specs as a page: every key, kind, prior slot and equation, from the records.

Nothing of it is written by hand: keys and defaults are the records' fields, their meaning is the
records' docstrings, and terms, links and likelihoods say their equation and prior slots.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from numpydoc.docscrape import ClassDoc
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import latentscale as ls
from latentscale.data.features.base import FEATURES, Feature
from latentscale.declare import shipped_specs
from latentscale.declare.choice import Choice, kind_of
from latentscale.declare.kinds import LIKELIHOODS, LINKS, TERMS
from latentscale.declare.prior import _DISTRIBUTIONS, PRIOR_SLOTS, Prior
from latentscale.declare.spec import ModelSpec
from latentscale.inference.method import METHODS

_WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_SHOWN = "Written from the package's records at every build."
_HEAD = f"""# Grammar of specs

{_SHOWN} A spec is a TOML file, or the same keys given to `ls.ModelSpec`; a key that is left
out has its default, and an unknown one is refused with the nearest name.
`spec.with_({{"skills.count": 3}})` returns a changed copy. How the parts fit together is in
[the model's mathematics](../mathematics.md); which spec to use is in
[which spec when](../which_spec.md).
"""


def write(path: Path) -> None:
    """Write the page; left as it is where nothing changed."""
    text = "\n".join(page())
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def page() -> Iterator[str]:
    """Return the page, line by line."""
    yield _HEAD
    yield "## Keys\n"
    yield from _record(ModelSpec, "")
    yield from _features()
    yield from _kinds("Links", "benchmarks.link", LINKS, "The increasing curve h from the linear")
    yield "predictor to (0, 1).\n"
    yield from _each_kind(LINKS)
    yield from _kinds("Likelihoods", "benchmarks.likelihood", LIKELIHOODS, "How a score scatters")
    yield "around its expected value.\n"
    yield from _each_kind(LIKELIHOODS)
    yield "## Terms of the equations\n"
    yield "A spec's keys switch terms on; each adds to the skills θ, to the linear predictor η, or"
    yield "to the curve and noise. `+=` reads: adds. Indices: model i, benchmark j, skill k,"
    yield "covariate c, family f, lineage g.\n"
    for name, term in sorted(TERMS.items(), key=lambda item: (item[1].order, item[0])):
        yield from _term(name, term)
    yield from _priors()
    yield from _shipped()
    yield from _methods()


def _methods() -> Iterator[str]:
    yield "## Inference methods\n"
    yield "Given to `ls.fit(spec, scores, method=...)`; on the command line `--method NAME`, and"
    yield "`--set SETTING=VALUE` for each setting.\n"
    for name, method in sorted(METHODS.items()):
        yield f"### `{name}`\n"
        yield f"{_summary(method)}\n"
        about = _meanings(method)
        yield from _table_head("setting", "default", "meaning")
        for field in dataclass_fields(method):
            default = "must be given" if field.default is MISSING else f"`{field.default!r}`"
            yield _row(f"`{field.name}`", default, about.get(field.name, ""))
        yield ""


def _features() -> Iterator[str]:
    yield "## Features\n"
    yield "`covariates` names features of the table: those that the package knows, by the names"
    yield "above, and any other that `ls.Scores.from_frame(frame, features=[...])` declares, by its"
    yield "own. `a:b` is a product. A feature is a column, or `ls.Feature` with these settings:\n"
    about = _meanings(Feature)
    yield from _table_head("setting", "default", "meaning")
    for field in dataclass_fields(Feature):
        default = "must be given" if field.default is MISSING else f"`{field.default!r}`"
        yield _row(f"`{field.name}`", default, about.get(field.name, ""))
    yield "\nKinds of features:\n"
    yield from _table_head("kind", "what it is")
    for name, kind in FEATURES.items():
        yield _row(f"`{name}`", _summary(kind))
    yield ""


def _record(record: type[BaseModel], where: str) -> Iterator[str]:
    """Return the table of a record's keys, then those of its parts."""
    parts: list[tuple[str, type[BaseModel]]] = []
    yield f"### {f'`[{where}]`' if where else 'Top level'}\n"
    yield _summary(record) + "\n"
    yield from _table_head("key", "takes", "default", "meaning")
    about = _meanings(record)
    for key, field in record.model_fields.items():
        path = f"{where}.{key}" if where else key
        held = _records_in(field.annotation)
        choice = next((mark for mark in field.metadata if isinstance(mark, Choice)), None)
        if choice is None:
            parts += [(f"{path}", part) for part in held]
        takes = _choice(choice) if choice is not None else _type(field.annotation, field.metadata)
        yield _row(f"`{key}`", takes, _default(field), about.get(key, ""))
    yield ""
    for path, part in parts:
        several = len([p for p, _ in parts if p == path]) > 1
        if several:
            yield from _one_of(part, path)
        else:
            yield from _record(part, path)


def _one_of(record: type[BaseModel], where: str) -> Iterator[str]:
    """Return a kind of a part that takes one of several."""
    yield f'### `{where}`: `kind = "{kind_of(record)}"`\n'
    yield _summary(record) + "\n"
    yield from _settings(record)


def _settings(record: type[BaseModel]) -> Iterator[str]:
    fields = {key: f for key, f in record.model_fields.items() if key != "kind"}
    if not fields:
        return
    about = _meanings(record)
    yield from _table_head("key", "takes", "default", "meaning")
    for key, field in fields.items():
        takes = _type(field.annotation, field.metadata)
        yield _row(f"`{key}`", takes, _default(field), about.get(key, ""))
    yield ""


def _kinds(title: str, key: str, kinds: Mapping[str, Any], about: str) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"`{key}` takes a table with one of these kinds. {about}"


def _each_kind(kinds: Mapping[str, Any]) -> Iterator[str]:
    for name, kind in kinds.items():
        yield f"### `{name}`\n"
        yield _summary(kind) + "\n"
        yield from _equation(kind.equation)
        yield from _settings(kind)
        yield from _slots(kind.slots)


def _term(name: str, term: Any) -> Iterator[str]:
    yield f"### `{name}`\n"
    yield _summary(term) + "\n"
    yield from _equation(term.equation)
    if term.is_set_by_table():
        yield f'Switched on by a table `[[terms]]` with `kind = "{name}"`.\n'
        yield from _settings(term)
    else:
        when = inspect.getdoc(term.of) or ""
        yield when.split("\n")[0].replace("Return the term", "In the model").replace("None", "not")
        yield ""
    yield from _slots(term.slots)


def _slots(slots: Mapping[str, Any]) -> Iterator[str]:
    if not slots:
        return
    yield from _table_head("prior slot", "default", "of")
    for name, slot in slots.items():
        yield _row(f"`{name}`", f"`{slot.default}`", slot.meaning)
    yield ""


def _priors() -> Iterator[str]:
    yield "## Priors\n"
    yield "Under `[priors]`, by slot: "
    yield '`slope = { dist = "Normal", mu = 0, sigma = 1 }`. A prior must have the support of the'
    yield "default; `loading` may also be on the real line. `spec.with_priors({...})` does the same"
    yield "on a copy.\n"
    yield from _table_head("distribution", "support", "numbers")
    for name, (support, numbers) in _DISTRIBUTIONS.items():
        yield _row(f"`{name}`", support, ", ".join(f"`{n}`" for n in numbers))
    yield "\nEvery slot, and the shipped specs that use it (in bold where they change it):\n"
    specs = [ls.load_spec(name) for name in shipped_specs()]
    used = {spec.name: spec.used_priors() for spec in specs}
    yield from _table_head("slot", "support", "default", "of", "used by")
    for name, slot in sorted(PRIOR_SLOTS.items()):
        by = [
            f"**{spec.name}** `{spec.priors[name]}`" if name in spec.priors else spec.name
            for spec in specs
            if name in used[spec.name]
        ]
        names = ", ".join(by) or "none"
        default = slot.default
        yield _row(f"`{name}`", default.support, f"`{default}`", slot.meaning, names)
    yield ""


def _shipped() -> Iterator[str]:
    yield "## Shipped specs\n"
    for name in shipped_specs():
        spec = ls.load_spec(name)
        yield f"### `{name}`\n"
        yield f"{spec.description}.\n"
        yield f"```{{literalinclude}} ../../model_specs/{name}.toml\n:language: toml\n```\n"


def _equation(equation: str) -> Iterator[str]:
    if equation:
        yield f"$$\n{equation}\n$$\n"


def _summary(record: type[Any]) -> str:
    doc = ClassDoc(record)
    text = " ".join([*doc["Summary"], *doc["Extended Summary"]])
    return _prose(text)


def _meanings(record: type[Any]) -> dict[str, str]:
    return {
        name.strip(): _prose(" ".join(entry.desc))
        for entry in ClassDoc(record)["Attributes"]
        for name in entry.name.split(",")
    }


def _prose(text: str) -> str:
    return text.replace("``", "`").replace("_j", r"\_j").replace("_i", r"\_i").strip()


def _type(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    bounds = [
        f"{word} {getattr(mark, name)}"
        for mark in metadata
        for name, word in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below"))
        if getattr(mark, name, None) is not None
    ]
    return " ".join([_bare(annotation), *bounds])


def _bare(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _WORDS:
        return _WORDS[annotation]
    if origin is Literal:
        return ", ".join(f'`"{value}"`' for value in inner)
    if origin is tuple:
        return f"list of {_bare(inner[0])}s"
    if origin is dict:
        return "table of priors by slot"
    if origin in (Union, UnionType):
        return " or ".join(_bare(kind) for kind in inner if kind is not NoneType)
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("kind")
        return f'table of kind `"{kind.default}"`' if kind else "table, see below"
    return getattr(annotation, "__name__", str(annotation))


def _choice(choice: Choice) -> str:
    names = ", ".join(f'`"{name}"`' for name in choice.kinds)
    if not names:
        return "list of tables, each of a kind that another package registered"
    return f"table of kind {names}"


def _records_in(annotation: Any) -> list[type[BaseModel]]:
    inner = get_args(annotation) or (annotation,)
    return [k for k in inner if inspect.isclass(k) and issubclass(k, BaseModel)]


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if isinstance(value, BaseModel):
        kind = getattr(value, "kind", None)
        return f'`{{ kind = "{kind}" }}`' if kind else "its defaults"
    if isinstance(value, Prior):
        return f"`{value}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(f'"{v}"' if isinstance(v, str) else f"{v:g}" for v in value) + "]`"
    if isinstance(value, str):
        return f'`"{value}"`'
    return "none" if value == {} else f"`{value}`"


def _table_head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row(*["---"] * len(names))


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
