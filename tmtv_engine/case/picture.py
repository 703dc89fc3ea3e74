"""`mip.png`: coronal and sagittal projections with the lesions outlined and numbered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.case.record import CaseRecord, LesionRow
from tmtv_engine.image.projections import Mip, project_points
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.origin import Status

SUV_WHITE_TO_BLACK = 10.0
COLOURS = {
    Status.ACCEPTED: (200, 20, 30),
    Status.CANDIDATE: (0, 110, 190),
    Status.REJECTED: (130, 130, 130),
}
_HEIGHT = 900
_MARGIN = 14


def write_picture(path: Path, mip: Mip, lesions: Lesions, record: CaseRecord) -> None:
    """Write a PNG: 0°, 90°, a grey scale of SUV 0–10 and the totals of every method.

    ``lesions`` and ``record.lesions`` are in the same order; the outline is the lesion's own,
    before any cut, in the colour of its status.
    """
    from PIL import Image, ImageDraw, ImageFont

    zoom = max(1, round(_HEIGHT / mip.images.shape[1]))
    font = ImageFont.load_default(size=15)
    views = []
    for angle in (0, int(np.argmin(np.abs(mip.angles_deg - 90)))):
        views.append(_view(mip, lesions, record.lesions, angle, zoom, font))
    high, wide = views[0].height, views[0].width
    text = caption(record)
    side = 330
    sheet = Image.new("RGB", (2 * wide + side + 4 * _MARGIN, high + 2 * _MARGIN), "white")
    for k, view in enumerate(views):
        sheet.paste(view, (_MARGIN + k * (wide + _MARGIN), _MARGIN))
    draw = ImageDraw.Draw(sheet)
    left = 2 * wide + 3 * _MARGIN
    _scale(draw, left, _MARGIN, side - 2 * _MARGIN, font)
    draw.multiline_text((left, _MARGIN + 60), text, fill="black", font=font, spacing=6)
    sheet.save(path, format="PNG")


def caption(record: CaseRecord) -> str:
    """The words beside the projections: case, model, totals, what the outlines mean."""
    lines = [record.case, f"model: {record.model.name}", ""]
    for key, sums in record.totals.items():
        lines.append(f"TMTV {key:>5}: {sums.tmtv_ml:.1f} mL in {sums.lesions} lesions")
    lines += ["", "left: front (patient's right on the left)", "right: side (front on the left)"]
    lines += ["red: accepted   blue: candidate", "grey: rejected", ""]
    codes = [w.code for w in record.warnings]
    lines += [f"warning: {code}" for code in codes[:8]]
    return "\n".join([*lines, "", "Research use only."])


def _view(
    mip: Mip, lesions: Lesions, rows: Sequence[LesionRow], angle: int, zoom: int, font: Any
) -> Any:
    from PIL import Image, ImageDraw

    suv = mip.suv(angle)
    grey = 255 - np.clip(suv / SUV_WHITE_TO_BLACK * 255, 0, 255)
    size = (grey.shape[1] * zoom, grey.shape[0] * zoom)
    large = Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    rgb = np.repeat(np.asarray(large)[:, :, None], 3, axis=2)
    index = lesions.index()
    labels = []
    for k, row in enumerate(rows):
        at = project_points(lesions.grid.affine, index[lesions.span(k)], angle, mip)
        mask = np.zeros(suv.shape, bool)
        mask[at] = True
        rgb[_outline(np.kron(mask, np.ones((zoom, zoom), bool)))] = COLOURS[row.status]
        labels.append((int(at[1].max() + 1) * zoom + 1, int(at[0].min()) * zoom - 8, row))
    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    for x, y, row in labels:
        draw.text((x, max(0, y)), str(row.id), fill=COLOURS[row.status], font=font)
    return image


def _outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    inside = np.pad(mask, 1)
    core = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return mask & ~core


def _scale(draw: Any, left: int, top: int, wide: int, font: Any) -> None:
    for x in range(wide):
        draw.line([(left + x, top), (left + x, top + 16)], fill=(255 - 255 * x // wide,) * 3)
    draw.rectangle([left, top, left + wide, top + 16], outline="black")
    draw.text((left, top + 20), "0", fill="black", font=font)
    draw.text((left + wide - 52, top + 20), "SUV 10", fill="black", font=font)
