"""What is warned about: one table of codes that stay the same, with words and a way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Code:
    """A row of `CODES`: what is the matter in ``words``, what to do about it in ``remedy``.

    ``by_review``: it follows from the decisions, and so belongs to the review part of
    `case.json`.
    """

    words: str
    remedy: str
    by_review: bool = False


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
        "high-dose": Code(
            "the injected activity is above 2 GBq",
            "Check the activity and its unit; --dose-bq gives the right one.",
        ),
        "half-life": Code(
            "the half-life is off by more than 1 % from F-18's",
            "Check the tracer in the header.",
        ),
        "uptake-time": Code(
            "the uptake time lies outside 45 to 120 minutes",
            "Check the clock of the injection; --injection-time gives the right one.",
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
            "missing slices were interpolated",
            "Fetch the whole series; a lesion there is partly invented.",
        ),
        "overlapping-rois": Code(
            "ROIs overlap; a voxel belongs to the smallest of them",
            "Choose ROIs by --roi, or draw them apart.",
        ),
        "roi-outside": Code(
            "part of the ROIs lies outside the PET",
            "Check that ROIs and PET are of one study; what lies outside is not measured.",
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
"""Every warning there is, in the order of the page docs/warnings.md."""


@dataclass(frozen=True)
class Notice:
    """A warning that goes into the case: ``code`` is one of `CODES`."""

    code: str
    message: str


def notice(code: str, detail: str = "") -> Notice:
    """The notice of ``code``, with a detail after its standing text."""
    words = CODES[code].words
    return Notice(code, f"{words} ({detail})" if detail else words)


def page() -> str:
    """The table of docs/warnings.md."""
    rows = [f"| `{code}` | {row.words} | {row.remedy} |" for code, row in CODES.items()]
    return "\n".join(["| code | what it says | what to do |", "|---|---|---|", *rows, ""])
