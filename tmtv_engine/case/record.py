"""`case.json` as it is handled: frozen records; dictionaries only at the file's edge.

`python -m tmtv_engine.case.record > tmtv_engine/case/case.schema.json` publishes the schema.
`decode` reads what a file holds. Keys that a later version added are passed over (`Case.raw`
keeps them, and they are written back); anything that is not what it should be is a `CaseError`
that names its place. `encode` gives what is written, `schema` the published JSON Schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from tmtv_engine.errors import CaseError
from tmtv_engine.files import AGAIN, Record, jsonable
from tmtv_engine.lesion.measures import Amount, Count, Number, Total
from tmtv_engine.lesion.origin import Share, Source, Status, Structure
from tmtv_engine.notices import Notice

SCHEMA: Final = "tmtv.case/1"
T = TypeVar("T")

Id = Annotated[int, Meta(ge=1, lt=2**31)]
Positive = Annotated[float, Meta(gt=0, le=1e9)]


class ReviewState(StrEnum):
    """How far the review of a case has come; ``glyph`` stands for it in a narrow column."""

    TODO = "todo", "·"
    PARTIAL = "partial", "~"
    DONE = "done", "✓"
    FLAGGED = "flagged", "!"

    glyph: str

    def __new__(cls, value: str, glyph: str) -> ReviewState:
        made = str.__new__(cls, value)
        made._value_, made.glyph = value, glyph
        return made


class Patient(Struct, frozen=True, kw_only=True):
    """Who was scanned, as far as the header or an override tells."""

    id: str | None
    sex: str | None
    weight_kg: Number | None
    height_m: Number | None
    age_years: Number | None


class StudyInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The study that the PET is of; ``timepoint`` as a manifest called it."""

    uid: str | None
    date: str | None
    timepoint: str | None = None


class PetInfo(Struct, frozen=True, kw_only=True):
    """The PET: ``shape`` and ``spacing_mm`` (z, y, x), and how its SUV came about."""

    series_uid: str | None
    shape: tuple[Id, Id, Id]
    spacing_mm: tuple[Positive, Positive, Positive]
    voxel_ml: Positive
    units: str | None
    suv_factor: Number | tuple[Number, ...] | None
    suv_rule: str
    manufacturer: str | None


class CtInfo(Struct, frozen=True, kw_only=True):
    """The CT that was read with it."""

    series_uid: str | None


class ModelInfo(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What found the lesions; ``hotspot`` and ``roi`` are no networks and have a name only."""

    name: str
    sha256: str | None = None
    trained_on: str | None = None
    rule: str | None = None
    split: bool | None = None


class Cut(Struct, frozen=True, kw_only=True):
    """One lesion under one method."""

    volume_ml: Amount
    suv_mean: Number | None
    tlg_g: Number | None
    threshold_suv: Number | None


class Measured(Struct, frozen=True, kw_only=True):
    """What is measured of a lesion's voxels, as the prediction had it before a repair."""

    floor_suv: Number | None
    background_suv: Number | None
    centroid_mm: tuple[Number, Number, Number]
    suv_max: Number
    suv_peak: Number | None
    voxels: Id
    methods: Mapping[str, Cut]


class LesionRow(Struct, frozen=True, kw_only=True):
    """One lesion: ``centroid_mm`` (x, y, z) LPS; SUVs and ``voxels`` are uncut.

    ``predicted``: of a lesion that a repair changed, what was measured before.
    """

    id: Id
    component: int
    source: Source
    structure: Structure | None = None
    region: str | None = None
    status: Status
    decided_by: str | None
    floor_suv: Number | None
    background_suv: Number | None
    probability: Share | None
    centroid_mm: tuple[Number, Number, Number]
    suv_max: Number
    suv_peak: Number | None
    voxels: Id
    methods: Mapping[str, Cut]
    predicted: Measured | UnsetType = UNSET

    @property
    def measured(self) -> Measured:
        """What a repair may change."""
        return Measured(**{key: getattr(self, key) for key in Measured.__struct_fields__})

    @property
    def predicted_row(self) -> LesionRow:
        """The row as the prediction had it, whatever was repaired since."""
        if self.predicted is UNSET:
            return self
        told = {key: getattr(self.predicted, key) for key in Measured.__struct_fields__}
        row: LesionRow = replace(self, **told, predicted=UNSET)
        return row


class Review(Struct, frozen=True, kw_only=True):
    """The reading of record; what stands below ``head`` is there once somebody has read."""

    status: ReviewState
    readers: tuple[str, ...]
    head: str | None
    heads: Mapping[str, str] | UnsetType = UNSET
    of_record: str | UnsetType = UNSET
    signed: str | UnsetType | None = UNSET
    splits: Mapping[str, tuple[Id, ...]] | UnsetType = UNSET
    merged: Mapping[str, Id] | UnsetType = UNSET
    reasons: Mapping[str, str] | UnsetType = UNSET
    notes: tuple[str, ...] | UnsetType = UNSET
    seconds: Amount | UnsetType = UNSET
    sha256: str | UnsetType = UNSET


class Provenance(Struct, frozen=True, kw_only=True):
    """How the case came about. ``last_id`` is the highest number that the prediction gave.

    ``made_with``: what was asked for and stands nowhere else (limits, the liver sphere, which
    ROIs), compared at a rerun; cases of before 0.2 do not tell it.
    """

    tmtv: str
    python: str
    packages: Mapping[str, str]
    device: str | None
    methods: tuple[str, ...]
    liver_threshold_suv: Number | None = None
    made_with: Mapping[str, Any] | UnsetType = UNSET
    inputs_sha256: str | None
    seconds: Mapping[str, Amount]
    last_id: Count = 0
    files_sha256: Mapping[str, str] = {}
    prediction_sha256: str | UnsetType = UNSET


class CaseRecord(Struct, frozen=True, kw_only=True):
    """A `case.json`. ``totals`` count accepted lesions; ``quality`` is the study's, where known."""

    schema: Literal["tmtv.case/1"]
    case: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    created: str
    patient: Patient
    study: StudyInfo
    pet: PetInfo
    ct: CtInfo | None
    overrides: Mapping[str, Any]
    quality: Mapping[str, Any] | UnsetType = UNSET
    model: ModelInfo
    lesions: tuple[LesionRow, ...]
    totals: Mapping[str, Total]
    predicted_totals: Mapping[str, Total]
    review: Review
    warnings: tuple[Notice, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        if len({row.id for row in self.lesions}) < len(self.lesions):
            raise ValueError("two lesions have one number")


def decode(raw: Record, where: object) -> CaseRecord:
    """The record of a parsed `case.json`; raises `CaseError` naming ``where`` and the place."""
    if raw.get("schema") != SCHEMA:
        raise CaseError(f"{where} is not {SCHEMA}", AGAIN)
    return typed(raw, CaseRecord, where)


def typed(raw: object, kind: type[T], where: object) -> T:
    """``raw`` as a record of that kind; raises `CaseError` naming the place that is none."""
    try:
        return msgspec.convert(raw, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise CaseError(f"{where}: {error}", AGAIN) from error


def encode(record: Struct) -> Record:
    """``record`` as plain values for JSON."""
    found: Record = jsonable(msgspec.to_builtins(record))
    return found


def schema() -> Record:
    """The JSON Schema of `case.json`, from the types."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA}
    return {**head, **msgspec.json.schema(CaseRecord)}


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1, ensure_ascii=False))
