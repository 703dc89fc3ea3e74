"""What is warned about: a code that stays the same, and a message for a person."""

from __future__ import annotations

from dataclasses import dataclass

CODES = {
    "no-ct": "there is no CT: the CT channel is air",
    "frames-differ": "PET and CT, or PET and ROIs, lie in different frames of reference",
    "high-dose": "the injected activity is above 2 GBq",
    "half-life": "the half-life is off by more than 1 % from F-18's",
    "uptake-time": "the uptake time lies outside 45 to 120 minutes",
    "height-cm": "the height read as centimetres and was converted",
    "tracer-unnamed": "the header names no tracer",
    "other-tracer": "the tracer is not FDG and was allowed",
    "gaps": "missing slices were interpolated",
    "overlapping-rois": "ROIs overlap; a voxel belongs to the smallest of them",
    "roi-outside": "part of the ROIs lies outside the PET",
    "unreviewed-hotspots": "hot spots that no reader has reviewed are uptake, not tumour",
    "third-party-model": "the model was trained by others and is not checked here",
    "out-of-memory": "memory ran out and the network went on in smaller pieces",
    "below-floor": "a cut lies below the floor that a lesion was grown to",
}


@dataclass(frozen=True)
class Notice:
    """A warning that goes into the case: ``code`` is one of `CODES`."""

    code: str
    message: str


def notice(code: str, detail: str = "") -> Notice:
    """The notice of ``code``, with a detail after its standing text."""
    return Notice(code, f"{CODES[code]} ({detail})" if detail else CODES[code])
