"""R-hat, ESS and energy: small cases whose answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from latentscale.posterior.convergence import EBFMI_LIMIT, PREDICTOR, Convergence, convergence
from latentscale.posterior.status import Status, problems, status_of_chains


def normal(chains: int = 4, draws: int = 1000, offset: float = 0.0) -> xr.Dataset:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((chains, draws, 3))
    values[0, :, 1] += offset
    return xr.Dataset(
        {"x": (("chain", "draw", "benchmark"), values), "y": (("chain", "draw"), values[..., 2])},
        coords={"benchmark": ["p", "q", "r"]},
    )


def statistics(draws: xr.Dataset, diverging: int = 0) -> xr.Dataset:
    shape = (draws.sizes["chain"], draws.sizes["draw"])
    rng = np.random.default_rng(1)
    flags = np.zeros(shape, dtype=bool)
    flags[0, :diverging] = True
    return xr.Dataset(
        {
            "diverging": (("chain", "draw"), flags),
            "energy": (("chain", "draw"), rng.standard_normal(shape)),
        }
    )


def test_independent_draws_pass() -> None:
    draws = normal()
    verdict = convergence(draws, statistics(draws))
    assert verdict.max_rhat < 1.01 and 2000 < verdict.min_ess < 6000
    assert verdict.ebfmi == pytest.approx(2, abs=0.2)
    assert problems(verdict) == ()
    status = status_of_chains(verdict, interrupted=False)
    assert status.converged and status.advice == () and "converged" in status.message
    assert list(verdict.table["where"]) == ["p", "q", "r", ""]


@pytest.mark.parametrize(("count", "text"), [(1, "1 divergence)"), (2, "2 divergences)")])
def test_a_status_counts_divergences_in_grammar(count: int, text: str) -> None:
    draws = normal()
    stats = statistics(draws)
    stats["diverging"][{"chain": 0, "draw": slice(count)}] = True
    status = status_of_chains(convergence(draws, stats), interrupted=False)
    assert text in status.message
    assert status.advice[0].startswith(f"{count} divergent transition{'s' * (count > 1)}: part")


def test_a_chain_that_stands_apart_is_found_and_named() -> None:
    draws = normal(offset=2.0)
    verdict = convergence(draws, statistics(draws))
    worst = verdict.table.loc[verdict.table["rhat"].idxmax()]
    assert worst["where"] == "q" and worst["rhat"] > 1.1
    status = status_of_chains(verdict, interrupted=False)
    assert status.converged is False and f"({worst['variable']}, q)" in status.advice[0]


def test_the_advice_says_how_far_linear_predictors_agree() -> None:
    apart = normal(offset=2.0)
    eta = normal().drop_vars(list(apart.data_vars)[1:])
    name = next(iter(eta.data_vars))
    verdict = convergence(apart.assign({PREDICTOR: eta[name]}), None)
    agreed = verdict.table.loc[verdict.table["variable"] == PREDICTOR, "rhat"].max()
    assert agreed < 1.01 and f"of linear predictors at most {agreed:.3f}" in verdict.slowest


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("all_draws", [True, False])
def test_draws_that_are_not_finite_are_not_converged(odd: float, all_draws: bool) -> None:
    """Neither R-hat nor ESS can be computed for them, and the other parameters have converged."""
    draws = normal()
    places = {"benchmark": 0} if all_draws else {"benchmark": 0, "chain": 1, "draw": 3}
    draws["x"][places] = odd
    status = status_of_chains(convergence(draws, statistics(draws)), interrupted=False)
    assert status.converged is False
    assert any('Draws of "x" are NaN or infinite' in line for line in status.advice)


def test_draws_that_are_all_the_same_are_said_to_be() -> None:
    """The advice is not to run more chains: there are four."""
    advice = problems(convergence(xr.ones_like(normal()), None))
    assert advice[0].startswith("All draws are the same")
    assert not any("at least 2 chains" in line for line in advice)


def test_a_chain_that_hardly_moved_is_named() -> None:
    draws = normal()
    assert convergence(draws, None).frozen == ()
    stuck = draws.where(draws["chain"] != 2, 0.3 + 0.02 * draws)
    verdict = convergence(stuck.assign_coords(chain=[0, 1, 5, 6]), None)
    assert verdict.frozen == (5,)
    assert any("Chain 5 hardly moved" in line for line in problems(verdict))
    slower = draws.where(draws["chain"] != 2, 0.4 * draws)
    assert convergence(slower, None).frozen == ()


def test_too_few_draws_are_found() -> None:
    draws = normal(draws=40)
    verdict = convergence(draws, statistics(draws))
    assert any("effective sample size" in line for line in problems(verdict))


def test_divergences_and_low_energy_are_found() -> None:
    draws = normal()
    verdict = convergence(draws, statistics(draws, diverging=3))
    assert verdict.divergences == 3
    assert any("3 divergent" in line for line in problems(verdict))
    slow = statistics(draws)
    walk = np.random.default_rng(2).standard_normal((4, 1000)).cumsum(axis=1)
    slow["energy"] = (("chain", "draw"), walk)
    verdict = convergence(draws, slow)
    assert verdict.ebfmi < 0.05 and any("E-BFMI" in line for line in problems(verdict))


def test_a_chain_that_was_stuck_is_named_though_nothing_diverged() -> None:
    draws = normal().assign_coords(chain=[0, 1, 2, 5])
    usual = np.random.default_rng(3).beta(4, 1, size=(4, 1000))  # 0.8 on average
    found = statistics(draws).assign(acceptance_rate=(("chain", "draw"), usual))
    assert convergence(draws, found).stuck == ()
    # Nine in a row, a draw that moved, and nine more; then twelve at the end.
    usual[1, 100:109] = usual[1, 110:119] = 0.01
    assert convergence(draws, found).stuck == ()
    usual[3, 988:] = 0.01
    verdict = convergence(draws, found)
    assert verdict.stuck == ((5, 12),)
    assert "chain 5 was stuck for 12 draws" in repr(verdict)
    (advice,) = problems(verdict)
    assert advice.startswith("Chain 5 was stuck") and "12 transitions" in advice
    assert "target_accept" in advice
    assert status_of_chains(verdict, interrupted=False).converged is False
    usual[3] = 0.01  # from the first to the last
    assert convergence(draws, found).stuck == ((5, 1000),)


def test_an_energy_just_below_the_limit_is_not_printed_as_the_limit() -> None:
    table = pd.DataFrame({"rhat": [1.0], "ess_bulk": 900.0, "ess_tail": 900.0})
    verdict = Convergence(table, 0, EBFMI_LIMIT - 0.002)
    assert "E-BFMI is 0.298, below 0.3:" in " ".join(problems(verdict))
    assert "least E-BFMI 0.298" in repr(verdict)


def test_constants_are_left_out() -> None:
    draws = normal().assign(fixed=(("chain", "draw"), np.ones((4, 1000))))
    draws["half"] = draws["x"].where(draws["benchmark"] != "q", 1.0)
    verdict = convergence(draws, None)
    assert "fixed" not in set(verdict.table["variable"])
    assert list(verdict.table.query("variable == 'half'")["where"]) == ["p", "r"]
    assert verdict.max_rhat < 1.01


def test_an_interrupted_run_says_so_and_a_status_reads_back() -> None:
    draws = normal()
    status = status_of_chains(convergence(draws, statistics(draws)), interrupted=True)
    assert status.interrupted and "interrupted" in status.message and status.advice
    assert Status.from_dict(status.to_dict()) == status


def test_the_least_effective_size_is_of_bulk_or_tail() -> None:
    def least(bulk: list[float], tail: list[float]) -> float:
        table = pd.DataFrame({"rhat": 1.0, "ess_bulk": bulk, "ess_tail": tail})
        return Convergence(table, 0, 1.0).min_ess

    assert least([900.0, 800.0], [700.0, 300.0]) == 300.0
    assert least([200.0, 800.0], [700.0, 300.0]) == 200.0
