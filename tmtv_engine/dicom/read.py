"""A series of DICOM files to one volume, strict about what is missing or does not belong."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from tmtv_engine.dicom.discover import head_of
from tmtv_engine.dicom.geometry import (
    Slice,
    Step,
    filled,
    grid_of,
    in_order,
    shifts_px,
    slice_of,
    step_of,
    unshifted,
)
from tmtv_engine.dicom.header import several
from tmtv_engine.dicom.images import Image, images_of, of_one_kind, once, whole_head
from tmtv_engine.dicom.numbers import contradicted, numbered_late, promised, thinned
from tmtv_engine.dicom.parse import lenient
from tmtv_engine.errors import InputError
from tmtv_engine.image.volume import Array, Grid
from tmtv_engine.notices import Notice, notice, refuse

_NO_IMAGES = frozenset({"DICOMDIR", "THUMBS.DB", ".DS_STORE", "DESKTOP.INI"})


@dataclass(frozen=True, eq=False)
class Stack:
    """A read series: float32 array (z, y, x) after slope and intercept, grid, slices, notices.

    ``header`` is the whole header of the first slice; those of ``slices`` may hold only what
    differs by slice. ``promised``: how many slices the headers speak of, None where they do not.
    ``as_stored``: no slice was interpolated or moved.
    """

    array: Array
    grid: Grid
    slices: tuple[Slice, ...]
    header: Dataset
    notices: tuple[Notice, ...] = ()
    promised: int | None = None
    present: int = 0
    as_stored: bool = True


def read_series(
    files: Sequence[Path], *, allow_gaps: bool = False, accepted: Collection[str] = ()
) -> Stack:
    """Read and rescale a series, single- or multi-frame, slices sorted along their normal.

    Raises `InputError` for a file that cannot be decoded, `GeometryError`, naming the positions,
    for missing, doubled or crooked slices, `Implausible` for what ``accepted`` may take.
    """
    if not files:
        raise InputError("a series without files", "Give the folder of the whole series.")
    found, copies = once([image for path in files for image in images_of(path)])
    images, foreign = of_one_kind(found)
    slices, along = in_order([slice_of(image) for image in images])
    beside = _unreadable(files)
    asked = 0 if _dynamic(images) else promised(images)
    typical = float(np.median(np.diff(along)))
    thin = thinned(slices, typical, asked)
    step = step_of(slices, along, asked, allow_gaps, _said(beside), thin)
    notices = [*copies, *foreign, *_warned(slices, step, asked, beside, accepted)]
    notices += [] if step.missing else contradicted(slices, along, asked)
    shifts = shifts_px(slices)
    if shifts.any():
        notices.append(refuse("slices-shifted", _shifted(slices, shifts), accepted))
    header, present = whole_head(slices[0].image), len(slices)
    array, told = _pixels(slices, accepted, _padding(header))
    array = unshifted(array, shifts) if shifts.any() else array
    if step.missing:
        array, slices = filled(array, slices, along, step.mm)
    return Stack(
        array,
        grid_of(slices, step.mm),
        tuple(slices),
        header,
        (*notices, *told),
        asked or None,
        present,
        not step.missing and not shifts.any(),
    )


def _dynamic(images: Sequence[Image]) -> bool:
    words = {str(v).upper() for v in several(images[0].head.get("SeriesType"))}
    return bool(words & {"DYNAMIC", "GATED"})


def _warned(
    slices: Sequence[Slice],
    step: Step,
    asked: int,
    beside: Sequence[Path],
    accepted: Collection[str],
) -> list[Notice]:
    """What to say of holes, of files that could not be read, and of numbers that begin late."""
    told = []
    short = step.missing + step.short
    if short:
        told.append(notice("gaps", f"{step.missing} between others, {step.short} at an end"))
    if beside and (asked or short):
        told.append(notice("unreadable-files", _names(beside)))
    elif beside:
        told.append(refuse("unreadable-files", _names(beside), accepted))
    if slices[0].head.get("Modality") != "PT":
        return told
    late = numbered_late(slices)
    if late and not asked:
        told.append(notice("numbered-late", f"from {late}"))
    lifted = [piece for piece in slices if piece.intercept]
    if 0 < len(lifted) < len(slices):
        told.append(
            notice("slice-jump", f"RescaleIntercept of {lifted[0].path.name} and not of all")
        )
    lost = next((piece for piece in slices if piece.image.lossy), None)
    if lost is not None:
        told.append(notice("lossy", lost.path.name))
    spilled = next((piece for piece in slices if piece.image.spills), None)
    if spilled is not None:
        told.append(notice("bits-stored", f"{spilled.path.name}: {spilled.head.get('BitsStored')}"))
    return told


def _unreadable(files: Sequence[Path]) -> list[Path]:
    """Files beside the series', named as they are, that are no readable DICOM."""
    found = []
    for folder in sorted({path.parent for path in files}):
        own = {path for path in files if path.parent == folder}
        shapes, endings = {_shape(p) for p in own}, {p.suffix.lower() for p in own}
        regular = len(shapes) < max(len(own), 2)
        for other in sorted(folder.iterdir()):
            if other in own or other.name.upper() in _NO_IMAGES or other.name.startswith("."):
                continue
            alike = _shape(other) in shapes if regular else other.suffix.lower() in endings
            there = other.is_file() or (other.is_symlink() and not other.exists())
            if alike and there and not _is_readable(other):
                found.append(other)
    return found


def _shape(path: Path) -> str:
    """A name with its numbers left out: `PT012.dcm` and `PT013.dcm` have one shape."""
    return re.sub(r"[0-9.]*[0-9]+", "#", path.name)


def _is_readable(path: Path) -> bool:
    """Whether it is an image; a link that leads nowhere is none."""
    try:
        return path.is_file() and head_of(path) is not None
    except OSError:
        return False


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(p.name for p in paths[:5]) + (" …" if len(paths) > 5 else "")


def _said(paths: Sequence[Path]) -> str:
    return f"; not readable beside them: {_names(paths)}" if paths else ""


def _shifted(slices: Sequence[Slice], shifts: Array) -> str:
    k = int(np.abs(shifts).max(axis=1).argmax())
    apart = np.hypot(*(shifts[k] * slices[0].spacing_mm))
    return f"{slices[k].path}: {apart:.2f} mm beside {slices[0].path.name}"


def _padding(header: Dataset) -> int:
    """What a PET calls padding and would read as uptake, stored; 0 for nothing."""
    value = header.get("PixelPaddingValue")
    return value if header.get("Modality") == "PT" and isinstance(value, int) else 0


def _pixels(
    slices: Sequence[Slice], accepted: Collection[str], padding: int
) -> tuple[Array, list[Notice]]:
    """The rescaled pixels (z, y, x), each file read once and straight into its place."""
    padded: list[Path] = []
    array = np.empty((len(slices), *slices[0].shape), np.float32)
    order = sorted(range(len(slices)), key=lambda k: str(slices[k].path))
    groups = [list(ks) for _, ks in groupby(order, key=lambda k: slices[k].path)]

    def place(group: list[int]) -> list[Path]:
        """Rescale a file's frames; returns it where a slope cannot be."""
        frames, odd = slices[group[0]].image.decoded(), []
        for k in group:
            piece = slices[k]
            stored = frames[piece.frame]
            np.multiply(stored, np.float32(piece.slope), out=array[k], casting="unsafe")
            if piece.intercept:
                array[k] += np.float32(piece.intercept)
            if piece.slope <= 0 and stored.any():
                odd.append(piece.path)
            if padding and piece.slope * padding + piece.intercept > 0:
                padded.extend([piece.path] if (stored == padding).any() else [])
        return odd

    with ThreadPoolExecutor(2) as pool:
        odd = [path for paths in pool.map(place, groups) for path in paths]
    told = [refuse("slope", str(odd[0]), accepted, tag="RescaleSlope")] if odd else []
    if padded:
        what = f"{min(padded)}: {padding}"
        told.append(refuse("padding", what, accepted, tag="PixelPaddingValue"))
    return array, told


def header_json(head: Dataset) -> dict[str, Any]:
    """A header as DICOM JSON without pixels, private tags and what differs slice by slice."""
    plain = Dataset()
    with lenient():
        for element in head:
            if not element.tag.is_private and element.VR not in ("OB", "OW", "UN"):
                plain.add(element)
        found: dict[str, Any] = plain.to_json_dict(suppress_invalid_tags=True)
    return found
