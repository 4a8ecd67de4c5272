"""Commands that follow from a verb's function: its arguments become options, its result is shown.

Each kind of argument has a rule below: what is typed, and how it becomes the function's argument.
Arguments without a rule keep their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import typer

from latentscale.cli.inputs import few_shot_of, loaded, numbers_by_name, outcome_of, scores_of
from latentscale.cli.options import (
    BenchmarksFile,
    Features,
    FeaturesFile,
    FigureOut,
    PlannedRows,
    Prob,
    Published,
    Refit,
    Rows,
    ScoresFile,
    SecondTableOut,
    Seed,
    TableOut,
    Verbose,
    existing_fit,
    existing_input,
)
from latentscale.cli.output import announce, finish
from latentscale.cli.wording import MARK, for_command
from latentscale.dims import DEFAULT_PROB
from latentscale.errors import SpecError
from latentscale.verb import Verb

_LISTS: Final = (Sequence, Iterable, list)
_HELD_BACK: Final = ("progress",)
"""Arguments that are not options: progress is always shown."""


@dataclass(frozen=True)
class Argument:
    """An argument of the command.

    Attributes
    ----------
    name
        Name of the command's parameter.
    kind
        Annotation for typer.
    default
        ``Parameter.empty`` where it must be given.
    gives
        Returns the function's argument, given everything that was typed.
    target
        Name of the function's argument; empty for one that `gives` reads together with another.
    reads
        Whether it is a file that is read.
    """

    name: str
    kind: Any
    default: Any
    gives: Callable[[Mapping[str, Any]], Any]
    target: str
    reads: bool = False


def derived(verb: type[Verb]) -> Callable[..., None]:
    """Return a command for typer that answers a verb's question.

    Raises
    ------
    SpecError
        If the function needs an argument that no option can give.
    """
    function = verb.answer()
    hints = get_type_hints(function)
    parameters = dict(signature(function).parameters)
    asked = [parameter for name, parameter in parameters.items() if name not in _HELD_BACK]

    def arguments_for(about: Mapping[str, str]) -> list[Argument]:
        return [
            argument
            for parameter in asked
            for argument in _arguments(
                verb, parameter, hints.get(parameter.name), about.get(parameter.name, "")
            )
        ]

    words = {argument.target: _word(argument) for argument in arguments_for({})}
    arguments = arguments_for(described(function, change=lambda text: for_command(text, words)))
    outputs = _outputs(hints.get("return"), has_prob="prob" in parameters)
    reads = [argument.name for argument in arguments if argument.reads]

    def command(**typed: Any) -> None:
        out, csv = typed.get("out"), typed.get("csv")
        announce([out, csv], inputs=[typed[name] for name in reads])
        values = {a.target: a.gives(typed) for a in arguments if a.target}
        # What is not given keeps the function's own default.
        given = {
            name: value
            for name, value in values.items()
            if value is not None or parameters[name].default is Parameter.empty
        }
        prob = typed["prob"] if "prob" in outputs and "prob" not in parameters else None
        figure, table = (out, csv) if "csv" in outputs else (None, out)
        finish(function(**given), prob=prob, table=table, figure=figure)

    _dress(command, arguments, outputs, f"{verb.question()}\n\n{_first_paragraph(function)}")
    return command


def described(
    documented: Callable[..., Any],
    heading: str = "Parameters",
    change: Callable[[str], str] = str,
) -> dict[str, str]:
    """Return the first sentence on each name below a heading of a numpy-style docstring.

    Parameters
    ----------
    documented
        The object with the docstring.
    heading
        The heading.
    change
        Changes each text before its markup is removed.
    """
    text = cleandoc(documented.__doc__ or "")
    _, _, rest = text.partition(f"{heading}\n{'-' * len(heading)}\n")
    texts: dict[str, list[str]] = {}
    names: list[str] = []
    for line in rest.splitlines():
        if line and not line.startswith(" "):
            if set(line) == {"-"}:  # the next heading
                break
            names = [name.strip() for name in line.partition(":")[0].split(",")]
            texts |= {name: [] for name in names}
        elif line.strip():
            for name in names:
                texts[name].append(line.strip())
    return {name: _plain(change(" ".join(lines))) for name, lines in texts.items()}


def _word(argument: Argument) -> str:
    """Return what is typed for an argument: its option, or its place in the line."""
    info = argument.kind.__metadata__[0]
    # In an annotation typer keeps the first of an option's names as its default.
    words = [info.default, *(info.param_decls or ())]
    options = [word for word in words if isinstance(word, str) and word.startswith("--")]
    return options[0].partition("/")[0] if options else str(info.metavar or argument.name)


def _arguments(
    verb: type[Verb], parameter: Parameter, hint: Any, about: str
) -> tuple[Argument, ...]:
    name, default = parameter.name, parameter.default
    bare, optional = _without_none(hint)
    required = default is Parameter.empty
    title = getattr(bare, "__name__", "")
    kind: Any
    if title == "Fit":
        metavar = "FIT.nc" if name == "fit" else f"{name.upper()}.nc"
        help_ = "A fit that `latentscale fit` wrote."
        kind = Annotated[Path, typer.Argument(metavar=metavar, help=help_, callback=existing_fit)]
        return (Argument(f"{name}_file", kind, ..., _typed(f"{name}_file", loaded), name, True),)
    if title == "DataFrame" or "DataFrame" in [getattr(p, "__name__", "") for p in get_args(bare)]:
        return (_frame(name, about, required),)
    if title == "ModelSpec":
        kind = Annotated[str, typer.Option("--spec", help="A shipped spec, or a TOML file's path.")]
        return (Argument("spec", kind, "latentscale", _typed("spec", _spec), name),)
    if title == "Scores":
        table = Argument(
            "scores",
            ScoresFile,
            None,
            lambda typed: scores_of(
                typed["scores"],
                typed["published"],
                typed["feature"],
                typed["features"],
                typed["benchmarks"],
            ),
            name,
            True,
        )
        return (
            table,
            Argument("feature", Features, None, _typed("feature"), ""),
            Argument("features", FeaturesFile, None, _typed("features"), "", True),
            Argument("benchmarks", BenchmarksFile, None, _typed("benchmarks"), "", True),
            Argument("published", Published, False, _typed("published"), ""),
        )
    if name == "refit" and optional:
        kind = Annotated[
            bool, typer.Option("--refit", help="Refit where importance weights are not reliable.")
        ]
        return (Argument(name, kind, False, _typed(name, _nuts), name),)
    if title == "FewShot":
        return (Argument("refit", Refit, False, _typed("refit", few_shot_of), name),)
    if name == "prob":
        return (Argument(name, Prob, default, _typed(name), name),)
    if name == "seed":
        return (Argument(name, Seed, default, _typed(name), name),)
    plain = _option(name, bare, default, about)
    if plain is not None:
        return (plain,)
    if required:
        raise SpecError(
            f'The verb "{verb.name}" needs the argument "{name}" of a type that no option gives; '
            "write its command by hand (Verb.command)."
        )
    return ()


def _frame(name: str, about: str, required: bool) -> Argument:
    if name == "frame" and required:
        return Argument("rows", Rows, ..., _typed("rows", _planned_of), name, True)
    if name == "frame":
        return Argument("planned", PlannedRows, None, _typed("planned", _planned_of), name, True)
    option = typer.Option(
        f"--{_dashed(name)}", metavar="TABLE", help=about, callback=existing_input
    )
    kind = Annotated[Path | None, option]
    return Argument(name, kind, ... if required else None, _typed(name, _table_of), name, True)


def _option(name: str, bare: Any, default: Any, about: str) -> Argument | None:
    """Return an option for numbers, text, lists of these and numbers by name; None for others."""
    origin, parts = get_origin(bare), get_args(bare)
    absent = ... if default is Parameter.empty else None
    word = f"--{_dashed(name)}"
    if bare is bool:
        no = "--base" if name == "instruct" else f"--no-{_dashed(name)}"
        kind: Any = Annotated[bool | None, typer.Option(f"{word}/{no}", help=about)]
        return Argument(name, kind, absent, _typed(name), name)
    if bare in (int, float, str) or origin is Literal:
        inner = str if origin is Literal else bare
        choices = "|".join(map(str, parts)) if origin is Literal else None
        shown = f"{about} [default: {default}]" if isinstance(default, inner) else about
        kind = Annotated[inner | None, typer.Option(word, metavar=choices, help=shown)]
        return Argument(name, kind, absent, _typed(name), name)
    if origin in _LISTS and parts and parts[0] in (int, float, str):
        single = f"--{_dashed(_singular(name))}"
        kind = Annotated[
            list[parts[0]] | None,  # type: ignore[valid-type]
            typer.Option(
                single,
                metavar=_singular(name).upper() if parts[0] is str else "NUMBER",
                help=f"{about} May be given several times.".strip(),
            ),
        ]
        return Argument(name, kind, absent, _typed(name, lambda values: values or None), name)
    mappings = [p for p in (bare, *parts) if _is_numbers_by_name(p)]
    if mappings and "Series" in str(parts[0]):  # of several types the command takes the first
        option = typer.Option(word, metavar="TABLE", help=about, callback=existing_input)
        kind = Annotated[Path, option]
        return Argument(name, kind, absent, _typed(name, outcome_of), name, True)
    if mappings:
        alone = float in parts if origin in (Union, UnionType) else False
        form = "NUMBER or NAME=NUMBER" if alone else "NAME=NUMBER"
        word = f"--{_dashed(_singular(name))}"
        option = typer.Option(
            word,
            metavar=form,
            help=f"{about} May be given several times.".strip(),
        )
        kind = Annotated[list[str] | None, option]
        return Argument(
            name, kind, absent, _typed(name, lambda t: numbers_by_name(t, word, alone=alone)), name
        )
    return None


def _outputs(result: Any, *, has_prob: bool) -> dict[str, tuple[Any, Any]]:
    """Return the options for what is written, with annotation and default."""
    from latentscale.result import FixedTable, Result

    is_result = isinstance(result, type) and issubclass(result, Result)
    shown: dict[str, tuple[Any, Any]] = {}
    if is_result and not issubclass(result, FixedTable) and not has_prob:
        shown["prob"] = (Prob, DEFAULT_PROB)
    if is_result and hasattr(result, "plot"):
        return {**shown, "out": (FigureOut, None), "csv": (SecondTableOut, None)}
    return {**shown, "out": (TableOut, None)}


def _dress(
    command: Callable[..., None],
    arguments: Sequence[Argument],
    outputs: Mapping[str, tuple[Any, Any]],
    text: str,
) -> None:
    """Give a function the signature that typer reads."""
    options = {
        a.name: (a.kind, Parameter.empty if a.default is ... else a.default) for a in arguments
    }
    options |= {**outputs, "verbose": (Verbose, False)}
    command.__doc__ = text
    command.__annotations__ = {name: kind for name, (kind, _) in options.items()}
    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=default)
            for name, (kind, default) in options.items()
        ]
    )


def _typed(
    name: str, made: Callable[[Any], Any] | None = None
) -> Callable[[Mapping[str, Any]], Any]:
    def gives(typed: Mapping[str, Any]) -> Any:
        value = typed[name]
        return value if made is None or value is None else made(value)

    return gives


def _spec(name: str) -> Any:
    from latentscale.declare.io import load_spec

    return load_spec(name)


def _nuts(asked: bool) -> Any:
    import latentscale as ls

    return ls.NUTS() if asked else None


def _table_of(path: Path) -> Any:
    from latentscale.data.readers import read_table

    return read_table(path)


def _planned_of(path: Path) -> Any:
    from latentscale.data.readers import read_planned

    return read_planned(path)


def _without_none(hint: Any) -> tuple[Any, bool]:
    """Return a hint without None, and whether None was in it."""
    if get_origin(hint) not in (Union, UnionType):
        return hint, False
    members = [member for member in get_args(hint) if member is not NoneType]
    optional = len(members) < len(get_args(hint))
    return (members[0] if len(members) == 1 else Union[tuple(members)]), optional  # noqa: UP007


def _is_numbers_by_name(hint: Any) -> bool:
    return get_origin(hint) is Mapping and get_args(hint) == (str, float)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _singular(name: str) -> str:
    return f"{name[:-3]}y" if name.endswith("ies") else name.removesuffix("s")


def _first_paragraph(function: Callable[..., Any]) -> str:
    return _plain(cleandoc(function.__doc__ or "").partition("\n\n")[0], sentences=9)


def _plain(text: str, sentences: int = 1) -> str:
    """Return the first sentences without docstring markup."""
    flat = " ".join(text.replace("`", "").replace(MARK, "`").split())
    return ". ".join(flat.split(". ")[:sentences]).rstrip(".;:") + "." if flat else ""
