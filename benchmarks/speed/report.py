"""SPEED.md from the results of run.py."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.markdown import markdown
from benchmarks.speed.settings import Settings, command

OURS = "latentscale"
GOALS = {"ess": 1.5, "kernel": 2.0, "cold": 60.0, "warm": 10.0}
_TITLES = {
    "latentscale": "latentscale",
    "pymc": "PyMC, its default sampler on our model",
    "pymc-own": "PyMC, its own sampler on our model",
    "numpyro": "NumPyro, by hand",
    "stan": "Stan, by hand",
    "kernel": "numba kernel, by hand",
}
_IN_PROCESSES = ("stan", "pymc-own")  # chains in separate processes
_NOTES = """Every contender ran in its own process, one after the other, on one machine.

- **First draw**: from the start of the process to one warm-up draw and one draw of one chain,
  with imports, the table and compilation. Cold: with every cache empty. Warm: with the caches
  that the cold run left.
- **Gradient**: log density with gradient, one thread, median processor time. For Stan, whose
  interface does not expose the gradient alone: one chain's wall time divided by its leapfrog
  steps. For the package: in the coordinates in which it samples. For the goal, kernel and
  package are timed in one process and in the same variables, the model's own.
- **NUTS**: wall time of warm-up and draws of all chains, without compilation and without the
  package's search for starting points (for cai2025; it is included in the first draw); least ESS,
  bulk or tail, and largest R-hat over the parameters that all codings have (top-level parameters
  and the families' skills). Each engine keeps its defaults: target acceptance 0.8, tree depth 10,
  diagonal metric.
- PyMC's default sampler is nutpie if installed, and it samples the package's own model: for the
  recommended spec both run the same algorithm on the same variables, and differ by the noise of the
  least ESS. For cai2025 the package samples in its own coordinates.
- **Memory**: largest resident memory of the sampling process, and of its largest worker if chains
  have separate processes.
- **Difference**: range of the difference in log density, ours minus theirs, over six random
  points, in nats. Zero up to rounding means the same posterior. For the package and PyMC, the
  density compared is the model's, compiled by PyMC. The hand-written codings omit entries that the
  package declares at anchors and that enter nothing else.
- `latentscale` here is the recommended spec without its terms (curvature of benchmarks in log
  size), which the hand-written codings do not have; its times are not those of the spec as
  shipped.
- Priors, likelihood and centring are the package's; the hand-written lineage and family levels use
  the plain non-centred coding, not the package's rotation. NumPyro runs in double precision, all
  chains at once. Its times include a few seconds in which JAX traces the model; Stan's include the
  transfer of draws through PyStan's server."""


_ENGINES = """## The package's engines

The fast engine compared with the stock one, with nutpie's own compiler on the package's model
and with an earlier commit, in one run: [ENGINES.md](ENGINES.md)."""


def write(folder: Path, out: Path) -> bool:
    """Write the tables of all results in a folder; what is missing shows as an en dash.

    False if there are none, and then nothing is written.
    """
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    if not rows:
        return False
    parts = ["# Speed", _provenance(rows, out), _NOTES]
    for spec in sorted({row["spec"] for row in rows}, key=lambda name: name != OURS):
        parts += _of_spec(spec, [row for row in rows if row["spec"] == spec])
    parts.append(_ENGINES)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return True


def _of_spec(spec: str, rows: list[dict[str, Any]]) -> list[str]:
    names = [name for name in _TITLES if any(row["contender"] == name for row in rows)]
    by_task = {(row["contender"], row["task"]): row for row in rows}
    measured = {name: _measured(name, by_task) for name in names}
    players = [name for name in names if name != "kernel"]
    title = f"## {spec}, {rows[0]['skills']} skills"
    if OURS not in measured:
        return [title, _figures(measured)]
    ratios = "Ratios to the package: above 1 if the package is better."
    return [
        title,
        _figures(measured),
        ratios,
        _ratios(measured, [name for name in names if name != OURS]),
        _goals(measured, players),
    ]


def _measured(name: str, by_task: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    def get(task: str, key: str) -> Any:
        return by_task.get((name, task), {}).get(key)

    run = by_task.get((name, "sample"), {})
    gradient = get("gradient", "seconds")
    return {
        "difference": get("gradient" if name == "kernel" else "agreement", "difference"),
        "gradient_difference": get("gradient", "gradient_difference"),
        "package_gradient": get("gradient", "package_seconds"),
        "cold": get("cold", "seconds"),
        "warm": get("warm", "seconds"),
        "gradient": gradient,
        "rate": 1 / gradient if gradient else None,
        "seconds": run.get("seconds"),
        "steps": run.get("steps_a_draw"),
        "ess": run.get("least_ess"),
        "ess_of": run.get("least_ess_of"),
        "ess_rate": run["least_ess"] / run["seconds"] if run else None,
        "rhat": run.get("max_rhat"),
        "divergences": run.get("divergences"),
        "memory": run.get("peak_megabytes"),
        "worker": run.get("worker_megabytes"),
    }


def _figures(measured: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, row in measured.items():
        apart = name in _IN_PROCESSES and row["worker"]
        worker = f" + {row['worker']:.0f}" if apart else ""
        rows.append(
            {
                "contender": _TITLES[name],
                "difference": _text(row["difference"], ".0e"),
                "first draw, cold s": _text(row["cold"], ".1f"),
                "warm s": _text(row["warm"], ".1f"),
                "gradient ms": _text(row["gradient"], ".3f", 1e3),
                "gradients per second": _text(row["rate"], ".0f"),
                "NUTS s": _text(row["seconds"], ".0f"),
                "steps per draw": _text(row["steps"], ".0f"),
                "least ESS": _text(row["ess"], ".0f"),
                "of": row["ess_of"] or "–",
                "ESS per second": _text(row["ess_rate"], ".3g"),
                "max R-hat": _text(row["rhat"], ".3f"),
                "divergences": _text(row["divergences"], "d"),
                "memory MB": _text(row["memory"], ".0f") + worker,
            }
        )
    return markdown(pd.DataFrame(rows))


def _ratios(measured: dict[str, dict[str, Any]], others: list[str]) -> str:
    ours, rows = measured[OURS], []
    for name in others:
        row = measured[name]
        rows.append(
            {
                "against": _TITLES[name],
                "first draw, cold": _ratio(row["cold"], ours["cold"]),
                "first draw, warm": _ratio(row["warm"], ours["warm"]),
                "gradient": _ratio(row["gradient"], ours["gradient"]),
                "steps per draw": _ratio(row["steps"], ours["steps"]),
                "ESS per second": _ratio(ours["ess_rate"], row["ess_rate"]),
                "memory": _ratio(row["memory"], ours["memory"]),
            }
        )
    return markdown(pd.DataFrame(rows))


def _goals(measured: dict[str, dict[str, Any]], players: list[str]) -> str:
    ours = measured[OURS]
    rates = [measured[name]["ess_rate"] for name in players if name != OURS]
    best = max((rate for rate in rates if rate), default=None)
    kernel = measured.get("kernel", {})
    lines = []
    if best and ours["ess_rate"]:
        ratio = ours["ess_rate"] / best
        lines.append(
            _goal("least ESS per second, over the best of the others", ratio, GOALS["ess"])
        )
    if kernel.get("gradient") and kernel["package_gradient"]:
        ratio = kernel["package_gradient"] / kernel["gradient"]
        lines.append(_goal("gradient over the kernel's", ratio, GOALS["kernel"], at_most=True))
    for name in ("cold", "warm"):
        if ours[name]:
            label = f"first draw, {name}, seconds"
            lines.append(_goal(label, ours[name], GOALS[name], at_most=True))
    if kernel.get("gradient_difference") is not None:
        lines.append(
            "- The kernel's gradient differs from the package's by at most "
            f"{kernel['gradient_difference']:.0e} of its largest entry."
        )
    return "\n".join(["Goals:", "", *lines])


def _goal(label: str, value: float, goal: float, *, at_most: bool = False) -> str:
    met = value <= goal if at_most else value >= goal
    bound = "at most" if at_most else "at least"
    return f"- {label}: {value:.3g}, goal {bound} {goal:g}: {'met' if met else 'missed'}."


def _provenance(rows: list[dict[str, Any]], out: Path) -> str:
    versions: dict[str, str] = {}
    for row in rows:
        versions |= row.get("versions", {})
    settings = Settings(**rows[0]["settings"])
    specs, contenders = ({row[name] for row in rows} for name in ("spec", "contender"))
    asked = command(settings, specs, contenders, out)
    warning = " **A quick run, to see that it works: its figures mean nothing.**"
    listed = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"Last written by `{asked}`; bundled leaderboard; {settings.chains} chains of "
        f"{settings.tune} warm-up draws and {settings.draws} draws; seed {settings.seed}; "
        f"Python {rows[0]['python']}, {listed}; "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores."
        + warning
        * settings.quick
    )


def _text(value: float | None, form: str, factor: float = 1) -> str:
    if value is None:
        return "–"
    return format(value if factor == 1 else value * factor, form)


def _ratio(above: float | None, below: float | None) -> str:
    return f"{above / below:.2g}" if above and below else "–"
