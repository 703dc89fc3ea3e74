"""What a pane of slices shows, and how that becomes dots: window, part, lesions, scale bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tmtv_engine.lesion.lists import Lesions
from tmtv_tui.review.cursor import Cursor, Index
from tmtv_tui.review.images import Cut
from tmtv_tui.review.picture import GREYS, Pixels, Placed, place
from tmtv_tui.review.planes import Box, Plane

InSlice = Mapping[int, tuple[Pixels, Pixels]]
How = Literal["pet", "ct", "fused"]
HOT = 0.25  # of the window: below it a fused picture shows the CT
HEAT = (  # of the 256 colours, from dim to glowing
    "rgb(95,0,95)",
    "rgb(135,0,95)",
    "rgb(175,0,95)",
    "rgb(215,0,95)",
    "rgb(255,95,95)",
    "rgb(255,175,0)",
    "rgb(255,215,0)",
    "rgb(255,255,135)",
)
CT_WINDOWS = (("soft tissue", -160.0, 240.0), ("lung", -1350.0, 150.0), ("bone", -500.0, 1300.0))
EDGE = 0.1  # of the part: nearer to its border than this, it follows the cursor
BAR = (5, 14)  # cells that a scale bar may take


@dataclass(frozen=True)
class Look:
    """How slices are shown: ``how`` (PET, CT, or PET's heat on the CT), the SUV that is black,
    the number of the CT's window, and how near (0: the whole field, 1: the body, 2 …)."""

    how: How = "pet"
    white_suv: float = 10.0
    ct_window: int = 0
    zoom: int = 1


@dataclass(frozen=True, eq=False)
class Scene:
    """Slice ``at`` of a ``plane``, as the array has it: ``pet`` in SUV, ``ct`` in HU.

    ``body``: lowest and highest voxel of what is shown at first. ``lesions``: the (row, col) of
    lesions in it, by number; ``colours`` theirs, ``signs`` what stands for them where marks are
    letters. ``start``: from where a distance is measured.
    """

    plane: Plane
    at: int
    pet: Cut
    ct: Cut | None
    look: Look
    body: tuple[Index, Index]
    cursor: Cursor
    lesions: InSlice
    colours: Mapping[int, str]
    signs: Mapping[int, str]
    chosen: int | None
    start: Cursor | None = None

    def darkness(self) -> tuple[npt.NDArray[Any], float]:
        """The picture (rows, cols) as numbers that are dark where high, and which is black."""
        if self.look.how == "pet" or self.ct is None:
            return self.plane.image(self.pet), self.look.white_suv
        _, low, high = CT_WINDOWS[self.look.ct_window]
        return high - self.plane.image(self.ct), high - low

    def placed(self, box: Box, cols: int, rows: int, mode: str, greys: int) -> Placed:
        """The part ``box`` of it in dots."""
        image, black = self.darkness()
        of_ct = self.look.how != "pet" and self.ct is not None
        mm = self.plane.mm
        return place(image, box, cols, rows, black, mode, greys, mm=mm, mean=of_ct)

    def heat(self, box: Box, cols: int, rows: int, mode: str) -> dict[tuple[int, int], str]:
        """The dots in which a fused picture shows the PET, in which colour."""
        if self.look.how != "fused" or self.ct is None:
            return {}
        image = self.plane.image(self.pet)
        found = place(image, box, cols, rows, self.look.white_suv, mode, mm=self.plane.mm)
        share = (GREYS - 1 - found.grey.astype(float)) / (GREYS - 1)
        step = np.clip((share - HOT) / (1 - HOT) * len(HEAT), 0, len(HEAT) - 1).astype(int)
        return {(int(y), int(x)): HEAT[step[y, x]] for y, x in np.argwhere(share >= HOT)}


def voxels_of(lesions: Lesions) -> dict[int, npt.NDArray[np.int64]]:
    """The voxels (n, 3) of every lesion."""
    index = lesions.index()
    return {int(n): index[lesions.span(k)] for k, n in enumerate(lesions.ids)}


def lesions_in(
    plane: Plane, at: int, voxels: Mapping[int, npt.NDArray[np.int64]], shown: Sequence[int]
) -> InSlice:
    """The (rows, cols) of those of ``shown`` that lie in a slice, in the order of ``shown``."""
    found = {}
    for number in shown:
        index = voxels[number]
        here = plane.pixel(index[index[:, plane.across[0]] == at])
        if len(here):
            found[number] = (here[:, 0], here[:, 1])
    return found


def part_of(scene: Scene, cols: int, rows: int, before: Box | None) -> Box:
    """The pixels (top, bottom, left, right) that a pane of ``cols`` × ``rows`` cells shows.

    Nearer, it is around the cursor, and stays (``before``) while that is well inside.
    """
    plane, zoom = scene.plane, scene.look.zoom
    high, wide = plane.size
    whole = (0, high, 0, wide)
    row, col = (int(n) for n in plane.pixel(scene.cursor.index))
    top, bottom, left, right = body = plane.box(*scene.body)
    if zoom == 0 or (zoom == 1 and not (top <= row < bottom and left <= col < right)):
        return whole
    if zoom == 1:
        return body
    scale = mm_a_cell(plane, body, cols, rows) / zoom
    size = (
        min(high, max(1, round(2 * rows * scale / plane.mm[0]))),
        min(wide, max(1, round(cols * scale / plane.mm[1]))),
    )
    if before is not None and (before[1] - before[0], before[3] - before[2]) == size:
        margins = [max(1, round(EDGE * n)) for n in size]
        inside = before[0] + margins[0] <= row < before[1] - margins[0]
        if inside and before[2] + margins[1] <= col < before[3] - margins[1]:
            return before
    top = min(max(0, row - size[0] // 2), high - size[0])
    left = min(max(0, col - size[1] // 2), wide - size[1])
    return top, top + size[0], left, left + size[1]


def mm_a_cell(plane: Plane, box: Box, cols: int, rows: int) -> float:
    """The width of a cell in mm where ``box`` fills ``cols`` × ``rows`` cells."""
    tall, wide = (box[1] - box[0]) * plane.mm[0], (box[3] - box[2]) * plane.mm[1]
    return max(tall / max(2 * rows, 1), wide / max(cols, 1), 1e-6)


def scale_bar(placed: Placed, plane: Plane) -> tuple[int, float]:
    """Cells of a scale bar, and its length in mm: as near to full centimetres as cells allow."""
    cell = (placed.box[3] - placed.box[2]) * plane.mm[1] / placed.cells[1]
    half = placed.cells[1] // 2  # where a letter stands; the length takes up to five cells
    most = max(1, min(BAR[1], half - 5))
    counts = range(min(BAR[0], most), most + 1)
    best = min(counts, key=lambda n: (abs(n * cell / 10 - round(n * cell / 10)) / n, -n))
    return best, best * cell
