"""A repair before it is made: what is asked for, what it would do, and its picture; no Textual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.repairs import FLOOR_SUV, add, erase, merge
from tmtv_engine.text import clean, counted
from tmtv_tui.review.cursor import Cursor, Index
from tmtv_tui.review.planes import Plane

if TYPE_CHECKING:
    from tmtv_engine.review.asked import Interactive
    from tmtv_engine.review.source import Pet
    from tmtv_tui.review.opened import Opened

VIEW_MM = 70.0
LOOKING = "arrows and < > to what is no tumour, then x; Escape leaves it"
UNREAD = "the images that this needs cannot be read"
Pixels = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
IntArray = npt.NDArray[np.int64]


class Kind(StrEnum):
    """What is to be done."""

    ADD = "add a lesion"
    GROW = "grow"
    ERASE = "erase a sphere from"
    BELOW = "shrink: keep what is above an SUV of"
    ABOVE = "cap: take away what is above an SUV of"
    MERGE = "merge"


@dataclass(frozen=True)
class Draft:
    """A repair as it is asked for; ``share`` is a percent of the highest SUV near the point.

    ``model``: the interactive one that can be asked, if any; ``asks``: it is, with ``background``
    as what is no tumour. While one looks for such a point, the one asked about is ``kept``.
    """

    kind: Kind
    point: Cursor
    lesions: tuple[int, ...] = ()
    suv: float = FLOOR_SUV
    share: float | None = None
    reach_mm: float = 60.0
    radius_mm: float = 10.0
    model: str = ""
    asks: bool = False
    background: tuple[Cursor, ...] = ()
    kept: Cursor | None = None

    @property
    def grows(self) -> bool:
        """Whether it floods from the point."""
        return self.kind in (Kind.ADD, Kind.GROW)

    def decision(self, pet: Pet) -> Decision:
        """The decision that it asks for; raises `UsageError` where it cannot be."""
        if self.grows:
            above = self.suv if self.share is None else f"{self.share:g}%"
            into = self.lesions[0] if self.kind is Kind.GROW else None
            return add(pet, self.point.mm, above, self.reach_mm, into)
        if self.kind is Kind.ERASE:
            return erase(self.lesions[0], [(*self.point.mm, self.radius_mm)])
        if self.kind is Kind.MERGE:
            return merge(self.lesions)
        way = "below" if self.kind is Kind.BELOW else "above"
        return erase(self.lesions[0], **{way: self.suv})  # type: ignore[arg-type]

    def stepped(self, by: int) -> Draft:
        """Its number a step on: the radius, the SUV or the share."""
        if self.asks:
            return self
        if self.kind is Kind.ERASE:
            return replace(self, radius_mm=min(100.0, max(1.0, self.radius_mm + by)))
        if self.grows and self.share is not None:
            return replace(self, share=min(95.0, max(5.0, self.share + by)))
        return replace(self, suv=round(min(99.0, max(0.1, self.suv + 0.1 * by)), 1))

    def reaching(self, by: int) -> Draft:
        """What floods, from further or nearer: by 5 mm, below 10 mm by 1, down to one voxel."""
        step = 5 * by if self.reach_mm + by >= 10 else by
        return replace(self, reach_mm=min(500.0, max(1.0, self.reach_mm + step)))

    def other(self) -> Draft:
        """From the model to an SUV to a share and back; below for above and back."""
        if self.asks:
            back = self.kept or self.point
            return replace(self, asks=False, share=None, point=back, kept=None, background=())
        if self.grows and self.share is not None:
            return replace(self, share=None, asks=bool(self.model))
        if self.grows:
            return replace(self, share=41.0)
        turned = {Kind.BELOW: Kind.ABOVE, Kind.ABOVE: Kind.BELOW}
        return replace(self, kind=turned.get(self.kind, self.kind))

    def denied(self) -> Draft:
        """Looking for what is no tumour; then that it is here, and the model is asked once more."""
        if not self.asks:
            return self
        if self.kept is None:
            return replace(self, kept=self.point)
        return replace(self, point=self.kept, kept=None, background=(*self.background, self.point))

    def words(self) -> str:
        """What it is, with its numbers."""
        named = " ".join(f"#{n}" for n in self.lesions)
        told = [f"{self.kind} {named}".strip()]
        if self.asks:
            told.append(f"as {clean(self.model, 60)} answers at the point")
            told.append(f"within {self.reach_mm:g} mm")
            told += [f"not at {counted(len(self.background), 'point')}"] if self.background else []
        elif self.grows:
            suv, share = f"SUV {self.suv:g}", f"{self.share or 0:g} % of the highest near"
            told.append(f"above {suv if self.share is None else share}")
            told.append(f"within {self.reach_mm:g} mm")
        elif self.kind is Kind.ERASE:
            told.append(f"radius {self.radius_mm:g} mm")
        elif self.kind is not Kind.MERGE:
            told.append(f"SUV {self.suv:g}")
        return ", ".join(told)


def with_method(draft: Draft, key: str) -> Draft:
    """The draft with the SUV or the share of a method that has one."""
    method = parse_method(key)
    if method.value is None or method.kind not in ("suv", "percent"):
        return draft
    if method.kind == "suv":
        return replace(draft, suv=float(method.value))
    return replace(draft, share=round(100 * method.value)) if draft.grows else draft


@dataclass(frozen=True, eq=False)
class Cut:
    """One plane of a preview: ``image`` in SUV as it is shown, and pixels (rows, cols) of what
    comes, goes and stays in it, and of its point."""

    image: npt.NDArray[np.float32]
    gained: Pixels
    lost: Pixels
    kept: Pixels
    centre: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Preview:
    """What a draft would do: lines of mL by method, or why it cannot be; the voxels (n, 3) that it
    adds, takes away and leaves; ``cube``: the SUV around its point, from voxel ``low`` on."""

    draft: Draft
    decision: Decision | None
    told: str
    lines: tuple[str, ...]
    cube: npt.NDArray[np.float32]
    low: IntArray
    gained: IntArray
    lost: IntArray
    kept: IntArray

    def cut(self, plane: Plane) -> Cut:
        """What a plane through the point shows of it."""
        axis, point = plane.across[0], self.draft.point.index
        image = plane.image(np.take(self.cube, point[axis] - self.low[axis], axis=axis))
        high = self.low + self.cube.shape - 1
        top, _, left, _ = plane.box(_index(self.low), _index(high))

        def pixels(voxels: IntArray) -> Pixels:
            found = plane.pixel(voxels[voxels[:, axis] == point[axis]]) - (top, left)
            found = found[((found >= 0) & (found < image.shape)).all(axis=1)]
            return found[:, 0], found[:, 1]

        row, col = (int(n) for n in plane.pixel(point) - (top, left))
        return Cut(image, pixels(self.gained), pixels(self.lost), pixels(self.kept), (row, col))


def preview(
    opened: Opened,
    draft: Draft,
    model: Interactive | None = None,
    stop: Callable[[], bool] = lambda: False,
    blind: bool = False,
) -> Preview:
    """What a draft would do; never raises for what it cannot.

    ``model`` is asked where the draft says so, which may take minutes: until ``stop()`` holds;
    ``blind``: no error says where files lie.
    """
    before = opened.reading
    cube, low = _cube(opened, draft.point)
    none = np.zeros(0, np.int64)
    had = _held(before, draft.lesions)
    voxels = [none, none, had]
    decision, told = None, ""
    lines: tuple[str, ...] = ()
    try:
        if draft.kept is not None:
            raise UsageError(LOOKING)
        if draft.asks and model is not None:
            into = draft.lesions[0] if draft.lesions else None
            denied = [point.mm for point in draft.background]
            decision = model(opened.session, draft.point.mm, draft.reach_mm, into, stop, denied)
        else:
            decision = draft.decision(opened.session.replayer.pet)
        after = opened.session.preview(decision)
        number = after.lines[-1].lesions[0]
        own = _held(after, (number,))
        lines = _lines(opened, before, after, draft.lesions, number)
        voxels = [np.setdiff1d(own, had), np.setdiff1d(had, own), np.intersect1d(own, had)]
    except TmtvError as error:
        told, decision = " ".join(w for w in (error.what, error.remedy) if w), None
        if blind and not isinstance(error, UsageError):
            told = UNREAD
    shape = before.lesions.grid.shape
    changed = (np.stack(np.unravel_index(v, shape), axis=-1).astype(np.int64) for v in voxels)
    return Preview(draft, decision, told, lines, cube, low, *changed)


def _index(voxel: IntArray) -> Index:
    z, y, x = (int(n) for n in voxel)
    return z, y, x


def _held(reading: Reading, numbers: Sequence[int]) -> IntArray:
    rows = [reading.lesions.row(n) for n in numbers if n in reading.status]
    return reading.lesions.take(rows).voxels


def _lines(
    opened: Opened, before: Reading, after: Reading, lesions: Sequence[int], number: int
) -> tuple[str, ...]:
    """mL by every method: of the lesion and of all, before and after."""
    table = opened.table.after(opened.case, after.lesions, after.around, after.repaired)
    row = after.lesions.row(number)
    had = [before.lesions.row(n) for n in lesions if n in before.status]
    head = f"{'mL':>5}{f'#{number}':>14}{'total':>14}"
    found = [head, f"{'':>5}{'before':>7}{'after':>7}{'before':>7}{'after':>7}"]
    for key in opened.methods:
        own = opened.table.volume_ml[key][had].sum() if had else 0.0
        total = opened.table.total(key, before.accepted)[0]
        now = table.total(key, after.accepted)[0]
        found.append(
            f"{key:>5}{own:>7.1f}{table.volume_ml[key][row]:>7.1f}{total:>7.1f}{now:>7.1f}"
        )
    return tuple(found)


def _cube(opened: Opened, point: Cursor) -> tuple[npt.NDArray[np.float32], IntArray]:
    """The SUV around a point, and the index of its first voxel; without an image all black."""
    at = np.array(point.index)
    pad = np.ceil(VIEW_MM / np.array(point.grid.spacing_mm)).astype(np.int64)
    low = np.maximum(at - pad, 0)
    high = np.minimum(at + pad + 1, np.array(point.grid.shape))
    try:
        window = opened.session.replayer.pet.box(low, high)
        return np.asarray(window.volume.array, np.float32), low
    except TmtvError:
        return np.zeros(tuple(high - low), np.float32), low
