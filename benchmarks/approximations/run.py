"""Our Pathfinder and Laplace beside those of pymc-extras: time, and distance to NUTS.

    python -m benchmarks.approximations.run [--seed 1] [--cases pooled_flops "two skills"]

writes benchmarks/approximations/APPROXIMATIONS.md. Needs pymc-extras (the extra `peers`).

Distances are over all scalars that NUTS says vary but the families' and models' own effects,
standardised by NUTS' means and standard deviations: root mean square of the differences of means,
median ratio of standard deviations, and the sliced Wasserstein distance, the mean over random
directions of the area between two distribution functions.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wasserstein_distance

from benchmarks.approximations.contenders import CASES, DRAWS, OURS, THEIRS
from benchmarks.common.markdown import markdown
from benchmarks.common.provenance import provenance

OUT = Path(__file__).with_name("APPROXIMATIONS.md")
NOTES = Path(__file__).with_name("notes.md")
DIRECTIONS = 200  # of the sliced distance: its Monte Carlo error is then 1 or 2 in the last digit
LIMIT = 900.0  # seconds for one approximation; the slowest of ours takes a tenth
SHARED = (
    "intercept",
    "slope",
    "loading",
    "benchmark_slope",
    "anchor_loading",
    "family_scale",
    "residual_scale",
    "lineage_share",
    "precision",
    "ceiling",
    "link_power",
)

Draws = dict[str, np.ndarray]


def run(case: str, contender: str, seed: int, folder: Path) -> tuple[Draws | None, np.ndarray, str]:
    """Return draws, wall-clock and processor seconds, and why there are none."""
    out = folder / "draws.npz"
    out.unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.approximations.contenders"]
    try:
        done = subprocess.run(
            [*command, case, contender, str(seed), str(out)],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired:
        return None, np.full(2, np.nan), f"stopped after {LIMIT:.0f} s"
    if done.returncode:
        return None, np.full(2, np.nan), done.stderr.strip().splitlines()[-1]
    with np.load(out) as held:
        draws = {name: held[name] for name in held.files if name != "seconds"}
        return draws, held["seconds"], ""


def scalars(draws: Draws) -> np.ndarray:
    """Return the shared parameters' scalars, shape (draw, scalar)."""
    flat = [draws[name].reshape(len(draws[name]), -1) for name in SHARED if name in draws]
    return np.concatenate(flat, axis=1)


def distances(draws: Draws, reference: Draws, seed: int) -> dict[str, str]:
    """Return the three distances as text."""
    ours, theirs = scalars(draws), scalars(reference)
    spread = theirs.std(axis=0)
    varies = spread > 1e-9  # an anchor's other loadings are 0 in every draw
    mean = theirs.mean(axis=0)[varies]
    a, b = ((x[:, varies] - mean) / spread[varies] for x in (ours, theirs))
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((DIRECTIONS, a.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    sliced = np.mean([wasserstein_distance(a @ d, b @ d) for d in directions])
    return {
        "mean off by": f"{np.sqrt(np.mean(a.mean(axis=0) ** 2)):.2f}",
        "sd ratio": f"{np.median(a.std(axis=0)):.2f}",
        "sliced Wasserstein": f"{sliced:.3f}",
    }


def study(cases: list[str], seed: int) -> str:
    """Return the tables of all cases."""
    sections = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for case in cases:
            reference, seconds, why = run(case, OURS[0], seed, folder)
            assert reference is not None, why
            again, _, _ = run(case, OURS[0], seed + 1, folder)
            assert again is not None
            rows = [{"method": "NUTS, another seed", "wall s": f"{seconds[0]:.0f}"}]
            rows[0] |= {"processor s": f"{seconds[1]:.0f}"} | distances(again, reference, seed)
            for contender in (OURS[1], THEIRS[0], OURS[2], THEIRS[1]):
                draws, seconds, why = run(case, contender, seed, folder)
                row = {"method": contender}
                if draws is None:
                    row |= dict.fromkeys(list(rows[0])[1:], "-") | {"wall s": why}
                else:
                    row |= {"wall s": f"{seconds[0]:.0f}", "processor s": f"{seconds[1]:.0f}"}
                    row |= distances(draws, reference, seed)
                rows.append(row)
                print(case, row, flush=True)
            size = scalars(reference).shape[1]
            sections.append(f"## {case}: {size} shared scalars\n\n{markdown(pd.DataFrame(rows))}\n")
    return "\n".join(sections)


def main() -> None:
    """Run the study and write its report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=CASES)
    asked = parser.parse_args()
    tables = study(asked.cases, asked.seed)
    made = f"{provenance(asked.seed)} pymc-extras {version('pymc-extras')}; {DRAWS} draws each."
    text = f"# Pathfinder and Laplace, ours and those of pymc-extras\n\n{made}\n\n{tables}"
    OUT.write_text(f"{text}\n{NOTES.read_text(encoding='utf-8')}", encoding="utf-8")


if __name__ == "__main__":
    main()
