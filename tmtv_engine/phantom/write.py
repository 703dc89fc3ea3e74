"""Digital patients on disk: NIfTI pairs with a manifest, or the DICOM of a scanner."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from tmtv_engine.files import dump_json, write_text
from tmtv_engine.image.volume import Volume
from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.text import csv_text


def write_drawn(
    folder: Path,
    seed: int,
    form: str,
    *,
    vendor: str = "ge",
    spacing_mm: float = 4.0,
    anatomies: Anatomies | None = None,
) -> None:
    """Draw the patient of ``seed`` into ``folder``: images, true ROIs and `truth.json`.

    ``form`` "nifti" writes `pet.nii.gz` (SUV), `ct.nii.gz` (HU), `rois.nii.gz` (labels) and
    `structures.nii.gz` with the names of its labels beside it, "dicom" the folders PET, CT and
    RTSTRUCT with a header of ``vendor``. With ``anatomies`` the patient is drawn in one of them.
    """
    from tmtv_engine.phantom.draw import draw_patient

    patient = draw_patient(seed, spacing_mm=spacing_mm, anatomies=anatomies)
    if form == "dicom":
        from tmtv_engine.phantom.dicom import write_patient

        write_patient(
            folder,
            patient.suv,
            patient.ct,
            patient.rois,
            vendor=vendor,
            seed=seed,
            sex=patient.sex,
            weight_kg=patient.weight_kg,
            height_m=patient.height_m,
        )
    else:
        from tmtv_engine.image.nifti import write_nifti

        write_nifti(patient.suv, folder / "pet.nii.gz")
        if patient.ct is not None:
            write_nifti(patient.ct, folder / "ct.nii.gz")
        write_nifti(patient.rois, folder / "rois.nii.gz")
        write_nifti(patient.structures, folder / "structures.nii.gz")
        dump_json(folder / "structures.json", {str(s.label): s.name for s in STRUCTURES})
    of = {"anatomies": anatomies.fingerprint} if patient.anatomy and anatomies else {}
    dump_json(folder / "truth.json", {"seed": seed, **_facts(patient), **of})


ROOMS = {
    "nifti": ("pet.nii.gz", "ct.nii.gz", "rois.nii.gz"),
    "dicom": ("PET", "CT", "RTSTRUCT/rois.dcm"),
}


def write_manifest(out: Path) -> Path:
    """Write ``out/manifest.csv`` (case, pet, ct, roi, subtype) of every digital patient there.

    Paths are relative to it. One file for `tmtv predict`, `tmtv train` and `tmtv report
    --reference`; a healthy patient's ``roi`` is empty where there is no file of them.
    """
    rows = [["case", "pet", "ct", "roi", "subtype"]]
    for truth in sorted(out.glob("*/truth.json")):
        folder = truth.parent
        form = "nifti" if (folder / ROOMS["nifti"][0]).exists() else "dicom"
        paths = [f"{folder.name}/{p}" if (folder / p).exists() else "" for p in ROOMS[form]]
        rows.append([folder.name, *paths, json.loads(truth.read_text("utf-8"))["subtype"]])
    path = out / "manifest.csv"
    write_text(path, csv_text(rows))
    return path


def _facts(patient: Any) -> dict[str, Any]:
    """What a drawn patient says of itself, without its images."""
    values = {f.name: getattr(patient, f.name) for f in dataclasses.fields(patient)}
    plain = (str, int, float, bool, tuple, list, dict, type(None))
    return {k: v for k, v in values.items() if isinstance(v, plain) and not isinstance(v, Volume)}
