"""A second word on what stored values mean: RealWorldValueMapping beside RescaleSlope and Units.

An image may map its stored values to real ones in a sequence of its own (PS3.3 C.7.6.16.2.11, in
units of UCUM), for activity, for SUV, or for both. It is not what is read; but where it says other
numbers than what is read, one of the two is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from tmtv_engine.dicom.brief import Brief
from tmtv_engine.dicom.geometry import Slice
from tmtv_engine.dicom.header import number, text
from tmtv_engine.dicom.parse import read_header
from tmtv_engine.image.volume import FloatArray
from tmtv_engine.notices import Notice, refuse
from tmtv_engine.suv.overrides import Overrides

MAPPING = "RealWorldValueMappingSequence"
CLOSE = 1e-3
CLOSE_SUV = 0.05  # another program's decay, and its clocks
_RESCALED = {
    **{"BQML": "BQML", "BQ/ML": "BQML", "CNTS": "CNTS", "COUNTS": "CNTS", "PROPCNTS": "PROPCNTS"},
    **{"GML": "GML", "G/ML": "GML", "CM2ML": "CM2ML", "HU": "HU"},
}
_KINDS = (  # what is found first in a unit's code and meaning
    ("bq", "BQML"),
    ("suvbsa", "BSA"),
    ("surface", "BSA"),
    ("lbm", "LBM"),
    ("lean", "LBM"),
    ("ibw", "IBW"),
    ("ideal", "IBW"),
    ("suv", "BW"),
    ("body weight", "BW"),
    ("count", "CNTS"),
    ("cnts", "CNTS"),
    ("g/ml", "BW"),
    ("hounsfield", "HU"),
    ("[hnsf'u]", "HU"),
)
_SUV = {"GML": "BW", "CM2ML": "BSA"}


def check_mapping(
    slices: Sequence[Slice], factors: FloatArray, whole: Dataset, overrides: Overrides
) -> list[Notice]:
    """Refuse a series whose own mapping says other values than those read, unless accepted.

    ``factors`` (z,) or (1,): the SUV of one rescaled unit; ``whole``: the first slice's header.
    """
    said = _instead(whole)
    seen: set[tuple[object, ...]] = set()
    for k, piece in enumerate(slices):
        if said:
            break
        raw = piece.head.raw.get(MAPPING) if isinstance(piece.head, Brief) else b""
        factor = float(factors[k % len(factors)])
        key = (raw, piece.slope, piece.intercept, factor)
        if raw is None or (raw and key in seen):
            continue
        seen.add(key)
        told = next(
            (t for item in _items(piece) if (t := _differs(item, piece, whole, factor))), ""
        )
        said = f"{MAPPING}: {piece.path}: {told}" if told else ""
    if not said:
        return []
    tag, _, what = said.partition(": ")
    return [refuse("value-mapping", what, overrides.accepted, tag=tag)]


def _instead(whole: Dataset) -> str:
    """What says by itself that RescaleSlope and Units are not the whole truth, or ""."""
    if whole.get("ModalityLUTSequence"):
        return "ModalityLUTSequence: a table of values, which is not read"
    units, rescaled = text(whole, "Units"), text(whole, "RescaleType")
    known = _RESCALED.get(rescaled.upper())
    return f"RescaleType: {rescaled} beside Units {units}" if known and known != units else ""


def _items(piece: Slice) -> Iterator[Dataset]:
    """The mappings of a slice, or the one that a frame's groups were merged with."""
    head = piece.head
    whole = head if isinstance(head, Dataset) else read_header(piece.path, [MAPPING])
    yield from whole.get(MAPPING) or []
    if "RealWorldValueSlope" in whole:
        yield whole


def _differs(item: Dataset, piece: Slice, whole: Dataset, factor: float) -> str:
    """How a mapping contradicts what is read, or ""; one in a unit that is not known does not."""
    code, kind = _unit(item)
    if not kind:
        return ""
    if "RealWorldValueLUTData" in item:
        return f"a table of {code}, which is not read"
    slope, intercept = number(item, "RealWorldValueSlope"), number(item, "RealWorldValueIntercept")
    if slope is None:
        return ""
    units = text(whole, "Units")
    own = _SUV.get(units, units)
    own = (text(whole, "SUVType").upper() or own)[:3] if own == "BW" else own
    times = {"k": 1e3, "M": 1e6}.get(code[:1], 1.0) if kind == "BQML" else 1.0
    if kind == own:
        read, close = (piece.slope, piece.intercept), CLOSE
    elif kind == "BW":
        read, close = (piece.slope * factor, piece.intercept * factor), CLOSE_SUV
    elif abs(slope * times - piece.slope) <= CLOSE * abs(piece.slope):
        return f"the slope of Units {units} for values in {code}"
    else:
        return ""
    said = (slope * times, (intercept or 0.0) * times)
    if all(
        abs(a - b) <= close * max(abs(b), abs(read[0])) for a, b in zip(said, read, strict=True)
    ):
        return ""
    given = f"slope {slope:g} and intercept {intercept or 0:g} in {code}"
    return f"{given}, read as {read[0]:g} and {read[1]:g}"


def _unit(item: Dataset) -> tuple[str, str]:
    """The unit of a mapping as it is written, and what it measures ("" for any other)."""
    for unit in item.get("MeasurementUnitsCodeSequence") or []:
        code = text(unit, "CodeValue")
        words = f"{code} {text(unit, 'CodeMeaning')}".lower()
        return code or words, next((kind for part, kind in _KINDS if part in words), "")
    return "", ""
