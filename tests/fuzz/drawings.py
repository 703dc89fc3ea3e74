"""ROIs whose every voxel is known, as RTSTRUCT and SEG, and what bends them."""

from __future__ import annotations

import random
import warnings
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.path import Path as Outline
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.utils import pack_bits
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

from tests.fuzz.world import parsed, written

Mask = npt.NDArray[np.bool_]
Masks = Mapping[str, Mask]
Chance = random.Random
SHAPE, SPACING, ORIGIN = (12, 11, 13), (4.0, 3.0, 2.0), (-10.0, 20.0, -300.0)
BOXES = {"node": ((2, 6), (2, 5), (3, 9)), "spleen": ((5, 9), (6, 10), (1, 12))}
ODD = ("", "0", "-1", "NaN", "inf", "1e9", "abc", "3.5", "12", "1" * 40, "\x1b[31m")


def truth() -> dict[str, Mask]:
    """The voxels of each ROI."""
    found = {}
    for name, ranges in BOXES.items():
        found[name] = np.zeros(SHAPE, bool)
        found[name][tuple(slice(a, b) for a, b in ranges)] = True
    return found


def _new(kind: str, modality: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID, ds.Modality = kind, "1.2.3.77", modality
    ds.FrameOfReferenceUID, ds.SeriesInstanceUID = "1.2.3.9", "1.2.3.78"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _mm(z: float, y: float, x: float) -> list[float]:
    at = np.array(ORIGIN) + np.array([x, y, z]) * SPACING[::-1]
    return [round(float(v), 4) for v in at]


def rtstruct() -> bytes:
    """Boxes along voxel edges, slice by slice."""
    ds = _new("1.2.840.10008.5.1.4.1.1.481.3", "RTSTRUCT")
    named, drawn = [], []
    for number, (name, (zs, ys, xs)) in enumerate(BOXES.items(), 1):
        roi, contours = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, "1.2.3.9"
        contours.ReferencedROINumber = number
        items = []
        for z in range(*zs):
            low, high = (ys[0] - 0.5, xs[0] - 0.5), (ys[1] - 0.5, xs[1] - 0.5)
            corners = [low, (low[0], high[1]), high, (high[0], low[1])]
            item = Dataset()
            item.ContourGeometricType, item.NumberOfContourPoints = "CLOSED_PLANAR", 4
            item.ContourData = [f"{v:.4f}" for y, x in corners for v in _mm(z, y, x)]
            items.append(item)
        contours.ContourSequence = Items(items)
        named.append(roi)
        drawn.append(contours)
    ds.StructureSetROISequence, ds.ROIContourSequence = Items(named), Items(drawn)
    return written(ds)


def seg() -> bytes:
    """A frame a slice and segment."""
    ds = _new("1.2.840.10008.5.1.4.1.1.66.4", "SEG")
    ds.SegmentationType, ds.SamplesPerPixel, ds.PixelRepresentation = "BINARY", 1, 0
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit, ds.PhotometricInterpretation = 0, "MONOCHROME2"
    ds.Rows, ds.Columns = SHAPE[1:]
    frames, groups, segments = [], [], []
    for number, (name, mask) in enumerate(truth().items(), 1):
        segment = Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, name
        segments.append(segment)
        for z in np.flatnonzero(mask.any(axis=(1, 2))):
            frames.append(mask[z])
            group, place, own = Dataset(), Dataset(), Dataset()
            place.ImagePositionPatient = _mm(float(z), 0, 0)
            own.ReferencedSegmentNumber = number
            group.PlanePositionSequence = Items([place])
            group.SegmentIdentificationSequence = Items([own])
            groups.append(group)
    shared, size, turned = Dataset(), Dataset(), Dataset()
    size.PixelSpacing, size.SpacingBetweenSlices, size.SliceThickness = [3.0, 2.0], 4.0, 4.0
    turned.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([size]), Items([turned])
    ds.SharedFunctionalGroupsSequence, ds.SegmentSequence = Items([shared]), Items(segments)
    ds.PerFrameFunctionalGroupsSequence = Items(groups)
    ds.NumberOfFrames = len(frames)
    ds.PixelData = pack_bits(np.stack(frames).astype(np.uint8))
    return written(ds)


def bent(data: bytes, chance: Chance) -> tuple[bytes, str]:
    """Rotten or cut bytes, or an attribute at any depth that is gone, twice, or another."""
    how = chance.choices(("value", "gone", "item", "rot", "cut", "move"), (5, 2, 3, 1, 1, 3))[0]
    if how in ("rot", "cut"):
        raw = bytearray(data)
        if how == "cut":
            return bytes(raw[: chance.randrange(len(raw))]), "cut"
        for _ in range(chance.choice((1, 1, 8))):
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        return bytes(raw), "rot"
    ds = parsed(data)
    at: Dataset = ds
    told: list[str] = []
    while True:  # walk down into a random item
        inner = [e for e in at if e.VR == "SQ" and e.value]
        if not inner or (chance.random() < 0.25 and told):
            break
        element = chance.choice(inner)
        told.append(str(element.keyword)[:14])
        if how == "item" and chance.random() < 0.5:
            return _items(ds, element, chance, told)
        at = chance.choice(list(element.value))
    plain = [e for e in at if e.VR != "SQ" and e.keyword]
    if not plain:
        return data, "nothing"
    element = chance.choice(plain)
    told.append(str(element.keyword))
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        try:
            if how == "gone":
                del at[element.tag]
            elif how == "move":
                _moved(element, chance)
            else:
                odd = chance.choice(ODD)
                element.value = int(odd) if element.VR in ("US", "UL", "IS") else odd
            return written(ds), f"{how} {'.'.join(told)}"
        except Exception:  # pydicom's own, of many kinds
            return data, "nothing"


def _moved(element: object, chance: Chance) -> None:
    """Numbers that are some way off."""
    value = element.value  # type: ignore[attr-defined]
    many = hasattr(value, "__len__") and not isinstance(value, (str, bytes))
    numbers = [float(v) for v in value] if many else [float(value)]
    by = chance.choice((0.001, 0.4, 1.0, 2.0, 3.0, 4.0, 40.0, -3.0))
    for k in range(len(numbers)) if chance.random() < 0.5 else [chance.randrange(len(numbers))]:
        numbers[k] += by
    whole = element.VR in ("US", "UL", "IS")  # type: ignore[attr-defined]
    new = [int(v) if whole else f"{v:.6g}" for v in numbers]
    element.value = new if many else new[0]  # type: ignore[attr-defined]


def _items(ds: Dataset, element: object, chance: Chance, told: list[str]) -> tuple[bytes, str]:
    """An item gone, twice, or in another place."""
    items = list(element.value)  # type: ignore[attr-defined]
    how, k = chance.choice(("gone", "twice", "empty", "shuffled")), chance.randrange(len(items))
    if how == "gone":
        del items[k]
    elif how == "twice":
        items.append(items[k])
    elif how == "empty":
        items[k] = Dataset()
    else:
        chance.shuffle(items)
    element.value = Items(items)  # type: ignore[attr-defined]
    return written(ds), f"item {how} {'.'.join(told)}"


def reading(data: bytes) -> Masks | None:
    """The voxels that the bent file draws, where that is plain; nothing of ours."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            ds = parsed(data)
            return _contours(ds) if ds.Modality == "RTSTRUCT" else _frames(ds)
    except Exception:  # an oracle that cannot read says nothing
        return None


def _contours(ds: Dataset) -> Masks | None:
    names = {int(r.ROINumber): str(r.get("ROIName") or "") for r in ds.StructureSetROISequence}
    y, x = (a.reshape(-1) for a in np.indices(SHAPE[1:]))
    found: dict[str, Mask] = {}
    for roi in ds.ROIContourSequence:
        number = int(roi.ReferencedROINumber)
        mask, seen = np.zeros(SHAPE, bool), set()
        for item in roi.get("ContourSequence") or []:
            points = (np.array(item.ContourData, float).reshape(-1, 3) - ORIGIN) / SPACING[::-1]
            z = round(float(points[:, 2].mean()))
            if np.abs(points[:, 2] - z).max() > 0.02:
                return None
            key = (z, tuple(sorted(map(tuple, np.round(points, 3).tolist()))))
            if key in seen or not 0 <= z < SHAPE[0]:
                continue
            seen.add(key)
            centres = np.c_[x, y] + 1e-7  # a centre on a lower edge is inside, on an upper not
            inside = Outline(points[:, :2]).contains_points(centres)
            mask[z] ^= inside.reshape(SHAPE[1:])
        found[names.get(number) or f"ROI {number}"] = mask
    return found


def _frames(ds: Dataset) -> Masks | None:
    shared = ds.SharedFunctionalGroupsSequence[0]
    size, turned = shared.PixelMeasuresSequence[0], shared.PlaneOrientationSequence[0]
    dy, dx = (float(v) for v in size.PixelSpacing)
    axial = np.allclose(turned.ImageOrientationPatient, [1, 0, 0, 0, 1, 0], atol=1e-3)
    if not (axial and ds.SegmentationType == "BINARY"):
        return None
    count, rows, columns = int(ds.NumberOfFrames), int(ds.Rows), int(ds.Columns)
    bits = np.unpackbits(np.frombuffer(ds.PixelData, np.uint8), bitorder="little")
    images = bits[: count * rows * columns].reshape(count, rows, columns).astype(bool)
    names = {int(s.SegmentNumber): str(s.get("SegmentLabel") or "") for s in ds.SegmentSequence}
    found = {name or str(n): np.zeros(SHAPE, bool) for n, name in names.items()}
    for group, image in zip(ds.PerFrameFunctionalGroupsSequence, images, strict=True):
        at = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        z = (at[2] - ORIGIN[2]) / SPACING[0]
        if abs(z - round(z)) > 0.1:
            return None
        if not 0 <= round(z) < SHAPE[0]:
            continue
        number = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        name = names[number] or str(number)
        y, x = np.indices(SHAPE[1:])
        r = np.round((ORIGIN[1] + y * SPACING[1] - at[1]) / dy).astype(int)
        c = np.round((ORIGIN[0] + x * SPACING[2] - at[0]) / dx).astype(int)
        inside = (r >= 0) & (c >= 0) & (r < rows) & (c < columns)
        found[name][round(z)][inside] |= image[r[inside], c[inside]]
    return found
