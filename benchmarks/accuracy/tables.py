"""Tables of RESULTS.md: errors next to the published ones, coverage, and errors by split."""

from __future__ import annotations

import numpy as np
import pandas as pd

ORDER = [(s, n) for n in (1, 2) for s in ("v1", "v2", "v1+v2")]


def report(cells: dict[str, pd.DataFrame], published: pd.DataFrame, made: str) -> str:
    """Return RESULTS.md.

    Parameters
    ----------
    cells
        Backtest tables by spec, with columns set and n_seen; the first spec is compared with
        the others.
    published
        Published errors in points: split, set, n_seen, method, mae.
    made
        How the figures were made.
    """
    first = next(iter(cells))
    parts = [
        "# Results: forecasts of hidden family members",
        "Written by `python -m benchmarks.accuracy.run`; do not edit.",
        made,
        "## Error",
        "Mean absolute error of the predictive median, in points. Each split hides one family "
        "with its tuned variants. As in Sloth, figures average the splits' mean errors; standard "
        "errors are over splits. *Best published* is the best of Sloth's 28 methods and "
        "dimensions in that column, picked after the fact.",
        _markdown(errors(cells, published)),
        f"## Paired differences of {first}",
        "Paired by split, in points; negative values mean a lower error than the other method's. "
        "Mean ± standard error.",
        _markdown(differences(cells, published)),
        "## Intervals",
        "Share of hidden scores inside central intervals, mean width of the 90% interval and CRPS "
        "(both in points), log score, and the largest R-hat of any fit. ± one standard error, "
        "from a bootstrap over families because the splits of one family share hidden scores.",
        _markdown(intervals(cells)),
        f"## {first} by benchmark",
        _markdown(by_group(cells[first], "benchmark")),
        f"## {first} by split",
        "Errors by split, largest first; the column `published` has the best single method for "
        "splits of that set and number of members seen.",
        _markdown(by_split(cells[first], published)),
    ]
    return "\n\n".join(parts) + "\n"


def split_errors(cells: pd.DataFrame) -> pd.Series:
    """Return mean absolute errors in points, by split."""
    error = 100 * (cells["median"] - cells["score"]).abs()
    return error.groupby(cells["fold"]).mean()


def best_published(published: pd.DataFrame) -> dict[tuple[str, int], str]:
    """Return the method with the smallest mean error, by set and members seen."""
    mean = published.groupby(["set", "n_seen", "method"])["mae"].mean()
    best = mean.groupby(level=["set", "n_seen"]).idxmin()
    return {(str(s), int(n)): str(method) for (s, n), (_, _, method) in best.items()}


def _columns(published: pd.DataFrame) -> list[tuple[str, int]]:
    present = set(zip(published["set"], published["n_seen"], strict=True))
    return [column for column in ORDER if column in present]


def _column(frame: pd.DataFrame, column: tuple[str, int]) -> pd.DataFrame:
    return frame[(frame["set"] == column[0]) & (frame["n_seen"] == column[1])]


def errors(cells: dict[str, pd.DataFrame], published: pd.DataFrame) -> pd.DataFrame:
    """Return mean errors with standard errors: one row per method, one column per set."""
    best = best_published(published)
    rows = {name: {} for name in cells}
    rows |= {"best published": {}, "published pooled law (logF_sigmoid)": {}, "splits": {}}
    for column in _columns(published):
        label = f"{column[0]}, {column[1]} seen"
        for name, table in cells.items():
            rows[name][label] = _mean(split_errors(_column(table, column)))
        known = _column(published, column)
        chosen = known[known["method"] == best[column]].set_index("split")["mae"]
        rows["best published"][label] = f"{_mean(chosen)} ({best[column]})"
        pooled = known[known["method"] == "logF_sigmoid"].set_index("split")["mae"]
        rows["published pooled law (logF_sigmoid)"][label] = _mean(pooled)
        rows["splits"][label] = str(known["split"].nunique())
    return pd.DataFrame(rows).T.rename_axis("spec").reset_index()


def differences(cells: dict[str, pd.DataFrame], published: pd.DataFrame) -> pd.DataFrame:
    """Return paired differences of the first spec from the others and from the best published."""
    first, *others = cells
    best = best_published(published)
    rows: dict[str, dict[str, str]] = {name: {} for name in ["best published", *others]}
    for column in _columns(published):
        label = f"{column[0]}, {column[1]} seen"
        ours = split_errors(_column(cells[first], column))
        known = _column(published, column)
        chosen = known[known["method"] == best[column]].set_index("split")["mae"]
        rows["best published"][label] = _mean(ours - chosen.reindex(ours.index))
        for name in others:
            theirs = split_errors(_column(cells[name], column)).reindex(ours.index)
            rows[name][label] = _mean(ours - theirs)
    return pd.DataFrame(rows).T.rename_axis("compared with").reset_index()


def intervals(cells: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return coverage, width and proper scores by spec, over all splits and by set."""
    rows = []
    for name, table in cells.items():
        for label, group in [("all", table), *table.groupby("set")]:
            rows.append({"spec": name, "set": label, **_calibration(group)})
    return pd.DataFrame(rows)


def by_group(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return error and calibration for each value of a column."""
    rows = []
    for label, group in table.groupby(column, sort=True):
        error = 100 * (group["median"] - group["score"]).abs().mean()
        rows.append({column: label, "error": f"{error:.2f}", **_calibration(group)})
    return pd.DataFrame(rows)


def by_split(table: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return each split's error and that of the best published method."""
    best = best_published(published)
    wanted = [best[s, n] for s, n in zip(published["set"], published["n_seen"], strict=True)]
    theirs = published[published["method"] == wanted].set_index("split")["mae"]
    rows = []
    for split, group in table.groupby("fold"):
        error = 100 * (group["median"] - group["score"]).abs().mean()
        rows.append({"split": split, "error": error, "published": theirs.get(split, np.nan)})
        rows[-1] |= {k: v for k, v in _calibration(group).items() if k in ("90%", "width")}
    frame = pd.DataFrame(rows).sort_values("error", ascending=False, ignore_index=True)
    return frame.round(2)


def _calibration(group: pd.DataFrame) -> dict[str, str]:
    central = 2 * (group["pit"] - 0.5).abs()
    clusters = group["family"]
    figures = {f"{p}%": _share(central <= p / 100, clusters) for p in (50, 80, 90, 95)}
    figures["width"] = f"{100 * (group['upper'] - group['lower']).mean():.1f}"
    figures["CRPS"] = f"{100 * group['crps'].mean():.2f}"
    figures["log score"] = f"{group['log_score'].mean():.2f}"
    figures["max R-hat"] = f"{group['max_rhat'].max():.2f}"
    figures["scores"] = str(len(group))
    return figures


def _share(inside: pd.Series, clusters: pd.Series, resamples: int = 1000) -> str:
    """Return a percentage with its standard error, by a bootstrap over clusters of scores."""
    sums, sizes = inside.groupby(clusters).sum(), inside.groupby(clusters).size()
    if len(sums) < 2:
        return f"{100 * inside.mean():.0f}"
    drawn = np.random.default_rng(0).integers(len(sums), size=(resamples, len(sums)))
    shares = sums.to_numpy()[drawn].sum(axis=1) / sizes.to_numpy()[drawn].sum(axis=1)
    return f"{100 * inside.mean():.0f} ± {100 * shares.std(ddof=1):.0f}"


def _mean(values: pd.Series) -> str:
    if len(values) < 2:
        return f"{values.mean():.2f}"
    return f"{values.mean():.2f} ± {values.std(ddof=1) / np.sqrt(len(values)):.2f}"


def _markdown(frame: pd.DataFrame) -> str:
    head = "| " + " | ".join(map(str, frame.columns)) + " |\n" + "|---" * len(frame.columns) + "|"
    rows = ["| " + " | ".join(map(str, row)) + " |" for row in frame.itertuples(index=False)]
    return "\n".join([head, *rows])
