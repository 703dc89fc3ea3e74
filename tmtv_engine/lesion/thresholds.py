"""The cuts: which voxels of a lesion each method keeps. A voxel stays if its SUV is above."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import UsageError
from tmtv_engine.image.volume import Array, Unit, Volume
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.methods import Method, parse_method

FloatRow = npt.NDArray[np.float64]
BoolRow = npt.NDArray[np.bool_]

OTSU_BINS = 256
SHELL_MM = (10.0, 20.0)
NOISE_MM = 1e-6  # exactly 20 mm is 20 mm, whatever the header rounds
VOTES = ("41", "a50p", "2.5", "4.0")
MASKS = ("41", "2.5", "4.0", "otsu")


@dataclass(frozen=True, eq=False)
class Given:
    """What is to be cut, and what some methods need beside it: one ``background`` SUV a lesion
    (n,), NaN where unknown, and the ``liver`` threshold in SUV."""

    lesions: Lesions
    background: FloatRow | None = None
    liver: float | None = None


@dataclass(frozen=True)
class Rule:
    """How methods of one kind cut: the SUV above which a lesion's voxels stay, (n,) with NaN where
    there is no single one, and, where that is not all, the voxels that stay, (N,)."""

    above: Callable[[Given, Method], FloatRow]
    keep: Callable[[Given, Method], BoolRow] | None = None


def thresholds(
    lesions: Lesions, method: Method, background: FloatRow | None = None, liver: float | None = None
) -> FloatRow:
    """The SUV above which each lesion's voxels stay, (n,); NaN where there is no single one.

    Raises `UsageError` for the liver method without its threshold.
    """
    return RULES[method.kind].above(Given(lesions, background, liver), method)


def kept(
    lesions: Lesions, method: Method, background: FloatRow | None = None, liver: float | None = None
) -> BoolRow:
    """Which voxels of each lesion stay under ``method``, (N,): those strictly above its SUV."""
    given, rule = Given(lesions, background, liver), RULES[method.kind]
    if rule.keep is not None:
        return rule.keep(given, method)
    return np.asarray(lesions.suv > rule.above(given, method)[lesions.owner])


def _none(given: Given, method: Method) -> FloatRow:
    return np.full(len(given.lesions), np.nan)


def _fixed(given: Given, method: Method) -> FloatRow:
    return np.full(len(given.lesions), method.value)


def _share(given: Given, method: Method) -> FloatRow:
    return given.lesions.highest(given.lesions.suv) * method.value


def _otsu(given: Given, method: Method) -> FloatRow:
    lesions = given.lesions
    spans = [lesions.suv[lesions.span(row)] for row in range(len(lesions))]
    return np.array([otsu_threshold(values) for values in spans], dtype=np.float64)


def _above_otsu(given: Given, method: Method) -> BoolRow:
    """A constant lesion has nothing to part and stays whole."""
    lesions = given.lesions
    above = lesions.suv > _otsu(given, method)[lesions.owner]
    return np.asarray(above | _constant(lesions)[lesions.owner])


def _half(given: Given, method: Method) -> FloatRow:
    lesions = given.lesions
    around = np.full(len(lesions), np.nan) if given.background is None else given.background
    return 0.5 * (lesions.highest(lesions.peak) + around)


def _liver(given: Given, method: Method) -> FloatRow:
    if given.liver is None:
        raise UsageError("the liver method has no liver", "give --liver-sphere x,y,z in LPS mm")
    return np.full(len(given.lesions), given.liver)


def _voted(given: Given, method: Method) -> BoolRow:
    votes = (kept(given.lesions, parse_method(key), given.background) for key in VOTES)
    return np.asarray(sum(vote.astype(np.int64) for vote in votes) >= method.value)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "suv": Rule(_fixed),
        "percent": Rule(_share),
        "otsu": Rule(_otsu, _above_otsu),
        "a50p": Rule(_half),
        "liver": Rule(_liver),
        "raw": Rule(_none, lambda given, method: np.ones(len(given.lesions.voxels), bool)),
        "prob": Rule(_none, lambda given, method: probability(given.lesions) >= 0.5),
        "majority": Rule(_none, _voted),
    }
)
"""How each kind of `methods.METHODS` cuts."""


def probability(lesions: Lesions) -> npt.NDArray[np.float32]:
    """TMTVprob of each voxel, (N,): the mean of the masks 41, 2.5, 4.0 and Otsu (paper 2.3)."""
    masks = [kept(lesions, parse_method(key)) for key in MASKS]
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


def background_suv(lesions: Lesions, suv: Volume, rows: Sequence[int] | None = None) -> FloatRow:
    """Mean SUV around each lesion, or around those of ``rows``; NaN where nothing is left.

    The shell lies 10 to 20 mm outside the part above 70 % of SUVpeak; other lesions' voxels and
    voxels above SUV 2.5 do not count.
    """
    image = suv.require(Unit.SUV)
    taken = lesions.labels().array
    peaks = lesions.highest(lesions.peak)
    chosen = range(len(lesions)) if rows is None else rows
    return np.array([_shell_mean(lesions, row, peaks[row], image, taken) for row in chosen])


def _shell_mean(
    lesions: Lesions, row: int, peak: float, image: npt.NDArray[np.float32], taken: Array
) -> float:
    from scipy.ndimage import distance_transform_edt

    spacing = lesions.grid.spacing_mm
    values = lesions.suv[lesions.span(row)]
    hot = values > 0.7 * peak
    index = lesions.index(row)[hot if hot.any() else values == values.max()]
    pad = np.array([int(np.ceil(SHELL_MM[1] / step)) for step in spacing])
    low = np.maximum(index.min(axis=0) - pad, 0)
    high = np.minimum(index.max(axis=0) + pad + 1, image.shape)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    far = np.ones(tuple(high - low), bool)
    far[tuple((index - low).T)] = False
    distance = distance_transform_edt(far, sampling=spacing)
    others = (taken[box] != 0) & (taken[box] != lesions.ids[row])
    low_mm, high_mm = SHELL_MM[0] - NOISE_MM, SHELL_MM[1] + NOISE_MM
    shell = (distance >= low_mm) & (distance <= high_mm) & ~others & (image[box] <= 2.5)
    return float(image[box][shell].mean(dtype=np.float64)) if shell.any() else float("nan")


def _constant(lesions: Lesions) -> BoolRow:
    return np.asarray(lesions.highest(lesions.suv) == -lesions.highest(-lesions.suv))
