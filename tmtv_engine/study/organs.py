"""Organ label maps as others make them: which number is which organ, and what we call it.

TotalSegmentator and MOOSE write one label map of many numbers, or a folder of one mask an organ.
Names come from the file's own header, from a JSON or CSV beside it, or, failing both, from
TotalSegmentator's table of numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import read_nifti
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.study.manifest import cells_of
from tmtv_engine.text import clean

MOST_LABELS = 1000
MOST_BYTES = 1 << 20
_SIDES = ("left", "right")
_SPINE = [
    *(f"vertebrae_L{k}" for k in range(5, 0, -1)),
    *(f"vertebrae_T{k}" for k in range(12, 0, -1)),
    *(f"vertebrae_C{k}" for k in range(7, 0, -1)),
]
_BELLY = """
    spleen kidney_right kidney_left gallbladder liver stomach pancreas adrenal_gland_right
    adrenal_gland_left lung_upper_lobe_left lung_lower_lobe_left lung_upper_lobe_right
    lung_middle_lobe_right lung_lower_lobe_right esophagus trachea thyroid_gland small_bowel
    duodenum colon urinary_bladder prostate kidney_cyst_left kidney_cyst_right sacrum
    vertebrae_S1
"""
_LIMBS = """
    heart aorta pulmonary_vein brachiocephalic_trunk subclavian_artery_right
    subclavian_artery_left common_carotid_artery_right common_carotid_artery_left
    brachiocephalic_vein_left brachiocephalic_vein_right atrial_appendage_left
    superior_vena_cava inferior_vena_cava portal_vein_and_splenic_vein iliac_artery_left
    iliac_artery_right iliac_vena_left iliac_vena_right humerus_left humerus_right scapula_left
    scapula_right clavicula_left clavicula_right femur_left femur_right hip_left hip_right
    spinal_cord gluteus_maximus_left gluteus_maximus_right gluteus_medius_left
    gluteus_medius_right gluteus_minimus_left gluteus_minimus_right autochthon_left
    autochthon_right iliopsoas_left iliopsoas_right brain skull
"""
TOTALSEGMENTATOR = (
    *_BELLY.split(),
    *_SPINE,
    *_LIMBS.split(),
    *(f"rib_{side}_{k}" for side in _SIDES for k in range(1, 13)),
    "sternum",
    "costal_cartilages",
)
"""Classes 1 … 117 of its task `total`, version 2."""

_WORDS = (  # our name, and words in others' names for it; the first row that fits counts
    ("", "cyst cord cartilage adrenal gallbladder"),
    ("vessel", "vessel splenic aort arter vein vena trunk pulmonary portal"),
    ("spleen", "spleen"),
    ("ureter", "ureter renal.pelvis"),
    ("kidney", "kidney"),
    ("liver", "liver"),
    ("lung", "lung"),
    ("bladder", "bladder"),
    ("brain", "brain cerebell"),
    ("heart", "heart atri ventricle myocard"),
    ("stomach", "stomach esophag"),
    ("salivary gland", "parotid submandibular sublingual salivary"),
    ("thyroid", "thyroid"),
    ("tonsil", "tonsil"),
    ("bowel", "bowel intestin duoden colon rectum"),
    ("genital", "prostate uter ovar testi genital"),
    ("muscle", "glute autochthon psoas muscle"),
    (
        "marrow",
        r"vertebra sacrum pelvi femur humer scapula clavic sternum skull bone \brib \bhip\b marrow",
    ),
    ("throat", "tongue pharyn laryn face throat"),
    ("brown fat", "brown.fat"),
    ("injection site", "injection"),
)


def structure_of(organ: str) -> str | None:
    """Our name of an organ as others call it (`lesion.structures`); None where we have none."""
    told = re.sub(r"[^a-z0-9]+", " ", organ.lower())
    for name, words in _WORDS:
        if any(re.search(word, told) for word in words.split()):
            return name or None
    return None


def read_organs(path: Path) -> tuple[Volume, dict[int, str]]:
    """A label map and the organ of each of its labels, as its maker calls it.

    Raises `InputError` for what is no NIfTI label map or has an unreadable list beside it.
    """
    return read_nifti(path, Unit.LABEL), read_names(path)


def read_names(path: Path) -> dict[int, str]:
    """The organ of each label of the map ``path``, its header's own or those beside it."""
    return label_names(path, _extensions(path))


def _extensions(path: Path) -> str:
    """The text of the header's extensions."""
    import nibabel

    found = nibabel.load(path).header.extensions  # type: ignore[attr-defined]
    parts = [bytes(e.get_content())[:MOST_BYTES] for e in found if e.get_code() in (0, 6, 30)]
    return b" ".join(parts).decode("utf-8", "replace")


def label_names(path: Path, extensions: str = "") -> dict[int, str]:
    """The organ of each label of the map ``path``.

    From ``extensions`` (the text of its header's extensions), a JSON or CSV beside it, or
    TotalSegmentator's numbers. Raises `InputError` where a file beside it cannot be understood.
    """
    found = _header(extensions)
    stem = path.name.removesuffix(".gz").removesuffix(".nii")
    for beside in (f"{stem}.json", f"{stem}.csv", "labels.json", "labels.csv", "dataset.json"):
        if not found and (path.parent / beside).is_file():
            found = _beside(path.parent / beside)
    if not found:
        found = dict(enumerate(TOTALSEGMENTATOR, 1))
    return {k: clean(v) for k, v in found.items()}


def _header(text: str) -> dict[int, str]:
    """``<Label Key="1" …>spleen</Label>``, as TotalSegmentator writes it."""
    pairs = re.findall(r"<Label\b[^>]*?\bKey=\"(\d{1,5})\"[^>]*>([^<]{1,80})</Label>", text)
    return {int(key): name for key, name in pairs[:MOST_LABELS] if int(key)}


def _beside(path: Path) -> dict[int, str]:
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: is too large for a list of labels", "Give number and name.")
    try:
        if path.suffix == ".csv":
            return _table(path)
        return _mapping(json.loads(path.read_text("utf-8-sig")))
    except (ValueError, RecursionError) as error:
        what = f"{path}: is no list of labels: {clean(str(error))[:200]}"
        raise InputError(what, 'Give {"1": "spleen", …} or a CSV of number and name.') from error


def _mapping(found: Any) -> dict[int, str]:
    """``{"1": "spleen"}``, ``{"spleen": 1}``, or either under ``labels``."""
    if isinstance(found, Mapping) and isinstance(found.get("labels"), Mapping):
        found = found["labels"]
    if not isinstance(found, Mapping) or len(found) > MOST_LABELS:
        raise ValueError("no table of numbers and names")
    out = {}
    for key, value in found.items():
        if isinstance(value, str) and str(key).isdigit():
            out[int(key)] = value
        elif isinstance(value, int) and not isinstance(value, bool):
            out[value] = str(key)
    if not out:
        raise ValueError("no table of numbers and names")
    return {k: v for k, v in out.items() if k > 0}


def _table(path: Path) -> dict[int, str]:
    """Rows of number and name, in either order of columns, with or without a header."""
    out = {}
    for row in cells_of(path):
        cells = [c.strip() for c in row if c.strip()]
        numbers = [c for c in cells if c.isdigit()]
        names = [c for c in cells if not c.isdigit()]
        if numbers and names and int(numbers[0]) > 0:
            out[int(numbers[0])] = names[0]
    if not out or len(out) > MOST_LABELS:
        raise ValueError("no table of numbers and names")
    return out
