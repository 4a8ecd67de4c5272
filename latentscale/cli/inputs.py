"""What commands read: fits, tables of scores, outcomes, and numbers by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from latentscale.cli.console import warn
from latentscale.errors import DataError

if TYPE_CHECKING:
    from latentscale.analysis.forecasts.few_shot import FewShot
    from latentscale.data.scores import Scores
    from latentscale.posterior.fit import Fit


def loaded(path: Path) -> Fit:
    """Read a fit, and warn if its draws did not converge."""
    import latentscale as ls

    fitted = ls.load(path)
    if fitted.status.converged is False:
        warn(f"{path} has {fitted.status.message}; see `latentscale diagnose {path}`.")
    return fitted


def fits_by_name(words: Sequence[str]) -> dict[str, Path]:
    """Return paths of fits by name, from NAME=FIT.nc or FIT.nc, whose name is the file's.

    Raises
    ------
    DataError
        If two have the same name.
    """
    paths: dict[str, Path] = {}
    for word in words:
        name, mark, path = word.partition("=")
        if not mark:
            name, path = Path(word).stem, word
        if name in paths:
            raise DataError(f'Two fits are called "{name}"; name them, as in a={path} b=other.nc.')
        paths[name] = Path(path).expanduser()
    return paths


def scores_of(
    path: Path | None,
    published: bool,
    feature: Sequence[str] | None = None,
    features: Path | None = None,
    benchmarks: Path | None = None,
) -> Scores:
    """Return the table of a file, or the bundled one.

    Parameters
    ----------
    path
        The file; None for the bundled table.
    published
        Whether to use the bundled table as published.
    feature, features
        Declarations of columns that describe models: as words, and in a file.
    benchmarks
        A TOML file that describes the table's benchmarks.

    Raises
    ------
    DataError
        If `published` is given for a table other than the bundled one, or features or `benchmarks`
        for the bundled one.
    """
    import latentscale as ls
    from latentscale.data.feature_declarations import stated_features
    from latentscale.data.readers import read_benchmarks, read_scores

    if path is None and benchmarks is not None:
        raise DataError("--benchmarks describes a table of your own; give --scores with it.")
    if path is None:
        if feature or features:
            raise DataError("--feature and --features are for a table of your own; name it.")
        return ls.datasets.open_llm_leaderboard(corrected=not published)
    if published:
        raise DataError("--published is for the bundled table; leave it out with --scores.")
    about = None if benchmarks is None else read_benchmarks(benchmarks)
    stated = stated_features(feature, features) or None
    return read_scores(path, features=stated, benchmarks=about)


def outcome_of(path: Path) -> dict[str, float]:
    """Return an outcome by model: a table with the column model and one of numbers.

    Raises
    ------
    DataError
        If the table has other columns, a model twice, or an outcome that is not a number.
    """
    from latentscale.data.readers import read_table

    table = read_table(path)
    others = [str(name) for name in table if name != "model"]
    if "model" not in table or len(others) != 1:
        raise DataError(
            f"{path}: an outcome needs the column model and one column of numbers; it has "
            f"{', '.join(map(str, table)) or 'none'}."
        )
    twice = table["model"][table["model"].duplicated()]
    if len(twice):
        raise DataError(f'{path}: the model "{twice.iloc[0]}" has two outcomes; remove one.')
    values: dict[str, float] = {}
    for model, value in zip(table["model"], table[others[0]], strict=True):
        try:
            values[str(model)] = float(value)
        except (TypeError, ValueError):
            raise DataError(
                f'{path}: the outcome of "{model}" must be a number; got {value!r}.'
            ) from None
    return values


def numbers_by_name(
    words: Sequence[str] | None, option: str, *, alone: bool = False
) -> dict[str, float] | float | None:
    """Return numbers by name, from NAME=NUMBER; a single number if `alone` allows it.

    Raises
    ------
    DataError
        If a word has another form, or a name is given twice.
    """
    if not words:
        return None
    if alone and len(words) == 1 and "=" not in words[0]:
        return _number(words[0], words[0], option)
    numbers: dict[str, float] = {}
    for word in words:
        name, mark, text = word.rpartition("=")
        if not mark or not name:
            raise DataError(f'{option} takes NAME=NUMBER, such as mmlu=0.7; got "{word}".')
        if name in numbers:
            raise DataError(f'{option}: "{name}" is given twice.')
        numbers[name] = _number(text, word, option)
    return numbers


def _number(text: str, word: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f'{option} takes a number, such as 0.7; got "{word}".') from None


def few_shot_of(refit: bool) -> FewShot:
    """Return how rows' scores condition forecasts: by a refit, if asked, of degenerate weights.

    Parameters
    ----------
    refit
        Whether ``--refit`` is given.
    """
    import latentscale as ls

    return ls.FewShot(refit=ls.NUTS() if refit else None)
