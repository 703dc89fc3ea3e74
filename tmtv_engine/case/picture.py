"""`mip.png`: coronal and sagittal projections with the lesions outlined and numbered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.case.lettering import Box, places
from tmtv_engine.case.parts import masses_in_parts
from tmtv_engine.case.record import CaseRecord, LesionRow
from tmtv_engine.image.projections import Mip, project_points
from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Status
from tmtv_engine.text import counted

SUV_WHITE_TO_BLACK = 10.0
FAINT = 0.35
"""The share of its colour that a candidate is drawn in if it is named physiologic."""
_HEIGHT = 900
_MARGIN = 14
PAPER_MM = (186.0, 190.0)
"""How wide and high a picture lies on an A4 page with margins of 12 mm, at most."""
_PAPER_HEIGHT = 1500
_DIGIT_MM = 2.9  # the height of 8 points
_BODY_SUV = 0.3
_AROUND = 8  # columns beside the body, for numbers
_LETTERS = 17
_HALO = 2  # pixels of white around a name, to be read over dark uptake


@dataclass(frozen=True, eq=False)
class Mark:
    """What is outlined: voxels (n, 3) as (z, y, x), its name, its colour and the share of it that
    is laid over the picture; ``broad`` ones have a thicker line."""

    index: npt.NDArray[np.int64]
    name: str
    rgb: tuple[int, int, int]
    share: float = 1.0
    broad: bool = False


def write_picture(path: Path, mip: Mip, lesions: Lesions, record: CaseRecord) -> None:
    """Write a PNG: 0°, 90°, a grey scale of SUV 0–10 and the totals of every method.

    ``lesions`` and ``record.lesions`` are in the same order; the outline is the lesion's own,
    before any cut, in the colour of its status.
    """
    write_sheet(path, mip, lesions.grid, marks_of(lesions, record.lesions), caption(record))


def marks_of(lesions: Lesions, rows: Sequence[LesionRow]) -> list[Mark]:
    """Lesions with their numbers in the colours of their status, in drawing order."""
    index = lesions.index()
    return [
        Mark(
            index[lesions.span(k)],
            str(rows[k].id),
            rows[k].status.paper,
            FAINT if _faint(rows[k]) else 1.0,
        )
        for k in drawing_order(rows)
    ]


def write_sheet(path: Path, mip: Mip, grid: Grid, marks: Sequence[Mark], text: str) -> None:
    """Write a PNG: front and side projection with ``marks``, the last on top, and words."""
    from PIL import Image, ImageDraw, ImageFont

    views = _views(mip, grid, marks, _zoom(mip, _HEIGHT), ImageFont.load_default(size=_LETTERS))
    font, side = ImageFont.load_default(size=16), 350
    left = _MARGIN + views.width + _MARGIN
    sheet = Image.new("RGB", (left + side + _MARGIN, views.height + 2 * _MARGIN), "white")
    sheet.paste(views, (_MARGIN, _MARGIN))
    draw = ImageDraw.Draw(sheet)
    _scale(draw, left, _MARGIN, side - 2 * _MARGIN, font)
    draw.multiline_text((left, _MARGIN + 60), text, fill="black", font=font, spacing=6)
    sheet.save(path, format="PNG")


def write_print(path: Path, mip: Mip, lesions: Lesions, rows: Sequence[LesionRow]) -> None:
    """Write a PNG for paper: front and side projection, cropped to the body, without words.

    Accepted lesions alone have their numbers, of 8 points where the picture is as large as
    `PAPER_MM` allows; the others are outlined.
    """
    from PIL import ImageFont

    marks = [
        mark if rows[k].status == Status.ACCEPTED else replace(mark, name="")
        for k, mark in zip(drawing_order(rows), marks_of(lesions, rows), strict=True)
    ]
    zoom = _zoom(mip, _PAPER_HEIGHT)
    parts = [_body(mip, lesions.grid, marks, angle) for angle in _angles(mip)]
    wide = zoom * sum(part.stop - part.start for part in parts) + _MARGIN
    dot_mm = min(PAPER_MM[0] / wide, PAPER_MM[1] / (zoom * mip.images.shape[1]))
    font = ImageFont.load_default(size=math.ceil(_DIGIT_MM / dot_mm))
    _views(mip, lesions.grid, marks, zoom, font).save(path, format="PNG")


def _views(mip: Mip, grid: Grid, marks: Sequence[Mark], zoom: int, font: Any) -> Any:
    """Front and side projection, cropped to the body, side by side."""
    from PIL import Image

    found = [
        _view(mip, grid, marks, angle, zoom, font, _body(mip, grid, marks, angle))
        for angle in _angles(mip)
    ]
    wide = sum(view.width for view in found) + _MARGIN
    sheet = Image.new("RGB", (wide, found[0].height), "white")
    sheet.paste(found[0], (0, 0))
    sheet.paste(found[1], (found[0].width + _MARGIN, 0))
    return sheet


def _zoom(mip: Mip, high: int) -> int:
    return max(1, round(high / int(mip.images.shape[1])))


def _angles(mip: Mip) -> tuple[int, int]:
    """Which projections are the front's and the side's."""
    return 0, int(np.argmin(np.abs(mip.angles_deg - 90)))


def _body(mip: Mip, grid: Grid, marks: Sequence[Mark], angle: int) -> slice:
    """The columns of a projection that the body and every mark lie in, and some beside them."""
    seen = np.any(mip.suv(angle) > _BODY_SUV, axis=0)
    for mark in marks:
        seen[project_points(grid.affine, mark.index, angle, mip)[1]] = True
    found = np.flatnonzero(seen)
    if not len(found):
        return slice(0, len(seen))
    return slice(max(0, int(found[0]) - _AROUND), min(len(seen), int(found[-1]) + 1 + _AROUND))


def caption(record: CaseRecord) -> str:
    """The words beside the projections: case, model, totals, what the outlines mean."""
    lines = [record.case, f"model: {record.model.name}", ""]
    for key, sums in record.totals.items():
        lines.append(f"TMTV {key:>5}: {sums.tmtv_ml:.1f} mL in {counted(sums.lesions, 'lesion')}")
    lines += ["", "left: front (patient's right on the left)", "right: side (front on the left)"]
    lines += ["red: accepted   blue: candidate", "faint: named physiologic", "grey: rejected", ""]
    masses = masses_in_parts(record.lesions)
    if masses:
        parts, whole = sum(map(len, masses)), "mass" if len(masses) == 1 else "masses"
        lines += [
            f"{parts} lesions are parts of {len(masses)} {whole}:",
            "  41 % is of each part's",
        ]
        lines += ["  maximum (tmtv merge, --no-split)", ""]
    codes = [w.code for w in record.warnings]
    lines += [f"warning: {code}" for code in codes[:8]]
    return "\n".join([*lines, "", "Research use only."])


def _view(
    mip: Mip,
    grid: Grid,
    marks: Sequence[Mark],
    angle: int,
    zoom: int,
    font: Any,
    columns: slice,
) -> Any:
    from PIL import Image, ImageDraw

    suv = mip.suv(angle)[:, columns]
    grey = 255 - np.clip(suv / SUV_WHITE_TO_BLACK * 255, 0, 255)
    size = (grey.shape[1] * zoom, grey.shape[0] * zoom)
    large = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    rgb = np.repeat(np.asarray(large)[:, :, None], 3, axis=2)
    boxes: list[Box] = []
    for mark in marks:
        rows, cols = project_points(grid.affine, mark.index, angle, mip)
        at = rows, cols - columns.start
        (top, left), (bottom, right) = [a.min() for a in at], [a.max() + 1 for a in at]
        mask = np.zeros((bottom - top, right - left), bool)
        mask[at[0] - top, at[1] - left] = True
        edge = _outline(np.kron(mask, np.ones((zoom, zoom), bool)), mark.broad)
        box = Box(*(int(side) * zoom for side in (left, top, right, bottom)))
        part = rgb[box.top : box.bottom, box.left : box.right]
        part[edge] = _over(part[edge], mark)
        boxes.append(box)
    image = Image.fromarray(rgb)
    _name(ImageDraw.Draw(image), list(zip(marks, boxes, strict=True))[::-1], font)
    return image


def drawing_order(rows: Sequence[LesionRow]) -> list[int]:
    """From what may be covered to what may not: named physiologic, rejected, candidates, accepted;
    of each the smaller first."""
    rank = list(Status)
    return sorted(
        range(len(rows)),
        key=lambda k: (not _faint(rows[k]), rank.index(rows[k].status), rows[k].voxels, -k),
    )


def _over(pixels: npt.NDArray[np.uint8], mark: Mark) -> npt.NDArray[np.uint8]:
    """Pixels (n, 3) under a mark's outline or name: its colour, or a share of it."""
    mixed = (1.0 - mark.share) * pixels + mark.share * np.array(mark.rgb)
    return np.asarray(np.round(mixed), np.uint8)


def _faint(row: LesionRow) -> bool:
    named = row.structure is not None and row.structure.physiologic
    return named and row.status is Status.CANDIDATE


def _name(draw: Any, marks: Sequence[tuple[Mark, Box]], font: Any) -> None:
    """Each mark's name beside it, the first the nearest; what has no room has none."""
    marks = [(mark, box) for mark, box in marks if mark.name]
    inks = [draw.textbbox((0, 0), m.name, font=font, stroke_width=_HALO) for m, _ in marks]
    sizes = [(int(right - left), int(low - top)) for left, top, right, low in inks]
    wide, high = draw.im.size
    found = places([b for _, b in marks], sizes, wide, high)
    for (mark, _), ink, box in zip(marks, inks, found, strict=True):
        if box is not None:
            corner = (box.left - ink[0], box.top - ink[1])
            (ink_rgb,) = _over(np.full((1, 3), 255, np.uint8), mark).tolist()
            halo = {"stroke_width": _HALO, "stroke_fill": "white"}
            draw.text(corner, mark.name, fill=tuple(ink_rgb), font=font, **halo)


def _outline(mask: npt.NDArray[np.bool_], broad: bool = False) -> npt.NDArray[np.bool_]:
    core = mask
    for _ in range(3 if broad else 1):
        inside = np.pad(core, 1)
        core = core & inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return mask & ~core


def _scale(draw: Any, left: int, top: int, wide: int, font: Any) -> None:
    for x in range(wide):
        draw.line([(left + x, top), (left + x, top + 16)], fill=(255 - 255 * x // wide,) * 3)
    draw.rectangle([left, top, left + wide, top + 16], outline="black")
    draw.text((left, top + 20), "0", fill="black", font=font)
    draw.text((left + wide - 52, top + 20), "SUV 10", fill="black", font=font)
