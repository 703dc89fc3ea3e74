"""A PET and a mask as NIfTI, bent field by field, and what the bent file says by arithmetic."""

from __future__ import annotations

import gzip
import random
import struct
from typing import Any

import numpy as np

from tests.fuzz.world import ORIGIN, SHAPE, SPACING, Float, Truth, affine_of, phantom

Chance = random.Random
FIELDS = {  # name: (offset, format, odd values)
    "sizeof_hdr": (0, "<i", (0, 540, 0x5C010000)),
    "dim0": (40, "<h", (0, 1, 2, 4, 7, 8, -1)),
    "dim1": (42, "<h", (0, 1, 29, 31, 32767, -30)),
    "dim2": (44, "<h", (0, 1, 25, 32767, -1)),
    "dim3": (46, "<h", (0, 1, 11, 13, 32767)),
    "dim4": (48, "<h", (0, 2, 3)),
    "datatype": (70, "<h", (0, 1, 2, 4, 8, 16, 64, 128, 256, 512, 1536, 2304)),
    "bitpix": (72, "<h", (0, 1, 8, 16, 32, 64)),
    "pixdim0": (76, "<f", (0.0, 1.0, -1.0, float("nan"))),
    "pixdim1": (80, "<f", (0.0, -3.0, 3.1, 0.003, 3000.0, float("nan"), float("inf"))),
    "pixdim2": (84, "<f", (0.0, 4.5, 0.004, float("nan"))),
    "pixdim3": (88, "<f", (0.0, 5.2, 50.0, float("nan"))),
    "vox_offset": (108, "<f", (0.0, 348.0, 353.0, 400.0, 1e9, -1.0, float("nan"))),
    "scl_slope": (112, "<f", (0.0, 1.0, 2.0, -1.0, 1e6, float("nan"), float("inf"))),
    "scl_inter": (116, "<f", (0.0, 1.0, -100.0, 1e6, float("nan"))),
    "xyzt_units": (123, "<b", (0, 1, 2, 3, 10)),
    "qform_code": (252, "<h", (0, 1, 2, 5, -1, 99)),
    "sform_code": (254, "<h", (0, 1, 2, 5, -1, 99)),
    "quatern_b": (256, "<f", (0.0, 0.1, 1.0, 2.0, float("nan"))),
    "qoffset_x": (268, "<f", (0.0, 100.0, float("nan"))),
    "srow_x0": (280, "<f", (0.0, 3.0, -3.3, 0.001, float("nan"))),
    "srow_z3": (324, "<f", (0.0, 311.0, 1e9, float("inf"))),
    "magic": (344, "<i", (0, 0x006E6931, 0x00312B6E, -1)),
}


def truth() -> Truth:
    """The phantom as the PET holds it."""
    return Truth(phantom(), affine_of((1, 0, 0, 0, 1, 0), ORIGIN, SPACING))


def pet(integers: bool) -> bytes:
    """The phantom in a plain `.nii`: float32, or int16 with a slope."""
    return _file(phantom() * (100 if integers else 1), "<i2" if integers else "<f4", integers)


def mask() -> bytes:
    """What is above SUV 4, 1."""
    return _file(phantom() > 4, "u1", False)


def _file(array: Any, kind: str, scaled: bool) -> bytes:
    head = bytearray(352)
    codes = {"<i2": (4, 16), "<f4": (16, 32), "u1": (2, 8)}
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, *SHAPE[::-1], 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, *codes[kind])
    struct.pack_into("<8f", head, 76, 1, *SPACING[::-1], 0, 0, 0, 0)
    struct.pack_into("<3f", head, 108, 352, 0.01 if scaled else 1.0, 0)
    head[123] = 2
    struct.pack_into("<2h", head, 252, 1, 1)
    x, y, z = -ORIGIN[0], -ORIGIN[1], ORIGIN[2]
    struct.pack_into("<6f", head, 256, 0, 0, 1, x, y, z)  # half a turn about z: LPS to RAS
    rows = [(-SPACING[2], 0, 0, x), (0, -SPACING[1], 0, y), (0, 0, SPACING[0], z)]
    struct.pack_into("<12f", head, 280, *(v for row in rows for v in row))
    head[344:348] = b"n+1\0"
    return bytes(head) + np.asarray(array).astype(kind).tobytes()


def bent(data: bytes, chance: Chance) -> tuple[bytes, str, str]:
    """The bent file, its suffix, and what was done."""
    raw, told = bytearray(data), []
    for _ in range(chance.choices((1, 2), (4, 1))[0]):
        how = chance.choices(("field", "cut", "rot", "more", "head rot"), (8, 1, 1, 1, 1))[0]
        if how == "field":
            name = chance.choice([*FIELDS])
            at, kind, values = FIELDS[name]
            value = chance.choice(values)
            if len(raw) > at + 8:
                struct.pack_into(kind, raw, at, value)
            told.append(f"{name}={value:g}")
            continue
        told.append(how)
        if how == "cut":
            raw = raw[: chance.randrange(len(raw))]
        elif how == "more":
            raw += bytes(chance.choice((1, 100, 5000)))
        elif raw:
            end = min(len(raw), 352) if how == "head rot" else len(raw)
            raw[chance.randrange(end)] ^= 1 << chance.randrange(8)
    if chance.random() < 0.5:
        return bytes(raw), ".nii", " ".join(told)
    packed = bytearray(gzip.compress(bytes(raw), 1, mtime=0))
    if chance.random() < 0.3:
        packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
        told.append("gz rot")
    return bytes(packed), ".nii.gz", " ".join(told)


def reading(data: bytes) -> Truth | None:
    """What a plain file says, by the standard alone; None where it does not."""
    try:
        with np.errstate(all="ignore"):
            return _reading(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except Exception:  # an oracle that cannot read says nothing
        return None


def _reading(data: bytes) -> Truth | None:
    dims = struct.unpack_from("<8h", data, 40)
    shape = tuple(d for d in dims[1 : 1 + dims[0]])[:3]
    kinds = {2: "u1", 4: "<i2", 8: "<i4", 16: "<f4", 64: "<f8", 256: "i1", 512: "<u2", 768: "<u4"}
    (code,) = struct.unpack_from("<h", data, 70)
    offset, slope, inter = struct.unpack_from("<3f", data, 108)
    count = int(np.prod(shape))
    stored = np.frombuffer(data, kinds[code], count, offset=int(offset)).astype(np.float64)
    if slope and np.isfinite(slope):
        stored = stored * slope + (inter if np.isfinite(inter) else 0.0)
    array = stored.reshape(shape[::-1])
    return Truth(array, _affine(data))


def _affine(data: bytes) -> Float:
    """Index (z, y, x) → LPS mm: sform, else qform, else the spacing alone."""
    qform, sform = struct.unpack_from("<2h", data, 252)
    pixdim = struct.unpack_from("<8f", data, 76)
    ras = np.eye(4)
    if sform > 0:
        ras[:3] = np.array(struct.unpack_from("<12f", data, 280)).reshape(3, 4)
    elif qform > 0:
        b, c, d, *offset = struct.unpack_from("<6f", data, 256)
        a = np.sqrt(max(0.0, 1 - b * b - c * c - d * d))
        turn = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
                [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
                [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
            ]
        )
        side = -1.0 if pixdim[0] < 0 else 1.0
        ras[:3, :3] = turn * [pixdim[1], pixdim[2], pixdim[3] * side]
        ras[:3, 3] = offset
    else:
        return np.full((4, 4), np.nan)
    return np.asarray(np.diag([-1.0, -1, 1, 1]) @ ras @ np.eye(4)[[2, 1, 0, 3]], np.float64)
