"""SBC.md: the results of `run.py`, with rank figures."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance
from benchmarks.sbc.cases import cases
from benchmarks.sbc.uniformity import band, scaled, uniformity

HERE = Path(__file__).resolve().parent
META = (
    "simulation",
    "seconds",
    "first_rhat",
    "max_rhat",
    "min_ess",
    "dropped_chains",
    "divergences",
    "tried",
)
LEVEL = 0.05
FAULTS = {
    "none": "none",
    "family": "scores made with family levels twice those recorded",
    "floor": "the fit takes the floor of arc for 0, scores have 0.25",
    "prior": "the fit's intercepts are Normal(0, 0.5), the simulation's the spec's own",
}
INTRO = """# Simulation-based calibration

Parameters are drawn from the prior of a shipped spec (with the changes in `cases.py`; where `form
of spec` is `earlier`, the spec has changed since the run). A table is simulated from them (16
families x 3 models x 6 benchmarks, or 12 runs x 4 checkpoints; one cell in ten empty), the table
is fitted by NUTS, and the truth is ranked among {kept} posterior draws. If density, sampler and
forecasts are right, ranks are uniform. The test quantities are every top-level parameter, the mean
of each parameter with several elements, the correlation of the first two skills, the log
likelihood of the table, the expected scores of new families, and new scores of two held-out
models, which PyMC drew and `ls.predict` forecasts.

**Free skills.** Skills of capabilities are free to rotate, so only quantities that are invariant to
rotation are ranked: the length of each benchmark's loading vector, its slope in each covariate, and
the linear predictors of 27 model-benchmark pairs. Convergence is also judged by linear predictors.

**Extreme tables.** Weak priors make some scores 0 or 1 to machine precision (cai2025: 2% of cells;
latentscale: 0.2%), where a Beta density is no longer finite and the package clamps the score to the
open interval. Clamped scores do not follow the density, so ranks would not be uniform. Instead a
table is redrawn unless every fitted score is within [0.0005, 0.9995]. The rule depends only on the
data, so the posterior given an accepted table is unchanged and ranks stay exactly uniform; SBC then
holds for such tables only. `tables simulated` is the median number of tables drawn until one was
accepted.

**Chains that disagree.** If R-hat of the first two chains is above 1.1, four longer chains are
run, and those whose mean log density is more than 20 below the best are dropped, because they are
in a mode of negligible mass. This rule is part of what is tested; `chains disagreed` counts its
use. No fit is left out, converged or not.

**Own code, not simuk.** simuk 0.3 takes a PyMC model and calls `pm.sample` on every table, which
compiles the model each time (40 s on an idle core, against about 10 s of sampling), ranks free
variables one by one, cannot rank a log likelihood or a forecast, and accepts every table. `run.py`
fits with `ls.NUTS`, which compiles once.

**Tests.** Kolmogorov-Smirnov and chi-square (8 bins) tests of every quantity, corrected together
by Holm's method; uniformity is rejected if a corrected p-value is below {level}. ECDF bands are 95%
simultaneous for one quantity, so about 5% of quantities leave their band by chance.
"""


def write_report(folder: Path, kept: int, seed: int) -> None:
    """Write SBC.md and one figure per result file."""
    out = HERE if folder.name == "results" else folder
    (out / "figures").mkdir(exist_ok=True)
    lines = [INTRO.format(kept=kept, level=LEVEL), provenance(seed), "", "## Result", ""]
    sections = []
    rows = []
    for path in sorted(folder.glob("sbc_*.csv")):
        case, fault, digest = re.fullmatch(r"sbc_(.+)_(\w+)_(\w+)\.csv", path.name).groups()
        table = pd.read_csv(path)
        ranks = table.drop(columns=list(META))
        test_of_ranks = uniformity(ranks, kept, seed)
        about = {"case": case, "spec": digest, "form of spec": form_of_spec(case, digest)}
        rows.append(about | _row(fault, table, test_of_ranks))
        figure = out / "figures" / f"{path.stem}.png"
        draw(
            ranks,
            test_of_ranks,
            kept,
            seed,
            f"{case}, fault: {fault}, {len(ranks)} simulations",
            figure,
        )
        name = f"figures/{figure.name}"
        sections += _section(case, fault, digest, test_of_ranks, name)
    lines += [markdown(pd.DataFrame(rows)) if rows else "No results yet.", ""]
    (out / "SBC.md").write_text("\n".join([*lines, *sections]), encoding="utf-8")


def form_of_spec(case: str, digest: str) -> str:
    """Return whether a case's spec is today's, from the beginning of its digest."""
    today = cases().get(case)
    return "today's" if today and today.spec.digest.startswith(digest) else "earlier"


def _row(fault: str, table: pd.DataFrame, ranks: pd.DataFrame) -> dict[str, object]:
    caught = int((ranks["p_holm"] < LEVEL).sum())
    return {
        "fault": FAULTS[fault],
        "simulations": len(table),
        "tables simulated": f"{table['tried'].median():.0f}",
        "quantities": len(ranks),
        "rejected": caught,
        "smallest corrected p": f"{ranks['p_holm'].min():.2g}",
        "outside 95% band": f"{100 * (~ranks['in_band']).mean():.0f}%",
        "90% intervals cover": f"{100 * ranks['cover_90'].mean():.0f}%",
        "50% intervals cover": f"{100 * ranks['cover_50'].mean():.0f}%",
        "chains disagreed": f"{100 * (table['first_rhat'] >= 1.1).mean():.0f}%",
        "R-hat > 1.1 at the end": f"{100 * (table['max_rhat'] >= 1.1).mean():.0f}%",
        "with divergences": f"{100 * (table['divergences'] > 0).mean():.0f}%",
        "median s per fit": f"{table['seconds'].median():.0f}",
    }


def _section(case: str, fault: str, digest: str, ranks: pd.DataFrame, figure: str) -> list[str]:
    shown = ranks.sort_values("p_holm", kind="stable").head(8)
    numbers = shown.round({"mean_rank": 2, "cover_50": 2, "cover_90": 2})
    for name in ("p_ks", "p_chi2", "p_holm"):
        numbers[name] = [f"{value:.2g}" for value in shown[name]]
    held = ranks["quantity"].str.startswith("score of")
    fewer = ranks.loc[held, "simulations"].max() if held.any() else 0
    return [
        f"## {case}, fault: {fault} (spec {digest})",
        "",
        *([] if fewer == ranks["simulations"].max() else [_fewer(fewer), ""]),
        "The eight quantities that look least uniform:",
        "",
        markdown(numbers),
        "",
        f"![Rank ECDFs of {case}, fault {fault}]({figure})",
        "",
    ]


def _fewer(simulations: int) -> str:
    if not simulations:
        return "New scores of held-out models were not ranked in this run."
    return f"New scores of held-out models were ranked in the last {simulations} of them."


def draw(
    ranks: pd.DataFrame, of_quantity: pd.DataFrame, kept: int, seed: int, headline: str, path: Path
) -> None:
    """Plot ECDF minus uniform with its band for single quantities, means and forecasts."""
    import numpy as np

    from latentscale.plots.style import BLUE, GREY, VERMILLION, panels, title

    names = [name for name in ranks if "[" not in name or name.startswith("skill")]
    names = [name for name in names if not name.startswith("score of") or name.endswith("arc")]
    rng = np.random.default_rng(seed)
    figure, axes = panels(len(names), columns=5, width=1.9, height=1.4)
    verdict = of_quantity.set_index("quantity")["p_holm"]
    for axis, name in zip(axes, names, strict=True):
        one = band(scaled(ranks[name].dropna().to_numpy(int), kept, rng))
        rejected = verdict[name] < LEVEL
        axis.fill_between(
            one.at, one.lower - one.at, one.upper - one.at, color=GREY, alpha=0.35, linewidth=0
        )
        colour = VERMILLION if rejected else BLUE
        axis.step(one.at, one.ecdf - one.at, where="post", color=colour, linewidth=1.3)
        axis.axhline(0, color=GREY, linewidth=0.6)
        label = name.removesuffix(", mean").replace("_", " ") + ("  ✕" if rejected else "")
        axis.set_title(label, loc="left", fontsize=7.5, parse_math=False)
        axis.set_xticks([0, 0.5, 1])
    for axis in axes[::5]:
        axis.set_ylabel("ECDF - uniform")
    for axis in axes[-5:]:
        axis.set_xlabel("scaled rank")
    caption = (
        "Grey: 95% simultaneous band. Orange with ✕: uniformity rejected (Holm over all).\n"
        "Of parameters with several elements, the mean is shown."
    )
    title(figure, headline, caption)
    figure.savefig(path, dpi=90)
