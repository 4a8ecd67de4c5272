"""The planner's page: controls on the left, the fit's answer on the right; no numbers of its own.

Every name is escaped: it may come from a stranger's table.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from html import escape
from io import StringIO
from typing import Any, Final

import lazy_loader
import numpy as np
import pandas as pd

from latentscale.analysis.tools.units import other_units
from latentscale.data.columns import is_missing
from latentscale.data.scales.base import scale_of
from latentscale.data.table_files import quoted
from latentscale.dims import BENCHMARK, DEFAULT_PROB
from latentscale.errors import LatentscaleError, listed
from latentscale.explore.answers import Answer, Planned, Planner
from latentscale.explore.controls import Control, controls_of, usual_values
from latentscale.explore.strips import strip_range, strips
from latentscale.markup import data_table
from latentscale.plots import plot_curve
from latentscale.plots.style import apart_from_pyplot
from latentscale.posterior.fit import Fit

pn: Any = lazy_loader.load("panel")  # an extra; this module must load without it

NEW_FAMILY: Final = "a new family"
_STEPS: Final = 240
"""Steps of a slider: one per pixel of its width."""
_DIGITS: Final = 3
"""Significant digits of a slider's values."""
_FIGURE: Final = 900
"""Pixels of a figure at most."""
_WIDTH: Final = 300
"""Pixels of the controls' column."""
_STYLE: Final = """
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 12px 3px 0; border-bottom: 1px solid #ddd; }
caption { text-align: left; color: #4a4a4a; padding-bottom: 4px; }
.problem { border-left: 4px solid #b00020; padding: 4px 10px; white-space: pre-wrap; }
"""


class Page:
    """The page of one fit.

    Parameters
    ----------
    fit
        A fit.
    prob
        Probability of the intervals.
    seed
        Seed of the random numbers.
    """

    def __init__(self, fit: Fit, *, prob: float = DEFAULT_PROB, seed: int = 0) -> None:
        self.fit, self.prob = fit, prob
        self.planner = Planner(fit, seed=seed)
        self.answer: Answer | None = None
        self._units = other_units(fit.scores)
        self._ranges = _ranges(fit)
        self._quiet = False
        families = list(fit.scores.families)
        self.family = pn.widgets.Select(label="family", options=[*families, NEW_FAMILY])
        self.new_family = pn.widgets.TextInput(label="name of the new family", value="new")
        self.lineage = pn.widgets.Select(
            label="its lineage", options=["its own", *sorted(set(fit.scores.family_lineage()))]
        )
        self.model = pn.widgets.TextInput(label="model", value="planned model")
        self.controls = {control.name: control for control in controls_of(fit)}
        self.features = {name: _widget(control) for name, control in self.controls.items()}
        self.scores = {name: self._number(name) for name in fit.scores.benchmarks}
        self.thresholds = {name: self._number(name) for name in fit.scores.benchmarks}
        self.problem = pn.pane.HTML("", stylesheets=[_STYLE])
        self.summary = pn.pane.HTML("", stylesheets=[_STYLE])
        self.table = pn.pane.HTML("", stylesheets=[_STYLE])
        self.following = pn.pane.HTML("", stylesheets=[_STYLE])
        self.curve = pn.Column()
        self._about_new = pn.Column(self.new_family, self.lineage, visible=False)
        self._watch()
        self._family_changed()

    def _number(self, name: str) -> Any:
        unit = self._units.get(name, "")
        return pn.widgets.FloatInput(
            label=f"{name} ({unit})" if unit else name, value=None, width=_WIDTH // 2 - 10
        )

    def _watch(self) -> None:
        self.family.param.watch(lambda _: self._family_changed(), "value")
        for widget in (self.new_family, self.lineage, self.model):
            widget.param.watch(lambda _: self.update(), "value")
        for widget in self.features.values():
            throttled = "value_throttled" if hasattr(widget, "value_throttled") else "value"
            widget.param.watch(lambda _: self.update(), throttled)
        for widget in (*self.scores.values(), *self.thresholds.values()):
            widget.param.watch(lambda _: self.update(), "value")

    def _family_changed(self) -> None:
        """Set the features to typical values of the family's models, then answer once."""
        new = self.family.value == NEW_FAMILY
        self._about_new.visible = new
        self._quiet = True
        for name, value in usual_values(self.fit, None if new else self.family.value).items():
            if name in self.features:
                _set(self.features[name], self.controls[name], value)
        self._quiet = False
        self._draw_curve("" if new else self.family.value)
        self.update()

    @property
    def planned(self) -> Planned:
        """The model that the controls describe."""
        new = self.family.value == NEW_FAMILY
        given = {name: w.value for name, w in self.scores.items() if w.value is not None}
        family = (self.new_family.value.strip() or "new") if new else self.family.value
        # Stated, because a new family would otherwise get the lineage of its provider.
        lineage = family if self.lineage.value == "its own" else self.lineage.value
        return Planned(
            model=self.model.value.strip() or "planned model",
            family=family,
            features={
                name: _cell(w.value, self.controls[name]) for name, w in self.features.items()
            },
            scores=given,
            lineage=lineage if new else "",
        )

    def update(self) -> None:
        """Ask the fit again, and show its answer, or the error."""
        if self._quiet:
            return
        try:
            answer = self.planner.answer(self.planned)
        except LatentscaleError as error:
            self.problem.object = f'<p class="problem">{escape(str(error))}</p>'
            self.answer = None  # remove the answer about another model
            for pane in (self.summary, self.table, self.following):
                pane.object = ""
            return
        self.problem.object = ""
        self.answer = answer
        self._show(answer)

    def _show(self, answer: Answer) -> None:
        thresholds = {n: w.value for n, w in self.thresholds.items() if w.value is not None}
        table = answer.passing(thresholds, self.prob)
        caption = f"lower, upper: {self.prob:.0%} interval of a new score"
        lower = [name for name in thresholds if name in answer.falling]
        if thresholds:
            caption += "; probability of reaching the threshold"
            caption += f" (at most, on {listed(lower)})" if lower else ""
        beyond = str(answer.forecast.models["extrapolates"].values[0])
        note = f"<p>Outside the range of the fitted models: {escape(beyond)}.</p>" if beyond else ""
        planned = answer.planned
        self.summary.object = (
            f"<h2>{escape(planned.model)} of {escape(planned.family)}</h2>"
            f"<p>{escape(answer.standing(self.prob))}</p>{note}"
        )
        self.table.object = strips(table, self._ranges, caption)
        if answer.following is None:
            self.following.object = f"<p>No benchmark to run next: {escape(answer.why_none)}</p>"
        else:
            rows = answer.following.table()
            self.following.object = (
                f"<p>{escape(answer.following.headline)}</p>{data_table(rows, limit=6)}"
            )

    def _draw_curve(self, family: str) -> None:
        if not family:
            self.curve.objects = [pn.pane.HTML("<p>A new family has no curve of its own.</p>")]
            return
        try:
            with apart_from_pyplot():
                sheet = plot_curve(self.planner.curve(family))
        except LatentscaleError as error:
            self.curve.objects = [pn.pane.HTML(f"<p>{escape(str(error))}</p>")]
            return
        image = _image(sheet.to_svg(), f"Scaling curves of {family}")
        self.curve.objects = [pn.pane.HTML(image)]

    def row_csv(self) -> StringIO:
        """Return the forecast row, as CSV that `latentscale predict` reads."""
        return StringIO(quoted(self.planned.row).to_csv(index=False))

    def table_csv(self) -> StringIO:
        """Return the forecasts as CSV."""
        if self.answer is None:
            return StringIO("")
        thresholds = {n: w.value for n, w in self.thresholds.items() if w.value is not None}
        table = self.answer.passing(thresholds, self.prob)
        table.insert(0, "model", self.answer.planned.model)
        return StringIO(quoted(table).to_csv(index=False))

    def layout(self) -> Any:
        """Return the page."""
        fit = self.fit
        about = (
            f"{fit.spec.name}: {len(fit.scores.models)} models, "
            f"{listed(fit.scores.benchmarks, 4)}. "
            f"{fit.provenance.method}: {fit.status.message}"
        )
        exports = pn.Row(
            _download("the row", "planned.csv", self.row_csv),
            _download("the forecasts", "forecast.csv", self.table_csv),
        )
        left = pn.Column(
            self.family,
            self._about_new,
            self.model,
            *self.features.values(),
            pn.Accordion(
                ("Scores so far", pn.FlexBox(*self.scores.values())),
                ("Thresholds", pn.FlexBox(*self.thresholds.values())),
                active=[0],
                width=_WIDTH + 20,
            ),
            exports,
            width=_WIDTH + 30,
        )
        right = pn.Column(
            self.problem,
            self.summary,
            pn.Tabs(
                ("Forecast", self.table),
                ("Next benchmark", self.following),
                ("Scaling curve", self.curve),
            ),
            sizing_mode="stretch_width",
        )
        return pn.Column(
            pn.pane.HTML(f"<h1>Planner</h1><p>{escape(about)}</p>"),
            pn.Row(left, right, sizing_mode="stretch_width"),
            sizing_mode="stretch_width",
        )


def _ranges(fit: Fit) -> dict[str, tuple[float, float]]:
    """Return the ends of each benchmark's strip."""
    score = fit.scores.dataset["score"]
    return {
        name: strip_range(
            score.sel({BENCHMARK: name}).to_series(), scale_of(benchmark.scale).bounded
        )
        for name, benchmark in fit.scores.benchmark_info.items()
    }


def _image(svg: bytes, alt: str) -> str:
    data = b64encode(svg).decode("ascii")
    return (
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(alt)}" '
        f'style="width: 100%; max-width: {_FIGURE}px">'
    )


def _download(what: str, name: str, content: Callable[[], StringIO]) -> Any:
    return pn.widgets.FileDownload(
        callback=content, filename=name, label=f"Save {what}", width=_WIDTH // 2, embed=False
    )


def _widget(control: Control) -> Any:
    if control.sort == "flag":
        return pn.widgets.Checkbox(label=control.label)
    if control.sort == "choice":
        return pn.widgets.Select(label=control.label, options=list(control.levels))
    assert control.ends is not None  # numbers and dates have ends
    low, high = control.ends
    if control.sort == "date":
        return pn.widgets.DateSlider(
            label=control.label, start=low, end=high, value=low, width=_WIDTH
        )
    values = np.geomspace(low, high, _STEPS) if control.log else np.linspace(low, high, _STEPS)
    options = list(dict.fromkeys(float(f"{v:.{_DIGITS}g}") for v in values))
    return pn.widgets.DiscreteSlider(
        label=control.label, options=options, value=options[0], width=_WIDTH
    )


def _set(widget: Any, control: Control, value: Any) -> None:
    """Set a control to a value, or to the nearest that it offers."""
    if control.sort == "flag":
        widget.value = bool(value)
    elif control.sort == "choice":
        widget.value = control.blank if is_missing(value) else str(value)
    elif control.sort == "date":
        low, high = control.ends or (None, None)
        widget.value = min(max(pd.Timestamp(value).date(), low), high)
    else:
        widget.value = min(widget.options, key=lambda option: abs(option - float(value)))


def _cell(value: Any, control: Control) -> Any:
    """Return what a row holds: flags as 0 and 1, dates as text, None where a cell is empty."""
    if control.blank and value == control.blank:
        return None
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int | float | str) else str(value)
