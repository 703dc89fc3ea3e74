"""Where lesions lie in a case's projections; kept for those that did not change. No Textual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tmtv_engine.image.projections import Mip, project_points
from tmtv_engine.lesion.lists import Lesions, altered
from tmtv_tui.review.picture import BODY_MM, BODY_SUV, Pixels, Placed, field_box

Box = tuple[int, int, int, int]
Span = tuple[Pixels, Pixels]


@dataclass(frozen=True, eq=False)
class Footprints:
    """Where lesions lie in one projection: image pixels by lesion, and that of its maximum."""

    pixels: Mapping[int, tuple[Pixels, Pixels]]
    peaks: Mapping[int, tuple[int, int]]


def footprints(lesions: Lesions, mip: Mip, angle: int) -> Footprints:
    """The pixels of every lesion in projection ``angle``."""
    pixels, peaks = {}, {}
    if len(lesions):
        row, col = project_points(lesions.grid.affine, lesions.index(), angle, mip)
        wide = mip.images.shape[2]
        for k, number in enumerate(int(i) for i in lesions.ids):
            span = lesions.span(k)
            flat = np.unique(row[span] * wide + col[span])
            pixels[number] = (flat // wide, flat % wide)
            best = span.start + int(np.argmax(lesions.suv[span]))
            peaks[number] = (int(row[best]), int(col[best]))
    return Footprints(pixels, peaks)


class Prints:
    """The footprints of a case's lesions in any of its projections; after a repair only those
    of the lesions that it changed are projected anew."""

    def __init__(self, mip: Mip) -> None:
        self.mip = mip
        self._known: dict[int, tuple[Lesions, Footprints]] = {}
        self._trunk = trunk_of(mip)

    def of(self, lesions: Lesions, angle: int) -> Footprints:
        """As `footprints`."""
        before, found = self._known.get(angle, (None, None))
        if found is None or before is None:
            found = footprints(lesions, self.mip, angle)
        elif before is not lesions:
            gone = altered(before, lesions)
            rows = [k for k, n in enumerate(lesions.ids.tolist()) if n in gone]
            new = footprints(lesions.take(rows), self.mip, angle)
            found = _ordered(lesions, found, new)
        self._known[angle] = lesions, found
        return found

    def box(self, lesions: Lesions) -> Box:
        """As `body_box` of what lies in front and at the side."""
        turns = sorted({0, len(self.mip.angles_deg) // 4})
        return body_box(self.mip, [self.of(lesions, turn) for turn in turns], self._trunk)


def _ordered(lesions: Lesions, known: Footprints, new: Footprints) -> Footprints:
    """``known`` overlaid by ``new``, as many as there are lesions and in their order."""
    pixels, peaks = {**known.pixels, **new.pixels}, {**known.peaks, **new.peaks}
    ids = lesions.ids.tolist()
    return Footprints({n: pixels[n] for n in ids}, {n: peaks[n] for n in ids})


def nearest(prints: Footprints, placed: Placed, y: int, x: int, reach: float = 4.0) -> int | None:
    """The lesion at dot (y, x) or within ``reach`` of it; the nearest wins."""
    best, found = reach**2, None
    for number, pixels in prints.pixels.items():
        cells = placed.inside(pixels)
        apart = min(((py - y) ** 2 + (px - x) ** 2 for py, px in cells), default=np.inf)
        if apart < best:
            best, found = apart, number
    return found


def body_box(mip: Mip, prints: Iterable[Footprints] = (), trunk: Span | None = None) -> Box:
    """(top, bottom, left, right) of the trunk in every projection: haze and raised arms left out.

    A row counts where 30 mm of it are above SUV 0.5, a column where a third of the body's height
    is; the lesions of ``prints`` are inside wherever they lie. ``trunk``: as `trunk_of`.
    """
    rows, cols = trunk_of(mip) if trunk is None else trunk
    if not len(rows):
        return field_box(mip)
    own = [pixels for found in prints for pixels in found.pixels.values()]
    rows = np.concatenate([rows, *(row for row, _ in own)])
    cols = np.concatenate([cols, *(col for _, col in own)])
    if not len(cols):
        return field_box(mip)
    return int(rows.min()), int(rows.max()) + 1, int(cols.min()), int(cols.max()) + 1


def trunk_of(mip: Mip) -> Span:
    """The first and last row, and column, of the trunk in every projection; none in air."""
    seen = mip.images.max(axis=0) > BODY_SUV / mip.suv_per_step
    rows = np.flatnonzero(seen.sum(axis=1) * mip.pixel_mm >= BODY_MM)
    if not len(rows):
        return rows, rows
    tall = seen[rows[0] : rows[-1] + 1].sum(axis=0)
    cols = np.flatnonzero(3 * tall >= rows[-1] + 1 - rows[0])
    return rows[[0, -1]], cols[[0, -1]] if len(cols) else cols
