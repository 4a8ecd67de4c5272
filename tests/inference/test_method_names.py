"""Methods by name: every one is registered and public, and the command line takes its settings."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import fields, is_dataclass

import pytest

import latentscale as ls
from latentscale import inference
from latentscale.cli.methods import chosen_method
from latentscale.errors import FitError
from latentscale.inference.method import METHODS, Method


def shipped() -> set[str]:
    """Return the names of the methods that the package's own modules define."""
    for module in pkgutil.walk_packages(inference.__path__, f"{inference.__name__}."):
        importlib.import_module(module.name)
    names, waiting = set(), [Method]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("latentscale.") and not kind.__abstractmethods__:
                names.add(kind.__name__)
    return names


def test_every_method_is_registered_public_and_a_record() -> None:
    assert shipped() <= set(METHODS)
    for name in shipped():
        assert METHODS[name] is getattr(ls.methods, name) and name in ls.methods.__all__
        assert is_dataclass(METHODS[name]) and METHODS[name].__doc__


@pytest.mark.parametrize("name", ["ADVI", "Laplace", "MarginalML", "NUTS", "Pathfinder"])
def test_a_command_line_gives_every_setting_that_json_holds(name: str) -> None:
    kind = METHODS[name]
    words = [
        f"{field.name.replace('_', '-')}={'none' if value is None else value}"
        for field in fields(kind)
        for value in [getattr(kind(), field.name)]
    ]
    assert chosen_method(name.lower(), words) == kind()


def test_settings_are_read_as_what_they_are() -> None:
    nuts = chosen_method("nuts", ["target-accept=0.9", "cores=1", "store=7", "adaptation=low_rank"])
    assert (nuts.target_accept, nuts.cores, nuts.adaptation) == (0.9, 1, "low_rank")  # type: ignore[attr-defined]
    assert nuts.store == "7"  # type: ignore[attr-defined]
    start = chosen_method("NUTS", ['start={"kind": "modes", "climbs": 4}'])
    assert start == ls.NUTS(start=ls.methods.ModeStart(climbs=4))
    assert chosen_method("advi", [], {"draws": 7, "tune": None}) == ls.ADVI(draws=7)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("gibs", [], 'No method is called "gibs"'),
        ("NUTS", ["draws"], "SETTING=VALUE"),
        ("NUTS", ["draws=5", "draws=6"], '"draws" is given twice'),
        ("ADVI", ["chains=2"], 'ADVI has no setting "chains"'),
        ("NUTS", ["draws=many"], "NUTS.draws must be a whole number"),
    ],
)
def test_what_cannot_be_set_is_refused(name: str, words: list[str], said: str) -> None:
    with pytest.raises(FitError, match=said):
        chosen_method(name, words)
