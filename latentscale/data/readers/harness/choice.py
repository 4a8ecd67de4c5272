"""Which of several scores of one model on one benchmark counts, and findings on the others.

Runs of a model that were not quantised take precedence over quantised ones, then the settings (chat
template, system instruction) under which most benchmarks were run, then the latest run. Under the
same settings a complete run takes precedence over one cut short by ``--limit``, then the latest.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import isnan

from latentscale.data.audit import Finding
from latentscale.data.readers.harness.candidates import Candidate, Pool
from latentscale.data.readers.harness.settings import is_quantised, settings_text
from latentscale.errors import listed
from latentscale.markup import counted

_Cell = tuple[str, str]


def chosen(pool: Pool) -> tuple[list[Candidate], list[Finding]]:
    """Return one candidate per model and benchmark, and findings on those not used."""
    by_model: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in pool.candidates:
        by_model[candidate.model].append(candidate)
    rows: list[Candidate] = []
    passed: list[tuple[Candidate, Candidate]] = []
    for candidates in by_model.values():
        kinds = _kinds(candidates)
        cells: dict[str, list[Candidate]] = defaultdict(list)
        for candidate in candidates:
            cells[candidate.benchmark].append(candidate)
        for options in cells.values():
            best = max(options, key=lambda c: (c.known, -kinds.index(c.settings), *c.order[1:]))
            rows.append(best)
            passed += [(best, other) for other in options if other is not best]
    scored = {(row.model, row.benchmark) for row in rows if row.known}
    findings = [
        *_not_a_number(rows, passed),
        *_superseded(passed),
        *_other_shots(passed),
        *_undated(passed),
        *_other_settings(passed),
        *_mixed_settings([row for row in rows if row.known]),
        *_mixed_versions([row for row in rows if row.known]),
        *_cut([row for row in rows if row.known]),
        *_partial({cell: said for cell, said in pool.partial.items() if cell not in scored}),
    ]
    return [row for row in rows if row.known], findings


def _kinds(candidates: Sequence[Candidate]) -> list[tuple[str, ...]]:
    """Return the settings under which a model was run, the preferred one first."""
    whole: Counter[tuple[str, ...]] = Counter()
    latest: dict[tuple[str, ...], float] = {}
    for settings, benchmark in {(c.settings, c.benchmark) for c in candidates}:
        options = [c for c in candidates if (c.settings, c.benchmark) == (settings, benchmark)]
        whole[settings] += any(c.known and not c.cut for c in options)
        latest[settings] = max([latest.get(settings, 0.0), *(c.date for c in options)])
    return sorted(latest, key=lambda s: (is_quantised(s), -whole[s], -latest[s], s))


def _cells_in_words(candidates: Sequence[Candidate]) -> str:
    return listed(list(dict.fromkeys(f"{c.model} on {c.benchmark}" for c in candidates)))


def _superseded(passed: Sequence[tuple[Candidate, Candidate]]) -> list[Finding]:
    alike = [(best, o) for best, o in passed if o.known and o.settings == best.settings]
    limited = [other for best, other in alike if other.cut and not best.cut]
    older = [o for best, o in alike if not (o.cut and not best.cut) and o.date < best.date]
    sentences = []
    if older:
        sentences.append(
            f"{len(older)} scores of earlier runs were left out in favour of later ones: "
            f"{_cells_in_words(older)}."
        )
    if limited:
        sentences.append(
            f"{len(limited)} scores of runs with --limit were left out in favour of whole runs: "
            f"{_cells_in_words(limited)}."
        )
    return [Finding("info", "superseded-run", "rows", " ".join(sentences))] if sentences else []


def _other_shots(passed: Sequence[tuple[Candidate, Candidate]]) -> list[Finding]:
    """Find scores not used because others have another number of examples."""
    others = [
        f"{best.model} on {best.benchmark}: {best.n_shot:g} examples, not {other.n_shot:g}"
        for best, other in passed
        if other.known
        and other.settings == best.settings
        and other.cut == best.cut
        and not isnan(best.n_shot + other.n_shot)
        and other.n_shot != best.n_shot
    ]
    if not others:
        return []
    message = (
        f"{len(others)} scores of runs with another number of examples in the prompt were passed "
        f"over for the latest run: {listed(others)}. To choose otherwise, leave the other files "
        "out of the folder."
    )
    return [Finding("warning", "other-shots", "rows", message)]


def _undated(passed: Sequence[tuple[Candidate, Candidate]]) -> list[Finding]:
    """Find scores not used although it is not known that they are older."""
    unclear = [
        (best, other)
        for best, other in passed
        if other.known
        and other.settings == best.settings
        and other.cut == best.cut
        and (other.date == best.date or not other.date)
        and other.score != best.score
    ]
    if not unclear:
        return []
    cells = listed(
        [
            f"{best.model} on {best.benchmark}: {best.score:.4g} of {best.files[-1]}, "
            f"not {other.score:.4g} of {other.files[-1]}"
            for best, other in unclear
        ]
    )
    message = (
        f"{len(unclear)} scores were passed over without a date that says which run is the later "
        f"one; dated runs were taken before undated ones, else the last path ({cells}). Take the "
        'files of old runs out of the folder, or write "date" (seconds since 1970) into the files.'
    )
    return [Finding("warning", "undated-run", "rows", message)]


def _not_a_number(
    rows: Sequence[Candidate], passed: Sequence[tuple[Candidate, Candidate]]
) -> list[Finding]:
    empty = [row for row in rows if not row.known]
    filled = [other for best, other in passed if not other.known and best.known]
    if not empty and not filled:
        return []
    sentences = [f"{len(empty)} scores are left out: {_cells_in_words(empty)}."] if empty else []
    if filled:
        sentences.append(f"{len(filled)} were taken from another run: {_cells_in_words(filled)}.")
    message = (
        f"metrics are NaN, infinite or no numbers. {' '.join(sentences)} Look into those runs, or "
        "repeat them."
    )
    return [Finding("warning", "metric-not-finite", "scores", message)]


def _other_settings(passed: Sequence[tuple[Candidate, Candidate]]) -> list[Finding]:
    others = [(best, o) for best, o in passed if o.known and o.settings != best.settings]
    if not others:
        return []
    kinds = Counter(
        f"{settings_text(o.settings)} for {settings_text(best.settings)}" for best, o in others
    )
    numbers = "; ".join(f"{count} with {kind}" for kind, count in kinds.items())
    message = (
        f"{len(others)} scores of runs under other settings were passed over ({numbers}): "
        f"{_cells_in_words([other for _, other in others])}. Runs that are not quantised count "
        "first, then the settings under which most of a model's benchmarks were run. To choose "
        "otherwise, leave the other files out of the folder."
    )
    return [Finding("warning", "other-settings", "rows", message)]


def _mixed_settings(rows: Sequence[Candidate]) -> list[Finding]:
    models: dict[tuple[str, ...], set[str]] = defaultdict(set)
    kinds_of: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for row in rows:
        models[row.settings].add(row.model)
        kinds_of[row.model].add(row.settings)
    if len(models) < 2:
        only = next((settings for settings in models if is_quantised(settings)), None)
        message = f"all runs are {settings_text(only)}." if only else ""
        return [Finding("info", "quantised-run", "rows", message)] if only else []
    counts = Counter(row.settings for row in rows)
    sizes = "; ".join(
        f"{settings_text(settings)}: {count} scores of {len(models[settings])} models"
        for settings, count in counts.most_common()
    )
    mixed = [model for model, kinds in kinds_of.items() if len(kinds) > 1]
    within = f" Both are in the scores of {listed(mixed)}." if mixed else ""
    message = (
        f"scores were measured under different settings ({sizes}), and such scores do not compare "
        f"unless each model is used so.{within} Run them alike, or drop some."
    )
    return [Finding("warning", "mixed-settings", "rows", message)]


def _mixed_versions(rows: Sequence[Candidate]) -> list[Finding]:
    """Find benchmarks whose scores are of several versions of a task."""
    models: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.version:
            models[row.benchmark][row.version].append(row.model)
    mixed = [
        f"{benchmark}: "
        + "; ".join(f"version {version} ({listed(names, 3)})" for version, names in said.items())
        for benchmark, said in models.items()
        if len(said) > 1
    ]
    if not mixed:
        return []
    message = (
        f"{counted(len(mixed), 'benchmark holds', 'benchmarks hold')} scores of several versions "
        f"of a task, which differ in prompts, items or metrics: {'. '.join(mixed)}. Such scores do "
        "not compare; run one version, or drop some."
    )
    return [Finding("warning", "mixed-versions", "benchmarks", message)]


def _cut(rows: Sequence[Candidate]) -> list[Finding]:
    cut = [row for row in rows if row.cut]
    if not cut:
        return []
    cells = []
    for row in cut:
        size = "" if isnan(row.done + row.there) else f" ({row.done:g} of {row.there:g} items)"
        cells.append(f"{row.model} on {row.benchmark}: cut short by --limit{size}")
    message = (
        f"{len(cut)} scores are noisier than the others, for their items are few: {listed(cells)}. "
        "Their own item counts are kept."
    )
    return [Finding("warning", "limited-run", "scores", message)]


def _partial(partial: dict[_Cell, str]) -> list[Finding]:
    if not partial:
        return []
    cells = "; ".join(f"{m} on {b}: {what}" for (m, b), what in list(partial.items())[:8])
    more = f" and {len(partial) - 8} more" if len(partial) > 8 else ""
    message = f"{len(partial)} scores were not made, since subtasks are missing: {cells}{more}."
    return [Finding("warning", "partial-benchmark", "scores", message)]
