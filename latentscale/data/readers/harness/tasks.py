"""Where to find a benchmark's score in the output of lm-evaluation-harness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from latentscale.errors import DataError


@dataclass(frozen=True)
class HarnessTask:
    """Which figure of the harness is a benchmark's score.

    Parameters
    ----------
    tasks
        Names of the task, the preferred one first.
    metrics
        Names of the metric, the preferred one first, as ``"acc_norm"`` or, with the filter that
        the harness writes after a comma, ``"exact_match,strict-match"``. Without a filter, the
        unfiltered figure is meant.
    average
        Whether the score is the mean of all `metrics` instead of the first one present.
    parts
        Subtasks whose mean is the score if no task of `tasks` has a figure; tried in order. All of
        one tuple must be present. Items have equal weight if the file counts them (as in the
        harness), else subtasks have (as in the Open LLM Leaderboard v1).

    Raises
    ------
    DataError
        If there is no task or no metric.

    Examples
    --------
    >>> ls.readers.HarnessTask(("gsm8k",), ("exact_match,flexible-extract",)).tasks
    ('gsm8k',)
    """

    tasks: tuple[str, ...]
    metrics: tuple[str, ...]
    average: bool = False
    parts: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ("tasks", "metrics"):
            value = getattr(self, name)
            named = isinstance(value, tuple | list) and all(isinstance(v, str) for v in value)
            if not named or not value:
                raise DataError(
                    f'HarnessTask.{name} must be a tuple of names, such as ("acc_norm",); '
                    f"got {value!r}."
                )


_MMLU: Final = """abstract_algebra anatomy astronomy business_ethics clinical_knowledge
college_biology college_chemistry college_computer_science college_mathematics college_medicine
college_physics computer_security conceptual_physics econometrics electrical_engineering
elementary_mathematics formal_logic global_facts high_school_biology high_school_chemistry
high_school_computer_science high_school_european_history high_school_geography
high_school_government_and_politics high_school_macroeconomics high_school_mathematics
high_school_microeconomics high_school_physics high_school_psychology high_school_statistics
high_school_us_history high_school_world_history human_aging human_sexuality international_law
jurisprudence logical_fallacies machine_learning management marketing medical_genetics
miscellaneous moral_disputes moral_scenarios nutrition philosophy prehistory
professional_accounting professional_law professional_medicine professional_psychology
public_relations security_studies sociology us_foreign_policy virology world_religions"""
_BBH: Final = """boolean_expressions causal_judgement date_understanding disambiguation_qa
formal_fallacies geometric_shapes hyperbaton logical_deduction_five_objects
logical_deduction_seven_objects logical_deduction_three_objects movie_recommendation navigate
object_counting penguins_in_a_table reasoning_about_colored_objects ruin_names
salient_translation_error_detection snarks sports_understanding temporal_sequences
tracking_shuffled_objects_five_objects tracking_shuffled_objects_seven_objects
tracking_shuffled_objects_three_objects web_of_lies"""
_MATH: Final = """algebra counting_and_prob geometry intermediate_algebra num_theory prealgebra
precalculus"""
_MUSR: Final = "murder_mysteries object_placements team_allocation"
_GPQA: Final = "diamond extended main"


def _parts(before: str, names: str, after: str = "") -> tuple[str, ...]:
    return tuple(f"{before}{name}{after}" for name in names.split())


HARNESS_TASKS: Final[Mapping[str, HarnessTask]] = {
    "arc": HarnessTask(("arc_challenge", "arc:challenge"), ("acc_norm",)),
    "hellaswag": HarnessTask(("hellaswag",), ("acc_norm",)),
    "mmlu": HarnessTask(
        ("mmlu",), ("acc",), parts=(_parts("mmlu_", _MMLU), _parts("hendrycksTest-", _MMLU))
    ),
    "truthfulqa": HarnessTask(("truthfulqa_mc2", "truthfulqa_mc", "truthfulqa:mc"), ("mc2", "acc")),
    "winogrande": HarnessTask(("winogrande",), ("acc",)),
    "gsm8k": HarnessTask(
        ("gsm8k",), ("exact_match,strict-match", "exact_match,get-answer", "exact_match", "acc")
    ),
    "ifeval": HarnessTask(
        ("leaderboard_ifeval", "ifeval"),
        ("prompt_level_strict_acc", "inst_level_strict_acc"),
        average=True,
    ),
    "bbh": HarnessTask(
        ("leaderboard_bbh",), ("acc_norm",), parts=(_parts("leaderboard_bbh_", _BBH),)
    ),
    "math_lvl5": HarnessTask(
        ("leaderboard_math_hard",),
        ("exact_match",),
        parts=(_parts("leaderboard_math_", _MATH, "_hard"),),
    ),
    "gpqa": HarnessTask(
        ("leaderboard_gpqa",),
        ("acc_norm",),
        parts=(_parts("leaderboard_gpqa_", _GPQA),),
    ),
    "musr": HarnessTask(
        ("leaderboard_musr",), ("acc_norm",), parts=(_parts("leaderboard_musr_", _MUSR),)
    ),
    "mmlu_pro": HarnessTask(("leaderboard_mmlu_pro",), ("acc",)),
}
"""The figures that the Open LLM Leaderboard (v1 and v2) used for the known benchmarks.

ARC and HellaSwag are scored by length-normalised accuracy, TruthfulQA by MC2, GSM8K by the strict
match, IFEval by the mean of the prompt and instruction levels (both strict). Tasks with similar
names but other protocols (``bbh_cot_fewshot``, ``mmlu_pro``, ``gpqa_main_zeroshot``) are not used
for them.
"""
