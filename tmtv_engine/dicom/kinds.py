"""What else than an image of activity a series may be: subtracted, projected, parametric, captured.

Such an image can bear all that a PET has, its Units among it, and its numbers are no activity. It
tells so by a word of ImageType (PS3.3 C.7.6.1.1.2 leaves the third value and those after it to the
modality and the vendor), by what Enhanced images say in attributes of their own (C.8.16.2), by how
it was derived (CID 7203), by its class, or by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydicom.dataset import Dataset

from tmtv_engine.dicom.header import Header, several, text
from tmtv_engine.notices import Notice, refuse
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.text import clean

_ANYWHERE = (
    "MIP",
    "LOCALIZER",
    "SCOUT",
    "TOPOGRAM",
    "SURVEY",
    "PROJECTION",
    "SCREEN",
    "REPORT",
    "COLLAGE",
    "CAPTURE",
    "SUBTRACT",
    "PARAMETRIC",
    "PATLAK",
    "SEGMENT",
    "FUSED",
    "FUSION",
    "RENDER",
    "DEVIATION",
    "VARIANCE",
)
_WORDS = frozenset(
    (
        *("MINIP", "MAXIP", "MAXIMUM", "MINIMUM", "SUB", "DIFF", "DIFFERENCE", "RATIO", "DIVISION"),
        *("QUOTIENT", "ADDITION", "MULTIPLICATION", "MASK", "LABEL", "LABELMAP", "BINARY"),
        *("PARAM", "PARAMETER", "KI", "K1", "LOGAN", "SLOPE", "INTERCEPT", "MRFDG", "MRGLU"),
        *("CMRGLC", "CMRGLU", "DVR", "VD", "BPND", "SUVR", "TTEST", "ZSCORE", "STDDEV"),
        *("RESIDUAL", "UMAP", "MUMAP", "ACMAP", "TRANSMISSION", "SINOGRAM", "OVERLAY", "RGB"),
    )
)
_NAMED = re.compile(
    r"(?<![a-z])(?:(?-i:Ki)(?:[ _-]?map)?|Patlak|Logan|parametric|MRFDG|MR[ _-]?glu\w*|CMRglu?c?"
    r"|subtract\w*|difference|SUVR|DVR|MIP|(?:mu|u|\u00b5)[ _-]?map"
    r"|screen[ _-]?(?:shot|save|cap)\w*"
    r"|NAC|non?[ _-]?AC|non?[ _-]?att\w*|uncorrected)(?![a-z])",
    re.IGNORECASE,
)
_DERIVED = frozenset(  # of CID 7203, what leaves no activity of one scan behind
    (
        *("113042", "113046", "113048", "113051", "113053", "113061", "113062", "113068"),
        *("113071", "113074", "113075", "113076", "113078", "113079"),
    )
)
_PET = "1.2.840.10008.5.1.4.1.1.128", "1.2.840.10008.5.1.4.1.1.130"
_STORED = "1.2.840.10008.5.1.4."
_TYPES = ("ImageType", "FrameType", "SeriesType")
_WRITTEN_ON = {"BurnedInAnnotation": ("YES",), "SamplesPerPixel": ("3", "4")}
_COLOURS = ("PALETTE COLOR", "RGB", "YBR")


def said_kind(words: Iterable[object]) -> str:
    """The first word of an ImageType, or of a value like it, that names no plain image; or ""."""
    for word in map(str, words):
        upper = word.upper()
        parts = {*re.findall(r"[A-Z0-9]+", upper), re.sub(r"[^A-Z0-9]", "", upper)}
        if parts & _WORDS or any(part in upper for part in _ANYWHERE):
            return clean(word)
    return ""


def named_kind(description: str) -> str:
    """The words of a SeriesDescription that name no corrected image of activity, or ""."""
    found = _NAMED.search(description)
    return "" if found is None else found[0]


def type_kind(head: Header) -> str:
    """What an image's own ImageType, and the attributes like it, call it beside a plain one."""
    return said_kind(word for k in _TYPES for word in several(head.get(k)))


def check_kind(head: Dataset, overrides: Overrides) -> list[Notice]:
    """Refuse a PET series whose header says that its pixels are no activity, unless accepted."""
    tag, said = _other(head)
    return [refuse("image-kind", said, overrides.accepted, tag=tag)] if said else []


def _other(head: Dataset) -> tuple[str, str]:
    """The attribute that says that this is no image of activity, and what it says; or nothing."""
    for keyword in _TYPES:
        of_type = said_kind(several(head.get(keyword)))
        if of_type:
            return keyword, f"{of_type!r}"
    technique = text(head, "VolumeBasedCalculationTechnique").upper()
    if technique not in ("", "NONE", "MPR", "CURVED_MPR"):
        return "VolumeBasedCalculationTechnique", f"{technique!r}"
    uid = text(head, "SOPClassUID")
    if uid.startswith(_STORED) and not uid.startswith(_PET):
        return "SOPClassUID", f"{uid} is that of no PET image"
    for item in head.get("DerivationCodeSequence") or []:
        if text(item, "CodeValue") in _DERIVED:
            return "DerivationCodeSequence", f"{text(item, 'CodeMeaning')!r}"
    for keyword, values in _WRITTEN_ON.items():
        if text(head, keyword).upper() in values:
            return keyword, text(head, keyword)
    colour = text(head, "PhotometricInterpretation").upper()
    if colour.startswith(_COLOURS):
        return "PhotometricInterpretation", colour
    named = named_kind(text(head, "SeriesDescription"))
    return ("SeriesDescription", f"{named!r}") if named else ("", "")
