"""Time a step of nutpie's chains through Python and as C functions; prints a table.

Run from the project's root:  python -m benchmarks.speed.native_calls [--seed 1]

The recommended spec on the bundled table, 100 warm-up and 60 kept draws, one chain and two chains
in parallel, alternating between the two ways. Both ways must give the same draws.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import nutpie
import pandas as pd
from nutpie.compiled_pyfunc import from_pyfunc

import latentscale as ls
from benchmarks.common.markdown import markdown
from latentscale.engine.density import Density
from latentscale.engine.fast import compile_density
from latentscale.inference.tools.posterior_density import kept_names

REPEATS = 3


def through_python(density: Density) -> Any:
    """Return the density as nutpie's model that calls Python for each step."""
    shapes = density.shapes
    return from_pyfunc(
        density.size,
        lambda: density.log_density,
        lambda seed1, seed2, chain: density.expand,
        [np.dtype("float64")] * len(shapes),
        list(shapes.values()),
        list(shapes),
        coords=density.coords,
        dims=density.dims,
        make_initial_point_fn=density.for_nutpie().begin,
    )


def milliseconds_a_step(compiled: Any, chains: int, seed: int) -> tuple[float, np.ndarray]:
    """Sample; return wall time over the steps of the longest chain, and the intercepts."""
    begun = time.perf_counter()
    trace = nutpie.sample(
        compiled,
        draws=60,
        tune=100,
        chains=chains,
        cores=2,
        seed=seed,
        progress_bar=False,
        save_warmup=True,
    )
    seconds = time.perf_counter() - begun
    parts = (trace[name]["n_steps"].sum("draw") for name in ("sample_stats", "warmup_sample_stats"))
    steps = sum(stage.values for stage in parts)
    return 1e3 * seconds / float(np.max(steps)), trace["posterior"]["intercept"].values


def main() -> None:
    """Time both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    model = ls.build(ls.load_spec("latentscale"), ls.datasets.open_llm_leaderboard())
    density = compile_density(model, kept_names(model))
    ways = {
        "through Python": through_python(density),
        "as a C function": density.for_nutpie().compiled(),
    }
    rows = []
    for chains in (1, 2):
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPEATS):
            drawn = []
            for way, compiled in ways.items():
                taken, intercepts = milliseconds_a_step(compiled, chains, seed)
                times[way].append(taken)
                drawn.append(intercepts)
            if not np.array_equal(*drawn):
                raise SystemExit("The two ways gave different draws.")
        shown = {way: ", ".join(f"{x:.3f}" for x in seconds) for way, seconds in times.items()}
        rows.append({"parallel chains": chains, **shown})
    print(markdown(pd.DataFrame(rows)))


if __name__ == "__main__":
    main()
