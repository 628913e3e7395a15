"""A sweep as its figures look things up in it, and the panels that they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from emdiag.core.temperature_sweep import (
    Axis,
    CoolingControl,
    SweepPoint,
    SweepSetting,
    TemperatureSweepResult,
)
from emdiag.plots.plain_text import arm_names
from emdiag.plots.sheet import legend_lines, sheet
from emdiag.plots.style import STAGE_COLOURS, Look, looks_by_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from emdiag.core.results import Interval, Metric
    from emdiag.plots.sheet import Words

_NEUTRAL: Final[Mapping[Axis, float]] = {"temperature": 1.0, "top_p": 1.0, "top_k": 0.0}
_LEGEND_LINE_INCHES = 0.17


@dataclass(frozen=True, kw_only=True)
class SweepLookup:
    """A result and how its arms are shown.

    Attributes:
        looks: By label, in the order of the arms.
        names: By label: what may be written in a figure.
        held: The value of the second axis that curves are drawn at; None where there is one axis.
    """

    result: TemperatureSweepResult
    looks: Mapping[str, Look]
    names: Mapping[str, str]
    held: float | None

    @property
    def axis(self) -> Axis:
        """The axis of the curves."""
        return self.result.axes[0]

    def curve(self, label: str, benchmark: str) -> list[SweepPoint]:
        """The points of an arm along the first axis, in order, the second one held."""
        points = [
            point
            for point in self.result.points
            if (point.checkpoint, point.benchmark) == (label, benchmark)
            and not point.is_control
            and self._is_held(point.setting)
        ]
        return sorted(points, key=lambda point: self.place(along(point.setting, self.axis)))

    def place(self, value: float) -> float:
        """Where a value of the first axis is drawn; the steps of top-k are equally wide."""
        if self.axis != "top_k":
            return value
        return float(self.values(self.axis).index(value))

    def values(self, axis: Axis) -> list[float]:
        """The settings tried along an axis, in order; top-k 0, all tokens, is the largest."""
        values = {
            along(point.setting, axis) for point in self.result.points if not point.is_control
        }
        return sorted(values, key=lambda value: float("inf") if _is_all(axis, value) else value)

    def controls(self, benchmark: str) -> dict[str, list[CoolingControl]]:
        """Controls by checkpoint, in the order of their temperature."""
        controls: dict[str, list[CoolingControl]] = {}
        for control in sorted(self.result.controls, key=lambda control: control.temperature):
            if control.benchmark == benchmark:
                controls.setdefault(control.checkpoint, []).append(control)
        return {label: controls[label] for label in self.looks if label in controls}

    def baseline(self, control: CoolingControl) -> SweepPoint | None:
        """The point of the entropy-matched baseline, if the result holds it."""
        points = [
            point
            for point in self.result.points
            if (point.checkpoint, point.benchmark) == (control.base, control.benchmark)
            and point.setting.temperature == control.base_temperature
        ]
        return max(points, key=lambda point: (point.is_control, point.setting.top_p), default=None)

    def base_colour(self, control: CoolingControl) -> str:
        """Of the base that a checkpoint is compared with."""
        look = self.looks.get(control.base)
        return look.colour if look else STAGE_COLOURS["base"]

    def _is_held(self, setting: SweepSetting) -> bool:
        """Greedy answers are the same at any top-p and top-k, and may stand for all of them."""
        if self.held is None or setting.temperature == 0:
            return True
        return along(setting, self.result.axes[1]) == self.held


def open_sweep(result: TemperatureSweepResult) -> SweepLookup:
    """The result with a look and a name for each arm."""
    return SweepLookup(
        result=result,
        looks=looks_by_label({arm.label: arm.stage for arm in result.arms}),
        names=arm_names([arm.label for arm in result.arms]),
        held=_held(result),
    )


def _held(result: TemperatureSweepResult) -> float | None:
    if len(result.axes) < 2:
        return None
    axis = result.axes[1]
    values = {along(point.setting, axis) for point in result.points if not point.is_control}
    neutral = _NEUTRAL[axis]
    return min(values, key=lambda value: abs(value - neutral), default=neutral)


def along(setting: SweepSetting, axis: Axis) -> float:
    """The value of a setting on an axis."""
    match axis:
        case "temperature":
            return setting.temperature
        case "top_p":
            return setting.top_p
        case "top_k":
            return float(setting.top_k)


def value_name(axis: Axis, value: float) -> str:
    """Such as `0.6`; `all` for top-k 0."""
    return "all" if _is_all(axis, value) else f"{value:g}"


def _is_all(axis: Axis, value: float) -> bool:
    return axis == "top_k" and value == 0


def metric_values(metric: Metric | None, scale: float) -> tuple[float | None, Interval | None]:
    """Value and interval, times `scale`; None where the metric is not defined."""
    if metric is None:
        return None, None
    interval = metric.interval
    if interval is not None:
        interval = replace(interval, low=scale * interval.low, high=scale * interval.high)
    return scale * metric.value, interval


def columns_of(panels: int) -> int:
    """How many panels stand side by side."""
    return {1: 1, 2: 2, 4: 2}.get(panels, 3)


def panel_grid(
    words: Words,
    count: int,
    *,
    height: float,
    entries: Sequence[str] = (),
    columns: int | None = None,
    **grid: object,
) -> tuple[Figure, list[Axes]]:
    """A sheet with `count` panels of `height` inches; places that stay empty are removed.

    Args:
        words: Above the panels.
        count: How many panels.
        height: Of each, in inches.
        entries: Of the legend that will stand below, so that there is room for it.
        columns: Panels side by side; by their number where it is not given.
        grid: As in `Figure.subplots`.
    """
    columns = columns or columns_of(count)
    rows = -(-count // columns)
    whole = rows * height + 0.25 + _LEGEND_LINE_INCHES * legend_lines(entries)
    figure, panels = sheet(words, height=whole, shape=(rows, columns), **grid)
    places = list(panels.ravel())
    for axes in places[count:]:
        axes.remove()
    return figure, places[:count]
