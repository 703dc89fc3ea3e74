"""A study that was found, into memory: SUV, CT in HU, and what the case folder says of them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tmtv_engine.errors import InputError
from tmtv_engine.image.formats import read_image, suffix_of
from tmtv_engine.image.outline import Outline, pet_outline
from tmtv_engine.image.store import Rescale
from tmtv_engine.image.volume import FloatArray, Unit, Volume
from tmtv_engine.notices import Notice, notice
from tmtv_engine.study.archive import unpacked
from tmtv_engine.study.found import Study
from tmtv_engine.study.quality import quality_of
from tmtv_engine.suv.even import check_even
from tmtv_engine.suv.factor import height_m, suv_factor
from tmtv_engine.suv.order import check_order
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.suv.plausible import BODY_SUV, check_spacing, check_suv
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from tmtv_engine.dicom.read import Stack

COUNTABLE = 1e30


@dataclass(frozen=True, eq=False)
class Loaded:
    """A study in memory: SUV, CT in HU on its own grid, and what the case folder says of it."""

    suv: Volume
    ct: Volume | None
    info: dict[str, Any]
    notices: tuple[Notice, ...]
    source: dict[str, Any]
    input_files: tuple[Path, ...]
    rescale: Rescale | None = None

    def ct_for(self, must_fit: bool) -> Volume | None:
        """The CT that a model is shown: where it ``must_fit``, none that lies beside the PET."""
        apart = any(notice.code == "misregistration" for notice in self.notices)
        return None if must_fit and apart else self.ct


def load_study(study: Study, overrides: Overrides | None = None) -> Loaded:
    """Read a study; raises `InputError` and its kin with the file, the tag and the way out."""
    overrides = study.told(overrides or Overrides())
    with unpacked(study) as real:
        loaded = (_load_nifti if real.kind == "nifti" else _load_dicom)(real, overrides)
        if real.there is None:
            return loaded
        inputs = [os.path.abspath(real.called(p)) for p in loaded.input_files]
        told = tuple(replace(n, message=real.there.said(n.message)) for n in loaded.notices)
        return replace(loaded, notices=told, source={**loaded.source, "inputs": inputs})


def _load_nifti(study: Study, overrides: Overrides) -> Loaded:
    suv = read_image(study.pet[0], Unit.SUV)
    body, told = _believed(suv, study.pet[0], overrides)
    notices = [*study.notices, *told]
    ct, ct_record = load_ct(study, notices)
    quality, told = quality_of(suv, ct, height_m=overrides.height_m, body=body)
    notices += told
    info = {
        "patient": {
            "id": study.patient_id or None,
            "sex": None,
            "weight_kg": overrides.weight_kg,
            "height_m": overrides.height_m,
            "age_years": None,
        },
        "study": {"uid": None, "date": None, **_timepoint(study)},
        "pet": _pet_info(suv, None, "SUV", 1.0, "the file is in SUVbw already", None),
        "ct": ct_record,
        "overrides": overrides.record(),
        "quality": quality,
    }
    source = {
        "schema": "tmtv.source/1",
        "kind": "nifti",
        "pet": {"folder": str(study.named_folder), "files": [study.pet[0].name]},
        "ct": None,
    }
    return Loaded(suv, ct, info, tuple(notices), source, (*study.pet, *study.ct))


def _believed(suv: Volume, name: Path, overrides: Overrides) -> tuple[Outline, list[Notice]]:
    """The body's outline, and what was accepted; raises `Implausible` for the rest."""
    told = check_spacing(suv, name, overrides.accepted)
    body = pet_outline(suv)
    if body.mean > BODY_SUV[1]:  # a small field full of tumour is found from below
        body = pet_outline(suv, below_percent=75.0)
    told += check_suv(suv, body, name, overrides.accepted)
    return body, [*told, *check_even(suv), *check_order(suv)]


def _pet_info(
    suv: Volume, uid: str | None, units: str, factor: float, rule: str, maker: str | None
) -> dict[str, Any]:
    return {
        "series_uid": uid,
        "shape": list(suv.grid.shape),
        "spacing_mm": list(suv.grid.spacing_mm),
        "voxel_ml": suv.grid.voxel_ml,
        "units": units,
        "suv_factor": factor,
        "suv_rule": rule,
        "manufacturer": maker,
    }


def _load_dicom(study: Study, overrides: Overrides) -> Loaded:
    from tmtv_engine.dicom.header import pet_header, text
    from tmtv_engine.dicom.kinds import check_kind
    from tmtv_engine.dicom.mapping import check_mapping
    from tmtv_engine.dicom.read import read_series
    from tmtv_engine.dicom.same import check_same, check_static

    stack = read_series(study.pet, allow_gaps=overrides.allow_gaps, accepted=overrides.accepted)
    check_same(stack.slices, overrides)
    told = check_static(stack.header, overrides)
    header = pet_header([piece.head for piece in stack.slices], stack.header)
    found = suv_factor(header, overrides)
    told += check_kind(stack.header, overrides)
    scale = np.array([found.value]) if found.per_slice is None else found.per_slice
    told += check_mapping(stack.slices, scale, stack.header, overrides)
    suv = Volume(_scaled(stack.array, scale, found.rule, study.path), stack.grid, Unit.SUV)
    body, believed = _believed(suv, study.path, overrides)
    notices = [*study.notices, *stack.notices, *told, *found.notices, *believed]
    ct, ct_record = load_ct(study, notices)
    known, head = header.told(overrides), stack.header
    height, _ = height_m(known)
    quality, told = quality_of(
        suv,
        ct,
        height_m=height,
        method=text(head, "ReconstructionMethod"),
        kernel=text(head, "ConvolutionKernel"),
        slices=(stack.present, stack.promised),
        uptake_s=found.uptake_s,
        body=body,
    )
    notices += told
    uid = str(head.get("SeriesInstanceUID", ""))
    info = {
        "patient": _patient(study, head, known.known("weight_kg") or None, height),
        "study": {
            "uid": str(head.get("StudyInstanceUID", "")) or None,
            "date": clean(head.get("StudyDate", "")) or None,
            **_timepoint(study),
        },
        "pet": _pet_info(
            suv, uid, header.units, found.value, found.rule, header.manufacturer or None
        ),
        "ct": ct_record,
        "overrides": overrides.record(),
        "quality": quality,
    }
    source = _source(study, stack, ct_record)
    inputs = (*study.pet, *study.ct)
    return Loaded(suv, ct, info, tuple(notices), source, inputs, _rescale(stack, scale))


def _scaled(array: FloatArray, scale: FloatArray, rule: str, name: Path) -> FloatArray:
    """``array`` (z, y, x), times the factor of each slice or of all, in place; raises `InputError`
    where single precision could not hold that, or the sum of an image of it."""
    highest = max(1.0, float(array.max()), -float(array.min())) * float(np.abs(scale).max())
    if not highest <= COUNTABLE:
        what = f"{name}: SUV would reach {highest:.2g} by the factor {rule}"
        raise InputError(what, "Correct the factor in the headers, or export the series again.")
    array *= scale[:, None, None].astype(np.float32)
    return array


def _rescale(stack: Stack, factor: FloatArray) -> Rescale | None:
    """How the SUV came from what the scanner stored, None where slices were resampled."""
    if not stack.as_stored:
        return None
    parts = [(s.slope, s.intercept) for s in stack.slices]
    slope, intercept = np.array(parts, np.float32).T
    factors = np.broadcast_to(np.asarray(factor, np.float32).reshape(-1), slope.shape)
    return Rescale(slope, intercept, factors)


def load_ct(study: Study, notices: list[Notice]) -> tuple[Volume | None, dict[str, Any] | None]:
    """The CT of a study in HU and its record; a DICOM one that cannot be read is left out with a
    warning. Raises `InputError` for another image that cannot."""
    if not study.ct:
        notices.append(notice("no-ct"))
        return None, None
    if suffix_of(study.ct[0]):
        return read_image(study.ct[0], Unit.HU), {"series_uid": None}
    from tmtv_engine.dicom.read import read_series

    try:
        stack = read_series(study.ct, accepted=("slices-shifted",))
    except InputError as error:
        notices.append(notice("no-ct", error.what))
        return None, None
    notices += [Notice(n.code, f"CT: {n.message}") for n in stack.notices]
    uid = str(stack.header.get("SeriesInstanceUID", ""))
    return Volume(stack.array, stack.grid, Unit.HU), {"series_uid": uid}


def _timepoint(study: Study) -> dict[str, str]:
    return {"timepoint": study.timepoint} if study.timepoint else {}


def _patient(
    study: Study, head: Dataset, weight: float | None, height: float | None
) -> dict[str, Any]:
    """Who was scanned: as the manifest's row calls them, else the header."""
    age = re.fullmatch(r"(\d{1,3})([DWMY])", clean(head.get("PatientAge", "")))
    years = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
    return {
        "id": (study.named and study.patient_id) or clean(head.get("PatientID", "")) or None,
        "sex": clean(head.get("PatientSex", "")) or None,
        "weight_kg": weight,
        "height_m": height,
        "age_years": int(age[1]) / years[age[2]] if age else None,
    }


def _source(study: Study, stack: Stack, ct: dict[str, Any] | None) -> dict[str, Any]:
    """What export needs of the DICOM once it is gone: header, SOP UIDs and positions in order."""
    from tmtv_engine.dicom.read import header_json

    folder = study.folder.resolve()
    several = len({s.path for s in stack.slices}) < len(stack.slices)
    instances = [
        {
            "uid": str(s.head.get("SOPInstanceUID", "")),
            "position_mm": s.position_mm.tolist(),
            **({"frame": s.frame + 1} if several else {}),
        }
        for s in stack.slices
    ]
    return {
        "schema": "tmtv.source/1",
        "kind": "dicom",
        "pet": {
            "folder": str(study.named_folder),
            "files": [_below(study.called(s.path), folder) for s in stack.slices],
            "header": header_json(stack.header),
            "instances": instances,
            "frames": several,
        },
        "ct": None if ct is None else {"folder": str(study.named_folder), **ct},
    }


def _below(path: Path, folder: Path) -> str:
    whole = path.resolve()
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)
