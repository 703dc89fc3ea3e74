"""The cuts: which voxels of a lesion each method keeps. A voxel stays if its SUV is above."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Array, Unit, Volume
from tmtv_engine.lesion.lists import Lesions

FloatRow = npt.NDArray[np.float64]
BoolRow = npt.NDArray[np.bool_]

DEFAULT_METHODS = ("41", "2.5", "4.0")
OTSU_BINS = 256


@dataclass(frozen=True)
class Method:
    """A cut: ``key`` as it stands in files, ``kind`` and, where it has one, its number."""

    key: str
    kind: str
    value: float = 0.0

    @property
    def needs_background(self) -> bool:
        """Whether the cut depends on the uptake around the lesion."""
        return self.kind in ("a50p", "majority")


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "otsu": Method("otsu", "otsu"),
        "prob": Method("prob", "prob"),
        "raw": Method("raw", "raw"),
        "mv2": Method("mv2", "majority", 2),
        "mv3": Method("mv3", "majority", 3),
        "a50p": Method("a50p", "a50p"),
        "liver": Method("liver", "liver"),
    }
)
"""The methods that have a name; percentages and SUVs are read by `parse_method`."""


def parse_method(text: str) -> Method:
    """The method that ``text`` names; raises `UsageError` saying what was probably meant."""
    if text in METHODS:
        return METHODS[text]
    if re.fullmatch(r"[1-9][0-9]", text):
        return Method(text, "percent", int(text) / 100.0)
    if re.fullmatch(r"[1-9](\.[0-9]+)?", text):
        return Method(repr(float(text)), "suv", float(text))
    raise UsageError(f"no method is called {text[:20]!r}", _meant(text))


def _meant(text: str) -> str:
    if re.fullmatch(r"[1-9],[0-9]+", text):
        return f"Write the decimal point: {text.replace(',', '.')}."
    if re.fullmatch(r"[1-9][0-9] ?%", text):
        return f"For a percentage of SUVmax write {text[:2]}."
    if re.fullmatch(r"0?\.[0-9]{1,9}", text) and 0.1 <= float(text) < 0.995:
        return f"For a percentage of SUVmax write {round(float(text) * 100)}."
    if re.fullmatch(r"[1-9][0-9]\.[0-9]+", text):
        return f"SUV cuts lie below 10; for a percentage of SUVmax write {int(float(text))}."
    named = ", ".join(METHODS)
    return f"Write a percentage from 10 to 99, an SUV from 1 to 9.99, or one of {named}."


def thresholds(
    lesions: Lesions, method: Method, background: FloatRow | None = None, liver: float | None = None
) -> FloatRow:
    """The SUV above which each lesion's voxels stay, (n,); NaN where there is no single one.

    ``background`` (n,) as `background_suv` gives it, for ``a50p``; ``liver`` the reference
    threshold for ``liver``.
    """
    count = len(lesions)
    if method.kind == "suv":
        return np.full(count, method.value)
    if method.kind == "percent":
        return method.value * _highest(lesions, lesions.suv)
    if method.kind == "otsu":
        spans = [lesions.suv[lesions.span(row)] for row in range(count)]
        return np.array([otsu_threshold(values) for values in spans], dtype=np.float64)
    if method.kind == "a50p":
        around = np.full(count, np.nan) if background is None else background
        return 0.5 * (_highest(lesions, lesions.peak) + around)
    if method.kind == "liver":
        if liver is None:
            raise UsageError("the liver method has no liver", "give --liver-sphere x,y,z in LPS mm")
        return np.full(count, liver)
    return np.full(count, np.nan)


def kept(
    lesions: Lesions, method: Method, background: FloatRow | None = None, liver: float | None = None
) -> BoolRow:
    """Which voxels of each lesion stay under ``method``, (N,)."""
    if method.kind == "raw":
        return np.ones(len(lesions.voxels), bool)
    if method.kind == "prob":
        return probability(lesions) >= 0.5
    if method.kind == "majority":
        votes = [parse_method(key) for key in ("41", "a50p", "2.5", "4.0")]
        count = sum(kept(lesions, vote, background).astype(np.int64) for vote in votes)
        return np.asarray(count >= method.value)
    above = thresholds(lesions, method, background, liver)
    constant = _constant(lesions)[lesions.owner] if method.kind == "otsu" else np.zeros(1, bool)
    return np.asarray((lesions.suv > above[lesions.owner]) | constant)


def probability(lesions: Lesions) -> npt.NDArray[np.float32]:
    """TMTVprob of each voxel, (N,): the mean of the masks 41, 2.5, 4.0 and Otsu (paper 2.3)."""
    masks = [kept(lesions, parse_method(key)) for key in ("41", "2.5", "4.0", "otsu")]
    return np.asarray(sum(m.astype(np.float32) for m in masks) / np.float32(4))


def otsu_threshold(values: npt.NDArray[np.float32]) -> float:
    """Otsu's threshold of ``values`` (256 bins): the centre of the bin that parts them best.

    N. Otsu, IEEE Trans. Syst. Man Cybern. 9 (1979) 62. Constant values: that value.
    """
    low, high = float(values.min()), float(values.max())
    if low == high:
        return low
    counts, edges = np.histogram(values.astype(np.float64), OTSU_BINS, (low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts), np.cumsum(counts[::-1])[::-1]
    sums = counts * centres
    mean_below = np.cumsum(sums) / below
    mean_above = (np.cumsum(sums[::-1]) / above[::-1])[::-1]
    between = below[:-1] * above[1:] * (mean_below[:-1] - mean_above[1:]) ** 2
    return float(centres[int(np.argmax(between))])


def background_suv(lesions: Lesions, suv: Volume) -> FloatRow:
    """Mean SUV around each lesion, (n,); NaN where nothing is left to average.

    The shell lies 10 to 20 mm outside the part above 70 % of SUVpeak; other lesions' voxels and
    voxels above SUV 2.5 do not count.
    """
    image = suv.require(Unit.SUV)
    taken = lesions.labels().array
    peaks = _highest(lesions, lesions.peak)
    return np.array(
        [_shell_mean(lesions, row, peaks[row], image, taken) for row in range(len(lesions))]
    )


def _shell_mean(
    lesions: Lesions, row: int, peak: float, image: npt.NDArray[np.float32], taken: Array
) -> float:
    from scipy.ndimage import distance_transform_edt

    spacing = lesions.grid.spacing_mm
    values = lesions.suv[lesions.span(row)]
    hot = values > 0.7 * peak
    index = lesions.index(row)[hot if hot.any() else values == values.max()]
    pad = np.array([int(np.ceil(20.0 / step)) for step in spacing])
    low = np.maximum(index.min(axis=0) - pad, 0)
    high = np.minimum(index.max(axis=0) + pad + 1, image.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    far = np.ones(tuple(high - low), bool)
    far[tuple((index - low).T)] = False
    distance = distance_transform_edt(far, sampling=spacing)
    others = (taken[box] != 0) & (taken[box] != lesions.ids[row])
    shell = (distance >= 10.0) & (distance <= 20.0) & ~others & (image[box] <= 2.5)
    return float(image[box][shell].mean(dtype=np.float64)) if shell.any() else float("nan")


def _highest(lesions: Lesions, values: npt.NDArray[np.float32]) -> FloatRow:
    if not len(lesions):
        return np.zeros(0)
    return np.maximum.reduceat(values, lesions.starts[:-1]).astype(np.float64)


def _constant(lesions: Lesions) -> BoolRow:
    return np.asarray(_highest(lesions, lesions.suv) == -_highest(lesions, -lesions.suv))
