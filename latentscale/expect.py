"""Arguments of the wrong type: one error that says what was expected and how to get it.

For objects (fits, tables of scores, specs, results). Numbers are checked where they are used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Final

import numpy as np

from latentscale.errors import DataError, FitError, LatentscaleError, SpecError
from latentscale.validate import whole_number

_FIT: Final = "from latentscale.fit, or from latentscale.load for a saved one"
# Names of types in messages, where these differ from the classes' names.
_CALLED: Final[Mapping[str, str]] = {
    "str": "text",
    "Method": "a method",
    "DataFrame": "a pandas DataFrame",
}

# The error, and where such an object comes from, by the type's name, so that this module imports
# none of the types. For any other type the error is a FitError that names it.
_SOURCES: Final[Mapping[str, tuple[type[LatentscaleError], str]]] = {
    "Fit": (FitError, _FIT),
    "Scores": (DataError, "from latentscale.Scores.from_frame, latentscale.datasets or a reader"),
    "ModelSpec": (SpecError, "from latentscale.load_spec"),
    "Method": (FitError, "such as latentscale.NUTS(draws=1000)"),
    "MarginalML": (FitError, "such as latentscale.MarginalML()"),
    "FewShot": (FitError, "such as latentscale.FewShot()"),
    "RegressionPrior": (FitError, "such as latentscale.studies.RegressionPrior()"),
    "DataFrame": (DataError, ""),
    "Alignment": (FitError, "from latentscale.align"),
    "Allocation": (FitError, "from latentscale.optimal_allocation"),
    "CapabilityIndex": (FitError, "from latentscale.capability_index"),
    "Comparison": (FitError, "from latentscale.compare or latentscale.studies.compare_backtests"),
    "ComputeNeeded": (FitError, "from latentscale.flops_for_target"),
    "Criteria": (FitError, "from latentscale.studies.information_criteria"),
    "Curve": (FitError, "from latentscale.scaling_curve"),
    "Explanation": (FitError, "from latentscale.studies.explain"),
    "FamilyInfluence": (FitError, "from latentscale.studies.family_influence"),
    "FitCheck": (FitError, "from latentscale.check"),
    "Frontier": (FitError, "from latentscale.frontier"),
    "Forecast": (FitError, "from latentscale.predict"),
    "LeaveOneOut": (FitError, "from latentscale.leave_one_out"),
    "NextBenchmark": (FitError, "from latentscale.next_benchmark"),
    "Passing": (FitError, "from latentscale.probability_above"),
    "PredictiveCheck": (
        FitError,
        "from latentscale.studies.prior_predictive or latentscale.studies.posterior_predictive",
    ),
    "ProbeSet": (FitError, "from latentscale.probe_set"),
    "Sensitivity": (FitError, "from latentscale.sensitivity"),
    "SensitivityGrid": (
        FitError,
        "from latentscale.studies.sensitivity_grid or latentscale.studies.leave_families_out",
    ),
    "SkillRegression": (FitError, "from latentscale.studies.regress_on_skills"),
    "Skills": (FitError, "from latentscale.skills"),
    "VarianceShares": (FitError, "from latentscale.studies.variance_shares"),
}


def expect(value: object, kind: type, name: str, hint: str = "") -> None:
    """Refuse an argument that is not of the type that it must be.

    Parameters
    ----------
    value
        What was given.
    kind
        The type that it must be an instance of.
    name
        Name of the argument.
    hint
        Where such an object comes from, instead of the usual hint for its type.

    Raises
    ------
    LatentscaleError
        A `FitError`, `DataError` or `SpecError`, depending on the expected type.

    Examples
    --------
    >>> from latentscale.posterior.fit import Fit
    >>> expect("fit.nc", Fit, "fit")
    Traceback (most recent call last):
        ...
    latentscale.errors.FitError: fit must be a Fit, from latentscale.fit, or from latentscale.load \
for a saved one; got 'fit.nc'.
    """
    if isinstance(value, kind):
        return
    error, source = _SOURCES.get(kind.__name__, (FitError, ""))
    if kind is str:
        error = DataError
    called = _CALLED.get(kind.__name__) or f"a{'n' * (kind.__name__[0] in 'AEIOU')} {kind.__name__}"
    source = f", {hint or source}" if hint or source else ""
    raise error(f"{name} must be {called}{source}; got {shown(value)}.")


def shown(value: object) -> str:
    """Return what was given, for a message: plain values themselves, others by their type."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | int | float | bool):
        return repr(value)
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    return f"a {type(value).__module__.partition('.')[0]} {type(value).__name__}"


def expect_each(values: object, kind: type, name: str, example: str, hint: str = "") -> None:
    """Refuse anything but a non-empty mapping from names to objects of one type.

    Raises
    ------
    LatentscaleError
        As for `expect`, or if a name is not text; the message shows the `example`.
    """
    error, _ = _SOURCES.get(kind.__name__, (FitError, ""))
    if not isinstance(values, Mapping) or not values:
        got = "an empty one" if isinstance(values, Mapping) else shown(values)
        raise error(f"{name} must be a mapping from names, such as {example}; got {got}.")
    for key, value in values.items():
        if not isinstance(key, str) or not key.strip():
            raise error(f"{name}: Names must be text, as in {example}; got {key!r}.")
        expect(value, kind, f'{name}["{key}"]', hint)


def expect_names(values: object, name: str, example: str) -> tuple[str, ...]:
    """Return names as a tuple, refusing one string, which would be read letter by letter.

    Raises
    ------
    DataError
        If it is not a sequence of text; the message shows the `example`.
    """
    flat = not isinstance(values, str | bytes | Mapping) and getattr(values, "ndim", 1) == 1
    if flat and isinstance(values, Iterable):
        names: tuple[object, ...] = tuple(values)
        if all(isinstance(item, str) for item in names):
            return tuple(str(item) for item in names)
    raise DataError(f"{name} must be a list of names, such as {example}; got {values!r:.200}.")


def expect_path(path: object, name: str) -> None:
    """Refuse anything but a path.

    Raises
    ------
    FitError
        If it is neither text nor a `pathlib.Path`.
    """
    if not isinstance(path, str | PathLike) or not str(path):
        raise FitError(f"{name} must be a path, text or a pathlib.Path; got {shown(path)}.")


def checked_cluster(cluster: object, name: str = "cluster") -> str | None:
    """Return the address of a dask.distributed scheduler, or None.

    Raises
    ------
    FitError
        If it is anything else.
    """
    if cluster is not None and not isinstance(cluster, str):
        raise FitError(
            f'{name} must be an address, such as "tcp://10.0.0.1:8786"; got {cluster!r}.'
        )
    return cluster


def checked_workers(workers: object) -> int:
    """Return a number of processes, a whole number of at least 1.

    Raises
    ------
    FitError
        If it is anything else.
    """
    return whole_number(workers, "workers", least=1, error=FitError)
