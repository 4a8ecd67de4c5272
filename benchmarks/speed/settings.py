"""Options of run.py, where its results go, and the command that reproduces them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
RUNS = HERE / "runs"
SPECS = ("latentscale", "cai2025")
CONTENDERS = {
    "latentscale": ("pymc_contenders", "Latentscale", "latentscale"),
    "pymc": ("pymc_contenders", "PyMC", "pymc"),
    "pymc-own": ("pymc_contenders", "PyMCOwn", "pymc"),
    "numpyro": ("numpyro_contender", "NumPyro", "numpyro"),
    "stan": ("stan_contender", "Stan", "stan"),
}
"""Module, class and library of each contender."""
DEFAULT = ("latentscale", "pymc", "numpyro", "stan")
KERNEL = "kernel"


@dataclass(frozen=True)
class Settings:
    """The length of a run, its seed, and the number of skills of cai2025.

    Attributes
    ----------
    quick
        Whether the run only shows that it works.
    draws, tune, chains
        Kept draws and warm-up draws of each chain, and chains.
    gradients
        Evaluations to time.
    seed
        Seed of all random numbers.
    skills
        Skills of cai2025 instead of its own count; None keeps that.
    """

    quick: bool
    draws: int
    tune: int
    chains: int
    gradients: int
    seed: int
    skills: int | None


FULL = Settings(quick=False, draws=1000, tune=1000, chains=4, gradients=2000, seed=1, skills=None)
QUICK = replace(FULL, quick=True, draws=10, tune=10, chains=2, gradients=100)


@dataclass(frozen=True)
class Task:
    """What one process does: `task` is cold, warm, agreement, gradient or sample."""

    spec: str
    contender: str
    task: str
    settings: Settings


def preset(quick: bool) -> Settings:
    """Return the default settings."""
    return QUICK if quick else FULL


def folder_of(settings: Settings) -> Path:
    """Return the folder for results of these settings only."""
    parts = [f"{settings.chains}x{settings.tune}+{settings.draws}", f"seed{settings.seed}"]
    parts = ["quick"] * settings.quick + parts
    parts += [f"skills{settings.skills}"] * (settings.skills is not None)
    return RUNS / "-".join(parts)


def table_of(settings: Settings) -> Path:
    """Return where the table goes: SPEED.md for the full length, otherwise next to the results."""
    full = settings == replace(FULL, seed=settings.seed)
    return (HERE if full else folder_of(settings)) / "SPEED.md"


def command(
    settings: Settings, specs: Collection[str], contenders: Collection[str], out: Path
) -> str:
    """Return the command, to be given in the project's root, whose table has these results."""
    words = ["python", "-m", "benchmarks.speed.run", *["--quick"] * settings.quick]
    usual = preset(settings.quick)
    for name in ("draws", "tune", "chains", "skills"):
        value = getattr(settings, name)
        if value != getattr(usual, name):
            words += [f"--{name}", str(value)]
    words += ["--seed", str(settings.seed)]
    for name, chosen, all_of_them, default in (
        ("specs", specs, SPECS, SPECS),
        ("contenders", contenders, CONTENDERS, DEFAULT),
    ):
        if set(chosen) - {KERNEL} != set(default):
            words += [f"--{name}", *[each for each in all_of_them if each in chosen]]
    if out.resolve() != table_of(settings).resolve():
        root = HERE.resolve().parents[1]
        inside = out.resolve().is_relative_to(root)
        words += ["--out", str(out.resolve().relative_to(root) if inside else out.name)]
    return " ".join(words)
