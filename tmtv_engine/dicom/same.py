"""One series is one patient and one acquisition: what must be the same in every slice is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydicom.dataset import Dataset

from tmtv_engine.dicom.brief import Brief
from tmtv_engine.dicom.geometry import Slice
from tmtv_engine.dicom.header import Header, private, several, text
from tmtv_engine.dicom.parse import read_header
from tmtv_engine.dicom.whose import plain_name
from tmtv_engine.errors import BadTag
from tmtv_engine.notices import Notice, notice, refuse
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.suv.vendors import PRIVATE

_DRUG = "RadiopharmaceuticalInformationSequence"
_TEXTS = ("Modality", "FrameOfReferenceUID", "Units", "DecayCorrection", "SUVType")
_ONE = "Give one acquisition of one patient; split the series."


def check_same(slices: Sequence[Slice], overrides: Overrides) -> None:
    """Raise `BadTag` for the first attribute of a PET that differs from slice to slice.

    What an override replaces is not asked for.
    """
    for keyword in ("PatientID", "PatientBirthDate", "PatientSex"):
        _same(slices, keyword, lambda head, keyword=keyword: text(head, keyword), blank=True)  # type: ignore[misc]
    _same(slices, "PatientName", lambda head: plain_name(text(head, "PatientName")), blank=True)
    for keyword in _TEXTS:
        _same(slices, keyword, lambda head, keyword=keyword: text(head, keyword))  # type: ignore[misc]
    corrected = "CorrectedImage"
    _same(slices, corrected, lambda head: frozenset(map(str, several(head.get(corrected)))))
    if overrides.weight_kg is None:
        _same(slices, "PatientWeight", lambda head: _number(text(head, "PatientWeight")))
    _check_drug(slices, overrides)
    if text(slices[0].head, "Units") == "CNTS":
        _check_private(slices)


def _same(
    slices: Sequence[Slice], keyword: str, of: Callable[[Header], object], blank: bool = False
) -> None:
    """``blank``: an empty value is no other one."""
    first: tuple[object, Slice] | None = None
    for piece in slices:
        value = of(piece.head)
        if blank and not value:
            continue
        if first is None:
            first = value, piece
        elif value != first[0]:
            where = f"{first[1].path} and {piece.path.name}"
            raise BadTag(keyword, f"it differs within the series ({where})", _ONE)


def _number(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def _check_drug(slices: Sequence[Slice], overrides: Overrides) -> None:
    """Dose, nuclide and injection; sequences of the same bytes are the same unread."""
    kinds: dict[bytes, Slice] = {}
    for piece in slices:
        raw = piece.head.raw.get(_DRUG, b"") if isinstance(piece.head, Brief) else None
        kinds.setdefault(str(id(piece.head)).encode() if raw is None else raw, piece)
    if len(kinds) < 2:
        return
    read: dict[str, Callable[[Dataset], object]] = {
        "RadionuclideHalfLife": lambda d: _number(text(d, "RadionuclideHalfLife")),
        "Radiopharmaceutical": lambda d: text(d, "Radiopharmaceutical"),
        "RadionuclideCodeSequence": _nuclide,
    }
    if overrides.dose_bq is None:
        read["RadionuclideTotalDose"] = lambda d: _number(text(d, "RadionuclideTotalDose"))
    if overrides.injection_time is None:
        for keyword in ("RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime"):
            read[keyword] = lambda d, keyword=keyword: text(d, keyword)  # type: ignore[misc]
    first: tuple[Slice, list[Dataset]] | None = None
    for piece in kinds.values():
        drugs = _drugs(piece)
        if first is None:
            first = piece, drugs
            continue
        where = f"{first[0].path} and {piece.path.name}"
        if len(drugs) != len(first[1]):
            raise BadTag(_DRUG, f"it differs within the series ({where})", _ONE)
        for keyword, of in read.items():
            if [of(d) for d in drugs] != [of(d) for d in first[1]]:
                raise BadTag(keyword, f"it differs within the series ({where})", _ONE)


def _drugs(piece: Slice) -> list[Dataset]:
    head = piece.head if isinstance(piece.head, Dataset) else read_header(piece.path, [_DRUG])
    return list(head.get(_DRUG) or [])


def _nuclide(drug: Dataset) -> object:
    return [text(item, "CodeValue") for item in drug.get("RadionuclideCodeSequence") or []]


def _check_private(slices: Sequence[Slice]) -> None:
    """Philips' factors, which a brief does not hold."""
    rows = [row for row in PRIVATE if row.vendor == "Philips"]
    paths = {piece.path: piece for piece in slices}
    first: list[object] | None = None
    for path, piece in paths.items():
        head = piece.head if isinstance(piece.head, Dataset) else read_header(path)
        values = [private(head, row) for row in rows]
        if first is None:
            first = values
        elif values != first:
            tag = next(row.name for row, a, b in zip(rows, values, first, strict=True) if a != b)
            raise BadTag(tag, f"it differs within the series ({path})", _ONE)


def check_static(head: Dataset, overrides: Overrides) -> list[Notice]:
    """A series marked dynamic or gated: refused as one time point of several, else told."""
    words = {str(v).upper() for v in several(head.get("SeriesType"))}
    marked = sorted(words & {"DYNAMIC", "GATED"})
    if not marked:
        return []
    times = max(_count(head, k) for k in ("NumberOfTimeSlices", "NumberOfTimeSlots"))
    what = f"{marked[0]}, {times} time points"
    if times > 1:
        return [refuse("dynamic", what, overrides.accepted, tag="SeriesType")]
    return [notice("marked-dynamic", marked[0])]


def _count(head: Dataset, keyword: str) -> int:
    try:
        return int(str(head.get(keyword) or 0))
    except ValueError:
        return 0
