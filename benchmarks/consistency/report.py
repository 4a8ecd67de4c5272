"""CONSISTENCY.md: the results of `run.py`, with their figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

SHRINKING = (
    "loadings",
    "slopes",
    "family scales",
    "skill correlation",
    "log precisions",
    "curve of the average family",
)
HERE = Path(__file__).resolve().parent
INTRO = """# Consistency as families grow

One fixed truth (K = 2, anchored, correlated families, log_params and log_tokens, logistic link, six
benchmarks with their floors; see `run.py`). Every replication has fresh families of three models
each and fresh scores, simulated with numpy alone and fitted by NUTS (2 chains). Cai et al. 2025
(arXiv:2512.06553) show consistency and asymptotic normality in the number of families for such a
model, so errors should fall as families^(-1/2), z scores (error of the posterior mean over
posterior sd) should have sd 1, and intervals should cover.

Loadings are real-valued, so a chain can start in a mode of negligible mass with a skill's sign
flipped. If R-hat of all parameters is 1.1 or more, four longer chains are run and those in such a
mode are dropped by their energy (`refit.sample`).

Errors are root mean squares over elements and replications. The rate is the least-squares slope
of the log root mean square error of single replications on log families, with its standard error
from the residuals; -0.5 is expected. Quantities that depend on one family's own scores (its
members, new families) have no reason to shrink and are checked for coverage only.
"""


def write_report(path: Path, seed: int) -> None:
    """Write CONSISTENCY.md and its figure."""
    out = HERE if path.parent.name == "results" else path.parent
    (out / "figures").mkdir(exist_ok=True)
    table = pd.read_csv(path)
    lines = [INTRO, provenance(seed), "", "## Fits", "", markdown(fits(table)), ""]
    lines += ["## Error and rate", "", markdown(errors(table)), ""]
    lines += ["![Error against families](figures/consistency.png)", "", COVERAGE]
    for prob in (50, 90):
        lines += [f"### {prob}% intervals", "", markdown(coverage(table, prob)), ""]
    lines += ["## Normality", "", NORMALITY, markdown(normality(table)), ""]
    draw(table, out / "figures" / "consistency.png")
    (out / "CONSISTENCY.md").write_text("\n".join(lines), encoding="utf-8")


COVERAGE = """## Coverage

Per cent of true values inside equal-tailed intervals, with the binomial standard error and, after
the slash, one from the spread between replications, which is the right one if errors within a
replication are correlated. New scores include measurement noise.
"""
NORMALITY = """Standard deviation of z over elements and replications; 1 is expected (standard error
from the spread between replications).
"""


def fits(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per size: replications, time and convergence."""
    one = table.drop_duplicates(["families", "replication"])
    rows = []
    for families, group in one.groupby("families"):
        rows.append(
            {
                "families": families,
                "replications": len(group),
                "median s per fit": f"{group['seconds'].median():.0f}",
                "median R-hat": f"{group['max_rhat'].median():.3f}",
                "largest R-hat": f"{group['max_rhat'].max():.3f}",
                "chains disagreed": int((group["first_rhat"] >= 1.1).sum()),
                "stuck chains dropped": int(group["dropped_chains"].sum()),
                "R-hat > 1.05": int((group["max_rhat"] > 1.05).sum()),
                "with divergences": int((group["divergences"] > 0).sum()),
            }
        )
    return pd.DataFrame(rows)


def rate(families: np.ndarray, root_mean_square: np.ndarray) -> tuple[float, float]:
    """Return slope and standard error of log error on log families, one point per replication."""
    fitted = stats.linregress(np.log(families), np.log(root_mean_square))
    return float(fitted.slope), float(fitted.stderr)


def errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return root mean square errors by size, and the rate of the quantities that should shrink."""
    rows = []
    for quantity, group in table.groupby("quantity", sort=False):
        if quantity.startswith("new score"):
            continue
        row: dict[str, object] = {"quantity": quantity}
        for families, some in group.groupby("families"):
            mean_square = some["squared_error"].sum() / some["elements"].sum()
            row[f"{families}"] = f"{np.sqrt(mean_square):.4f}"
        row["rate"] = "not expected to shrink"
        if quantity in SHRINKING and group["families"].nunique() > 1:
            own = np.sqrt(group["squared_error"] / group["elements"])
            slope, error = rate(group["families"].to_numpy(), own.to_numpy())
            row["rate"] = f"{slope:.2f} ± {error:.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


def coverage(table: pd.DataFrame, prob: int) -> pd.DataFrame:
    """Return coverage by quantity and size with both standard errors, in per cent."""
    rows = []
    for quantity, group in table.groupby("quantity", sort=False):
        row: dict[str, object] = {"quantity": quantity}
        for families, some in group.groupby("families"):
            total = some["elements"].sum()
            held = some[f"covered_{prob}"].sum() / total
            binomial = np.sqrt(prob / 100 * (1 - prob / 100) / total)
            between = (some[f"covered_{prob}"] / some["elements"]).std(ddof=1) / np.sqrt(len(some))
            row[f"{families}"] = f"{100 * held:.0f} ± {100 * binomial:.0f} / {100 * between:.0f}"
        rows.append(row)
    return pd.DataFrame(rows)


def normality(table: pd.DataFrame) -> pd.DataFrame:
    """Return the standard deviation of z by quantity and size, with its standard error."""
    rows = []
    for quantity, group in table.groupby("quantity", sort=False):
        if quantity not in SHRINKING:
            continue
        row: dict[str, object] = {"quantity": quantity}
        for families, some in group.groupby("families"):
            square = some["z_squared"].sum() / some["elements"].sum()
            own = some["z_squared"] / some["elements"]
            error = own.std(ddof=1) / np.sqrt(len(some)) / (2 * np.sqrt(square))
            row[f"{families}"] = f"{np.sqrt(square):.2f} ± {error:.2f}"
        rows.append(row)
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Plot error against families on log axes, one panel per quantity, with the expected slope."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    from latentscale.plots.style import BLUE, GREY, VERMILLION, legend, panels, title

    names = [name for name in SHRINKING if name in set(table["quantity"])]
    figure, axes = panels(len(names), columns=3, width=2.6, height=2.0, share_y=False)
    for axis, name in zip(axes, names, strict=True):
        group = table[table["quantity"] == name]
        own = np.sqrt(group["squared_error"] / group["elements"])
        axis.plot(group["families"], own, "o", color=GREY, alpha=0.5, ms=3, label="one replication")
        sums = group.groupby("families")[["squared_error", "elements"]].sum()
        level = np.sqrt(sums["squared_error"] / sums["elements"])
        axis.plot(level.index, level, "o-", color=BLUE, ms=5, label="root mean square")
        line = np.exp(np.mean(np.log(level * np.sqrt(level.index)))) / np.sqrt(level.index)
        axis.plot(level.index, line, "--", color=VERMILLION, label="families^(-1/2)", linewidth=1.2)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks(list(level.index), [str(size) for size in level.index])
        axis.minorticks_off()
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        text = name
        if group["families"].nunique() > 1:
            slope, error = rate(group["families"].to_numpy(), own.to_numpy())
            text += f"\nrate {slope:.2f} ± {error:.2f}"
        axis.set_title(text, loc="left", fontsize=9)
    for axis in axes[-3:]:
        axis.set_xlabel("families")
    for axis in axes[::3]:
        axis.set_ylabel("error (rms)")
    title(figure, "Error of the posterior mean", "Expected rate: -0.5")
    legend(figure, axes)
    figure.savefig(path, dpi=90)
