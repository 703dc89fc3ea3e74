"""The report's figures, as SVG whose text is text and as PNG; the same numbers, the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tmtv_engine.report import stats
from tmtv_engine.report.cohort import Cohort, Pair

DPI = 120
COLOURS = ("#1f6f8b", "#d1495b", "#e0a030", "#5b8c5a", "#7a5c99", "#555555")
_MANY = 1500  # points from which on they are drawn as one picture inside the SVG
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "path.simplify": False,
}


@dataclass(frozen=True)
class Picture:
    """A figure: its file name's stem, and its bytes in both forms."""

    name: str
    svg: str
    png: bytes


def _always(cohort: Cohort, report: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True)
class Plate:
    """A row of `FIGURES`: the figure's name, its caption, who draws it, and where there is one."""

    name: str
    caption: Callable[[Mapping[str, Any]], str]
    draw: Callable[[Cohort, Mapping[str, Any]], Any]
    there: Callable[[Cohort, Mapping[str, Any]], bool] = _always


def draw(cohort: Cohort, report: Mapping[str, Any]) -> list[Picture]:
    """Every figure of `FIGURES` that the cohort has data for, in that order."""
    with _styled():
        drawn = [row for row in FIGURES if row.there(cohort, report)]
        return [_saved(row.name, row.draw(cohort, report)) for row in drawn]


@contextmanager
def _styled() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(_STYLE):
        yield


def _saved(name: str, figure: Any) -> Picture:
    import matplotlib

    svg, png = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(svg, format="svg", dpi=DPI, metadata={"Date": None, "Creator": "tmtv"})
    figure.savefig(
        png, format="png", dpi=DPI, metadata={"Software": "tmtv"}, pil_kwargs={"compress_level": 2}
    )
    return Picture(name, svg.getvalue().decode(), png.getvalue())


def _figure(panels: int, high: float = 3.1, wide: float = 3.3) -> tuple[Any, list[Any]]:
    """A figure of so many panels, three a row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(panels, 3)
    rows = -(-panels // columns)
    across, up = wide * columns, high * rows
    figure = Figure(figsize=(across, up))
    FigureCanvasAgg(figure)
    # inches for labels; matplotlib's own layouts draw every figure twice to find the same
    figure.subplots_adjust(0.75 / across, 0.5 / up, 1 - 0.12 / across, 1 - 0.3 / up)
    figure.subplots_adjust(wspace=0.8 / (wide - 0.8), hspace=0.8 / (high - 0.8))
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for spare in axes[panels:]:
        spare.set_axis_off()
    return figure, axes[:panels]


def _columns(pairs: Sequence[Pair], method: str) -> tuple[stats.Row, stats.Row]:
    own = [p for p in pairs if p.method == method]
    return (
        np.array([p.reference_ml for p in own], np.float64),
        np.array([p.predicted_ml for p in own], np.float64),
    )


def _colour_of(cohort: Cohort, method: str) -> tuple[list[str], list[tuple[str, str]]]:
    """A colour a patient by subtype, and the legend."""
    names = {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(cohort.subtypes)}
    own = [p for p in cohort.pairs if p.method == method]
    return [names.get(p.subtype or "", COLOURS[0]) for p in own], list(names.items())


def _boxes(cohort: Cohort) -> Any:
    figure, axes = _figure(len(cohort.methods), wide=2.9)
    for axis, method in zip(axes, cohort.methods, strict=True):
        columns = _columns(cohort.pairs, method)
        drawn = axis.boxplot(columns, widths=0.55, patch_artist=True, sym="", whis=(5, 95))
        for k, box in enumerate(drawn["boxes"]):
            box.set(facecolor=COLOURS[k], alpha=0.55)
        for line in drawn["medians"]:
            line.set(color="black")
        axis.set_xticks([1, 2], [_plain(n) for n in cohort.names])
        axis.set(title=_titled(method, columns), ylabel="TMTV (mL)")
    return figure


def _panels(cohort: Cohort, report: Mapping[str, Any], panel: Callable[..., None]) -> Any:
    figure, axes = _figure(len(cohort.methods))
    for axis, method in zip(axes, cohort.methods, strict=True):
        columns = _columns(cohort.pairs, method)
        colours, legend = _colour_of(cohort, method)
        axis.set_title(_titled(method, columns))
        panel(axis, columns, report["methods"][method], colours, cohort.names)
        if legend and axis is axes[0]:
            for name, colour in legend:
                axis.plot([], [], "o", color=colour, markersize=4, label=_plain(name))
            axis.legend(fontsize=7, loc="upper left", handletextpad=0.1)
    return figure


def distribution(columns: Mapping[str, Sequence[float]]) -> Picture:
    """TMTV (mL) by method: a box and every patient, on a logarithmic scale that holds 0."""
    with _styled():
        drawn, (axis,) = _figure(1, 0.9 + 0.7 * max(1, len(columns)), 7.2)
        drawn_boxes = axis.boxplot(
            list(columns.values()), vert=False, sym="", whis=(5, 95), widths=0.5
        )
        for line in (x for part in drawn_boxes.values() for x in part):
            line.set(color="#8a969e", linewidth=1.2)
        for row, values in enumerate(columns.values(), start=1):
            spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            (dots,) = axis.plot(values, row + spread, "o", color=COLOURS[0], markersize=4)
            dots.set(alpha=0.7, markeredgewidth=0, zorder=3)
        axis.set_yticks(range(1, len(columns) + 1), [_plain(key) for key in columns])
        axis.invert_yaxis()
        _millilitres(axis, [v for values in columns.values() for v in values])
        return _saved("tmtv", drawn)


def _millilitres(axis: Any, values: Sequence[float]) -> None:
    """A logarithmic x axis round ``values`` (mL) in plain numbers; from 0 where one is below 1."""
    least, most = min(values, default=0.0), max(values, default=1.0)
    steps = [m * 10.0**k for k in range(5) for m in (1, 2, 5)]
    low = max((s for s in steps if s <= least), default=0.0)
    high = min((s for s in steps if s >= max(most, 2 * low)), default=most)
    axis.set_xscale("symlog", linthresh=1.0)
    axis.set_xticks([s for s in (0.0, *steps) if low <= s <= high])
    axis.xaxis.set_major_formatter("{x:g}")
    axis.set(xlabel="TMTV (mL)", xlim=(low * 0.9 if low else -0.3, max(high, 1.0) * 1.1))


def _bland_altman(
    axis: Any,
    columns: tuple[stats.Row, stats.Row],
    m: Mapping[str, Any],
    colours: Sequence[str],
    names: tuple[str, str],
) -> None:
    first, second = columns
    middle, change = (first + second) / 2, second - first
    _points(axis, middle, change, colours)
    found = m["bland_altman"]
    for key, style in (("bias_ml", "-"), ("loa_low_ml", "--"), ("loa_high_ml", "--")):
        value = found[key]
        if value is None:
            continue
        axis.axhline(value, color="black", linestyle=style, linewidth=1)
        ends = found[{"bias_ml": "bias_ci"}.get(key, key.replace("_ml", "_ci"))]
        if ends:
            axis.axhspan(*ends, color="black", alpha=0.08, linewidth=0)
        axis.annotate(
            f"{value:.1f}",
            (1, value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7,
        )
    axis.set(xlabel="mean of both (mL)", ylabel=f"{_plain(names[1])} − {_plain(names[0])} (mL)")


def _correlation(
    axis: Any,
    columns: tuple[stats.Row, stats.Row],
    m: Mapping[str, Any],
    colours: Sequence[str],
    names: tuple[str, str],
) -> None:
    first, second = columns
    _points(axis, first, second, colours)
    top = float(max(first.max(), second.max(), 1.0)) * 1.04
    axis.plot([0, top], [0, top], color="#999999", linewidth=1, linestyle="--")
    line = m["line"]
    if line["slope"] is not None:
        ends = np.array([0.0, float(first.max())])
        axis.plot(ends, line["slope"] * ends + line["intercept_ml"], color="black", linewidth=1)
    said = [
        f"{name} {value:.2f}"
        for name, value in (("ρ", m["spearman"]["rho"]), ("CCC", m["ccc"]["value"]))
        if value is not None
    ]
    axis.text(0.97, 0.03, "\n".join(said), transform=axis.transAxes, ha="right", fontsize=8)
    axis.set(xlim=(-top * 0.03, top), ylim=(-top * 0.03, top))
    axis.set(xlabel=f"{_plain(names[0])} (mL)", ylabel=f"{_plain(names[1])} (mL)")


def _points(axis: Any, x: stats.Row, y: stats.Row, colours: Sequence[str]) -> None:
    told = np.array(colours)
    for colour in dict.fromkeys(colours):
        own = told == colour
        (drawn,) = axis.plot(x[own], y[own], "o", color=colour, markersize=3, alpha=0.65)
        drawn.set(markeredgewidth=0, rasterized=len(x) > _MANY)


def _dice(cohort: Cohort) -> Any:
    """A panel a method, the subtypes stacked."""
    figure, axes = _figure(len(cohort.methods))
    # patients without a subtype beside others with one have a bar of their own
    rest = any(not p.subtype for p in cohort.pairs)
    groups: list[str | None] = [*cohort.subtypes, *([None] if rest else [])]
    edges = np.linspace(0, 1, 21)
    for axis, method in zip(axes, cohort.methods, strict=True):
        own = [p for p in cohort.pairs if p.method == method]
        values = [
            stats.known(p.overlaps.get("dice") for p in own if p.subtype == g) for g in groups
        ]
        told = [_plain(g or "no subtype") for g in groups]
        axis.hist(values, edges, stacked=True, color=_few(len(groups)), label=told)
        n = sum(len(v) for v in values)
        axis.set(title=f"{_plain(method)} (n = {n})", xlabel="Dice", ylabel="patients", xlim=(0, 1))
        if cohort.subtypes and axis is axes[0]:
            axis.legend(fontsize=7, loc="upper left")
    return figure


def _froc(curve: Sequence[Mapping[str, float]]) -> Any:
    figure, (axis,) = _figure(1, 3.3, 4.2)
    x = [p["false_per_patient"] for p in curve]
    y = [p["sensitivity"] for p in curve]
    axis.plot(x, y, "o-", color=COLOURS[0], markersize=3, linewidth=1, drawstyle="steps-post")
    axis.set(xlabel="false lesions per patient", ylabel="sensitivity, by lesion", ylim=(0, 1.02))
    return figure


def _few(count: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(count)]


def _titled(method: str, columns: tuple[stats.Row, stats.Row]) -> str:
    return f"{_plain(method)} (n = {len(columns[0])})"


def _plain(text: str) -> str:
    """Text that matplotlib takes as it is: a dollar would begin a formula."""
    return text.replace("$", r"\$")


def _has_dice(cohort: Cohort, report: Mapping[str, Any]) -> bool:
    return any(p.overlaps.get("dice") is not None for p in cohort.pairs)


FIGURES: tuple[Plate, ...] = (
    Plate(
        "boxes",
        lambda report: (
            f"TMTV of the {report['names'][0]} and the {report['names'][1]} measurement for each "
            "method. Box: median and quartiles; whiskers: 5th and 95th percentile; values beyond "
            "are not drawn."
        ),
        lambda cohort, report: _boxes(cohort),
    ),
    Plate(
        "bland-altman",
        lambda report: (
            f"Bland–Altman plots, {report['names'][1]} minus {report['names'][0]}. Lines: bias and "
            "limits of agreement (1.96 SD, ddof 1); bands: their 95 % confidence intervals."
        ),
        lambda cohort, report: _panels(cohort, report, _bland_altman),
    ),
    Plate(
        "correlation",
        lambda report: (
            f"TMTV {report['names'][1]} against {report['names'][0]}. Dashed: identity; solid: "
            "least-squares line. ρ: Spearman; CCC: Lin's concordance."
        ),
        lambda cohort, report: _panels(cohort, report, _correlation),
    ),
    Plate(
        "dice",
        lambda report: (
            "Dice coefficients by voxel, patients a bin of 0.05"
            + (", by subtype." if report["subtypes"] else ".")
        ),
        lambda cohort, report: _dice(cohort),
        _has_dice,
    ),
    Plate(
        "froc",
        lambda report: (
            "Free-response curve: lesions found and false lesions per patient as the least mean "
            "probability asked of a proposed lesion falls."
        ),
        lambda cohort, report: _froc(report["detection"]["froc"]),
        lambda cohort, report: bool(report["detection"] and report["detection"]["froc"]),
    ),
)
"""The figures of the report, in the order of the paper; a row added here is drawn and captioned."""
