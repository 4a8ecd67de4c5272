"""Simulation-based calibration: are posteriors calibrated on average over the prior?

Draw parameters from the prior and a table from them, fit the table, and rank the truth among the
posterior draws. If model and sampler are right, ranks are uniform (Talts et al. 2018; test
quantities after Modrák et al. 2023). Deliberate faults show that the check has power.

    python -m benchmarks.sbc.run --case latentscale --simulations 100
    python -m benchmarks.sbc.run --case latentscale --fault floor --simulations 50
    python -m benchmarks.sbc.run --quick          # every case, few simulations, files apart
    python -m benchmarks.sbc.run --report         # write SBC.md and the figures from what is there

    python -m benchmarks.sbc.run --case latentscale --workers 8
    python -m benchmarks.sbc.run --case latentscale --cluster tcp://10.0.0.1:8786

An interrupted run resumes.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import latentscale as ls
from benchmarks.sbc.cases import SEED, cases
from benchmarks.sbc.refits import run
from benchmarks.sbc.report import write_report
from benchmarks.sbc.simulation import FAULTS, KEPT

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=list(cases()), action="append")
    parser.add_argument("--fault", choices=FAULTS, default="none")
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--quick", action="store_true", help="3 simulations a case, apart")
    parser.add_argument("--report", action="store_true", help="only write SBC.md from the files")
    parser.add_argument("--workers", type=int, default=1, help="simulations that run at once")
    parser.add_argument("--cluster", help="address of a dask.distributed scheduler to run them on")
    given = parser.parse_args()
    folder = HERE / "runs" / "quick" if given.quick else HERE / "results"
    warnings.simplefilter("ignore", ls.DataWarning)
    if not given.report:
        method = ls.NUTS(draws=given.draws, tune=given.draws, chains=2, cores=1)
        for case in given.case or list(cases()):
            count = 3 if given.quick else given.simulations
            run(
                case,
                given.fault,
                count,
                method,
                folder,
                workers=given.workers,
                cluster=given.cluster,
            )
    write_report(folder, KEPT, SEED)


if __name__ == "__main__":
    main()
