"""NUTS by NumPyro on a simulated table of thousands of models, on the device that JAX finds.

python -m benchmarks.growth.gpu --models 20000
"""

from __future__ import annotations

import argparse
import time

import latentscale as ls
from benchmarks.growth.run import SPEC, made_up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=20_000)
    parser.add_argument("--benchmarks", type=int, default=12)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--tune", type=int, default=200)
    parser.add_argument("--chains", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        import jax
    except ImportError as error:
        raise SystemExit('This needs JAX: pip install "latentscale[jax]".') from error
    print(f"device: {', '.join(str(device) for device in jax.devices())}", flush=True)
    frame = made_up(options.models, options.benchmarks, options.seed)
    names = [name for name in frame if name.startswith("b")]
    anchors = {"skills.identify.anchors": names[:2]}
    spec = ls.load_spec(SPEC).with_({"name": "on a device", **anchors})
    method = ls.NUTS(
        backend="numpyro", draws=options.draws, tune=options.tune, chains=options.chains
    )
    began = time.perf_counter()
    fit = ls.fit(spec, ls.Scores.from_frame(frame), method=method, seed=options.seed)
    print(f"{time.perf_counter() - began:.0f} s, compilation included")
    print(ls.diagnose(fit))


if __name__ == "__main__":
    main()
