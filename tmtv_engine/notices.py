"""What is warned about or refused: one table of codes that stay, with words and a way out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tmtv_engine.errors import Implausible


@dataclass(frozen=True)
class Code:
    """A row of `CODES`: what is the matter in ``words``, what to do about it in ``remedy``.

    A "refusal" stops a study that cannot be believed; once `--accept CODE` says that someone
    has looked, it is a warning that the case keeps. ``by_review``: it follows from the
    decisions, and so belongs to the review part of `case.json`.
    """

    words: str
    remedy: str
    by_review: bool = False
    kind: Literal["warning", "refusal"] = "warning"


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "no-ct": Code(
            "there is no CT: the CT channel is air",
            "Give the study with its CT; a model that takes one finds less without.",
        ),
        "frames-differ": Code(
            "PET and CT, or PET and ROIs, lie in different frames of reference",
            "Look whether they lie on each other before you rely on them.",
        ),
        "patient-unclear": Code(
            "PET and CT, or PET and ROIs, name patients of other names or birth dates under one "
            "PatientID, or under none",
            "Make sure that they are one patient's.",
        ),
        "other-patient": Code(
            "the ROIs are those of another patient",
            "Give the ROIs of this patient, or correct the PatientID of the two.",
            kind="refusal",
        ),
        "other-study": Code(
            "the ROIs name another study than the PET's",
            "Make sure that they were drawn for this scan.",
        ),
        "high-dose": Code(
            "the injected activity is above 2 GBq",
            "Check the activity and its unit; --dose-bq gives the right one.",
            kind="refusal",
        ),
        "half-life": Code(
            "the half-life is off by more than 1 % from the nuclide's",
            "Check the tracer in the header.",
        ),
        "uptake-time": Code(
            "the uptake time lies outside 45 to 120 minutes",
            "Check the clock of the injection; --injection-time gives the right one.",
        ),
        "body-mass": Code(
            "weight and height make a body mass index below 11 or above 45",
            "Check that the weight is kilograms, not pounds, and the height metres; --weight-kg "
            "and --height-m give the right ones.",
        ),
        "height-cm": Code(
            "the height read as centimetres and was converted",
            "Check it; --height-m gives the right one.",
        ),
        "tracer-unnamed": Code(
            "the header names no tracer", "Make sure that it was FDG: nothing in the file says so."
        ),
        "other-tracer": Code(
            "the tracer is not FDG and was allowed",
            "The methods were made for FDG: read the volumes with that in mind.",
        ),
        "gaps": Code(
            "slices are missing: interpolated between others, left out at an end",
            "Fetch the whole series; a lesion there is partly invented.",
        ),
        "time-of-day": Code(
            "dates cannot be believed: times of day were compared",
            "Check the uptake time, or give --injection-time.",
        ),
        "scan-time": Code(
            "the scan's start is not that of its acquisitions: none is known and the series' time "
            "was taken, or it lies more than a quarter of an hour before the first",
            "Check SeriesTime and AcquisitionTime: activity is decayed to that start.",
        ),
        "uptake": Code(
            "the uptake time cannot be that of a static FDG scan",
            "Give --injection-time if a clock is off.",
            kind="refusal",
        ),
        "decay-factor": Code(
            "the header says two moments that activity is corrected to",
            "Ask the scanner's maker which is right; injection would be ADMIN.",
            kind="refusal",
        ),
        "decay-unclear": Code(
            "what the header says of decay and of the frames' times cannot all be true",
            "Ask the scanner's maker to which moment activity is corrected: the SUV depends on it.",
        ),
        "suv-type": Code(
            "the pixels are an SUV that the header does not call another than by body weight, and "
            "the description does",
            "Export as BQML; accepted, they are taken as SUV by body weight.",
            kind="refusal",
        ),
        "value-mapping": Code(
            "the header says of the pixels' values a second time, and otherwise",
            "Ask which is right: RescaleSlope with Units is what is read.",
            kind="refusal",
        ),
        "wrong-half-life": Code(
            "the half-life is off by more than 5 % from the nuclide's",
            "Correct RadionuclideHalfLife (seconds; F-18: 6586.2).",
            kind="refusal",
        ),
        "low-dose": Code(
            "the injected activity is below 1 MBq",
            "It is Bq, not MBq: give --dose-bq BQ.",
            kind="refusal",
        ),
        "weight": Code(
            "the weight lies outside 10 to 350 kg", "Give --weight-kg KG.", kind="refusal"
        ),
        "suv-max": Code(
            "the highest SUV is above 2000", "Check weight, dose, times and units.", kind="refusal"
        ),
        "body-suv": Code(
            "the mean SUV of the body lies outside 0.2 to 5",
            "Check weight, dose, times and units.",
            kind="refusal",
        ),
        "negative-suv": Code(
            "parts of the body have an SUV far below zero",
            "Check whether the pixels are signed (PixelRepresentation), and the intercept.",
            kind="refusal",
        ),
        "spacing": Code(
            "voxels are smaller than 0.5 mm or larger than 20 mm, or of the size that stands where "
            "none was written",
            "Check the spacing and the affine; they are millimetres.",
            kind="refusal",
        ),
        "slope": Code(
            "RescaleSlope is negative or zero in a slice that is not all zero",
            "Export the series anew.",
            kind="refusal",
        ),
        "slice-jump": Code(
            "activity jumps between neighbouring slices: a slope may be wrong, or a slice lost",
            "Look at those slices; compare RescaleSlope and RescaleIntercept with the scanner's.",
        ),
        "slice-order": Code(
            "slices lie swapped, the wrong way round or twice, as the image shows",
            "Look at those slices, and at their positions in the header.",
        ),
        "padding": Code(
            "pixels hold the value that the header calls padding, which reads as uptake",
            "Export the series without it.",
            kind="refusal",
        ),
        "bits-stored": Code(
            "pixels hold bits that the header does not count as stored, which were not read",
            "Compare the SUVs with another viewer's: the header may be wrong.",
        ),
        "lossy": Code(
            "the pixels were compressed with loss: they are no longer those of the scanner",
            "Fetch the series as the scanner wrote it.",
        ),
        "coarse-voxels": Code(
            "voxels are too coarse for SUVpeak: its 1 mL sphere holds hardly more than one of them",
            "Read SUVpeak as SUVmax.",
        ),
        "slices-shifted": Code(
            "slices lie shifted beside each other (a moved couch, two stations, or a tilt)",
            "Accepted, they are resampled onto the first slice's place.",
            kind="refusal",
        ),
        "unreadable-files": Code(
            "files beside the series cannot be read, and it may miss them",
            "Copy the series again.",
            kind="refusal",
        ),
        "copies": Code("copies of the same image were taken once", "Nothing need be done."),
        "foreign-images": Code(
            "images of another kind inside the series were left out", "Nothing need be done."
        ),
        "series-joined": Code(
            "a further series of the same acquisition at other heights was joined",
            "Choose one alone with --pet-series UID.",
        ),
        "series-left-out": Code(
            "a further attenuation-corrected series at other heights was left out",
            "Measure it as well with --pet-series UID.",
        ),
        "numbered-late": Code(
            "the images' numbers do not begin at 0 or 1: slices may be missing at an end",
            "Compare the number of images with the scanner's.",
        ),
        "image-numbers": Code(
            "the images' numbers contradict their places: more than are promised, repeated, or "
            "out of order",
            "Make sure that they are one series: two under one UID are mixed up.",
        ),
        "slice-distance": Code(
            "the header says another distance of slices than their positions do",
            "Compare the scan's length with the scanner's: volumes depend on it.",
        ),
        "image-kind": Code(
            "the header says that the pixels are no activity of one scan: subtracted, projected, "
            "parametric, a capture, or not corrected for attenuation",
            "Give the attenuation-corrected series itself (--pet-series UID).",
            kind="refusal",
        ),
        "dynamic": Code(
            "the series is one time point of a dynamic or gated scan",
            "Give the static series.",
            kind="refusal",
        ),
        "marked-dynamic": Code(
            "the series is marked dynamic or gated but holds one time point",
            "Make sure that it is the static scan.",
        ),
        "coverage": Code(
            "the scan does not reach from the base of the skull to the thighs",
            "The TMTV is that of the part that was scanned.",
        ),
        "misregistration": Code(
            "the body's outlines in PET and CT do not fit",
            "Look at both; what the model takes from the CT may be wrong.",
        ),
        "body-mirrored": Code(
            "the liver lies to the left, by the network's names: the image may be mirrored, or the "
            "organs are (situs inversus)",
            "Compare with the CT or the report; sides and places would be the wrong ones.",
        ),
        "overlapping-rois": Code(
            "ROIs overlap; a voxel belongs to the smallest of them",
            "Choose ROIs by --roi, or draw them apart.",
        ),
        "roi-outside": Code(
            "part of the ROIs lies outside the PET",
            "Check that ROIs and PET are of one study; what lies outside is not measured.",
        ),
        "roi-cold": Code(
            "ROIs hold no uptake: they may be of another scan, or moved",
            "Look where they lie on the PET.",
        ),
        "roi-moved": Code(
            "most ROIs have hotter uptake beside them than inside: they may be of another scan, or "
            "moved",
            "Look where they lie on the PET.",
        ),
        "seg-geometry": Code(
            "the SEG says of its own geometry what cannot be true of its frames",
            "Look where its segments lie on the PET, and how thick they are; export it anew.",
        ),
        "roi-resampled": Code(
            "ROIs drawn on another grid hold another volume on the PET's voxels",
            "Draw what is thin or small on the PET itself.",
        ),
        "roi-spacing": Code(
            "ROIs begin on one of the PET's voxels and have another spacing: it, or the PET's, may "
            "be wrong",
            "Look where they lie on the PET, and how large they are.",
        ),
        "contours-skipped": Code(
            "contours that enclose no voxel were left out",
            "Draw them as closed contours if they are lesions.",
        ),
        "uneven-planes": Code(
            "contours lie at uneven distances: one may be lost or moved, its slice empty",
            "Look at the slices of these ROIs, or draw them anew.",
        ),
        "mask-geometry": Code(
            "the mask has the PET's shape but lies elsewhere",
            "Write it with the PET's affine; accepted, it is taken voxel by voxel.",
            kind="refusal",
        ),
        "unreviewed-hotspots": Code(
            "every hot spot counts, physiologic ones too: totals are uptake until a reader has "
            "signed",
            "Review the case: reject what is physiologic, then sign.",
            by_review=True,
        ),
        "third-party-model": Code(
            "the model was trained by others and is not checked here",
            "Ask its authors what it was trained on and how well it does.",
        ),
        "weights-left-out": Code(
            "parts of the model's checkpoint that take no part in its answer were left out",
            "Look whether its authors' own program uses them.",
        ),
        "out-of-memory": Code(
            "memory ran out and the network went on in smaller pieces",
            "Nothing is lost but time; another --device avoids it.",
        ),
        "below-floor": Code(
            "a cut lies below the floor that a lesion was grown to: its volume is a lower bound",
            "Grow the lesion further, or use a cut above the floor.",
            by_review=True,
        ),
    }
)
"""Every warning and refusal there is, in the order of the page docs/warnings.md."""

ACCEPTABLE: tuple[str, ...] = tuple(code for code, row in CODES.items() if row.kind == "refusal")
"""What `--accept` takes."""
REVIEWED = frozenset(code for code, row in CODES.items() if row.by_review)
"""The warnings that follow from decisions."""


@dataclass(frozen=True)
class Notice:
    """A warning that goes into the case: ``code`` is one of `CODES`."""

    code: str
    message: str


def notice(code: str, detail: str = "") -> Notice:
    """The notice of ``code``, with a detail after its standing text."""
    words = CODES[code].words
    return Notice(code, f"{words} ({detail})" if detail else words)


def refuse(code: str, what: str, accepted: Collection[str], *, tag: str = "") -> Notice:
    """Raise `Implausible` for ``what``, by its ``tag`` if it has one; a notice if accepted."""
    row, told = CODES[code], f"{tag}: {what}" if tag else what
    if code in accepted:
        return notice(code, f"accepted: {told}")
    remedy = f"{row.remedy} --accept {code} takes it as it is."
    raise Implausible(code, f"{told}: {row.words}", remedy, tag)


def page() -> str:
    """The table of docs/warnings.md."""
    rows = [
        f"| `{code}` | {row.kind} | {row.words} | {row.remedy} |" for code, row in CODES.items()
    ]
    return "\n".join(
        ["| code | kind | what it says | what to do |", "|---|---|---|---|", *rows, ""]
    )
