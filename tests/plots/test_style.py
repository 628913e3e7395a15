from __future__ import annotations

import os
import subprocess
import sys
from itertools import combinations
from typing import TYPE_CHECKING, Any, get_args

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.figure import Figure

from emdiag.core.checkpoints import Stage
from emdiag.core.errors import StoreError
from emdiag.findings.training import STAGE_NAMES
from emdiag.plots.style import (
    OTHER_COLOURS,
    QUIET,
    STAGE_COLOURS,
    arm_looks,
    figure_svg,
    save_figure,
    style,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Machado, Oliveira and Fernandes 2009, full severity, on linear RGB.
SIGHT = {
    "all cones": np.eye(3),
    "no long cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no middle cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no short cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> NDArray[np.float64]:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* (D65) of linear RGB."""
    xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ] @ np.clip(rgb, 0, 1)
    scaled = xyz / [0.95047, 1, 1.08883]
    x, y, z = np.where(scaled > (6 / 29) ** 3, np.cbrt(scaled), scaled * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast_to_white(colour: str) -> float:
    return float(1.05 / (np.array([0.2126, 0.7152, 0.0722]) @ linear(colour) + 0.05))


def simple_figure() -> Figure:
    with style():
        figure = Figure()
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        axes.plot([0, 1], [1, 0])
        axes.set_title("Entropy falls")
    return figure


def settings() -> dict[str, object]:
    return {name: mpl.rcParams[name] for name in mpl.rcParams if name != "backend"}


def test_every_stage_has_a_colour_and_a_name() -> None:
    assert set(STAGE_COLOURS) == set(STAGE_NAMES) == set(get_args(Stage))


def test_stages_stay_apart_in_grey() -> None:
    lightness = sorted(lab(linear(colour))[0] for colour in STAGE_COLOURS.values())
    assert min(np.diff(lightness)) > 10


@pytest.mark.parametrize("matrix", SIGHT.values(), ids=SIGHT)
def test_stages_stay_apart_whatever_cones_a_reader_has(matrix: object) -> None:
    seen = [lab(np.asarray(matrix) @ linear(colour)) for colour in STAGE_COLOURS.values()]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 25


def test_lines_and_words_stand_out_from_white() -> None:
    assert min(map(contrast_to_white, STAGE_COLOURS.values())) > 2.5
    assert contrast_to_white(QUIET) > 4.5  # WCAG 2.1, 1.4.3


def test_drawing_leaves_the_settings_of_others_alone() -> None:
    before = settings()
    with style():
        assert mpl.rcParams["svg.fonttype"] == "none"
    with pytest.raises(ZeroDivisionError), style():
        _ = 1 / 0
    assert settings() == before


def test_equal_figures_give_equal_files_whose_words_can_be_searched(tmp_path: Path) -> None:
    first = save_figure(simple_figure(), tmp_path / "a")
    second = save_figure(simple_figure(), tmp_path / "b")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    svg = first[0].read_text()
    assert ">Entropy falls</text>" in svg
    assert "<dc:date>" not in svg
    assert first[1].read_bytes().startswith(b"\x89PNG")


def test_a_name_with_dots_is_kept_whole(tmp_path: Path) -> None:
    svg, png = save_figure(simple_figure(), tmp_path / "new" / "temperature=0.5")
    assert (svg.name, png.name) == ("temperature=0.5.svg", "temperature=0.5.png")
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == [png.name, svg.name]


def test_a_disk_that_fails_leaves_the_old_figure_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.svg").write_text("old")

    def full(self: Figure, path: Path, **options: object) -> None:
        path.write_text("<svg")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(StoreError, match="No space left"):
        save_figure(simple_figure(), tmp_path / "a")
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]
    assert (tmp_path / "a.svg").read_text() == "old"


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("a file")
    with pytest.raises(StoreError, match="cannot write"):
        save_figure(simple_figure(), tmp_path / "figures" / "a")


def test_arms_of_one_stage_share_its_hue_and_stay_apart() -> None:
    for stage in get_args(Stage):
        colours = [look.colour for look in arm_looks(dict.fromkeys("abc", stage)).values()]
        assert colours[0] == STAGE_COLOURS[stage]
        lightness = [lab(linear(colour))[0] for colour in colours]
        assert min(abs(one - other) for one, other in combinations(lightness, 2)) > 7
        hues = [rgb_to_hsv(to_rgb(colour)) for colour in colours]
        assert all(hue[1] < 0.01 or abs(hue[0] - hues[0][0]) < 0.02 for hue in hues)
        assert min(map(contrast_to_white, colours)) > 2.5


def test_an_arm_without_a_stage_looks_like_no_stage() -> None:
    for colour in OTHER_COLOURS:
        gaps = [
            np.linalg.norm(lab(linear(colour)) - lab(linear(other)))
            for other in STAGE_COLOURS.values()
        ]
        assert min(gaps) > 25
        assert contrast_to_white(colour) > 2.5
    assert arm_looks({"a": None})["a"].colour in OTHER_COLOURS


@pytest.mark.parametrize("stages", [["em"] * 6, [None] * 6, ["base", "em", "em", None, "rl", "em"]])
def test_six_arms_differ_in_dash_and_marker_whatever_their_stage(stages: list[Any]) -> None:
    looks = list(arm_looks(dict(zip("abcdef", stages, strict=True))).values())
    assert len({look.dash for look in looks}) == len({look.marker for look in looks}) == 6
    assert looks[0].dash[1] == ()


def test_words_with_dollar_signs_are_no_formula() -> None:
    with style():
        figure = Figure()
        text = figure.text(0, 0, "$x_1$ and $")
    assert not text.get_parse_math()


BACKEND = """
import os
from emdiag.plots.style import figure_svg, style
from matplotlib.figure import Figure
figure = Figure()
figure.subplots()
assert figure_svg(figure).startswith("<?xml")
print(os.environ["MPLBACKEND"])
"""


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "tkagg"])
def test_figures_are_drawn_whatever_backend_others_are_told_to_use(
    tmp_path: Path, backend: str
) -> None:
    """What notebooks export to all they start need not be installed here, nor a screen be there."""
    (tmp_path / "matplotlibrc").write_text("backend: nonsense\n")
    drawn = subprocess.run(
        [sys.executable, "-c", BACKEND],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert drawn.stdout.split()[:1] == [backend], drawn.stderr


@pytest.mark.filterwarnings("ignore:Glyph")
def test_a_code_of_the_terminal_in_a_figure_is_a_text() -> None:
    figure = Figure()
    figure.text(0, 0, "\x1b[31m")
    assert "[U+001B][31m" in figure_svg(figure)
