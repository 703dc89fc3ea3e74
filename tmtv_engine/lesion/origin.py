"""What is known of a lesion before anyone measures it: who found it, and what it most likely is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from tmtv_engine.lesion.structures import STRUCTURES

LESION = "lesion"
PHYSIOLOGIC = frozenset(row.name for row in STRUCTURES if row.physiologic)
Share = Annotated[float, Meta(ge=0, le=1)]


class Status(StrEnum):
    """Whether a lesion counts; ``glyph`` stands for it where a word has no room."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANDIDATE = "candidate"

    @property
    def glyph(self) -> str:
        """One character, told apart without colour."""
        return {Status.ACCEPTED: "+", Status.REJECTED: "x", Status.CANDIDATE: "?"}[self]


class Source(StrEnum):
    """Who drew a lesion: the model, the hot spots' rule, a file of ROIs, a reader."""

    MODEL = "model"
    HOTSPOT = "hotspot"
    ROI = "roi"
    READER = "reader"


@dataclass(frozen=True)
class Structure:
    """What a lesion most likely is: an organ's name or ``lesion``, its probability ``p``, and
    who says so: the network's own organ output, or a label map of organs."""

    name: str
    p: Share
    by: Literal["network", "organs"]

    @property
    def physiologic(self) -> bool:
        """Whether uptake there is physiologic, as likely as not."""
        return self.name in PHYSIOLOGIC and self.p >= 0.5


@dataclass(frozen=True)
class Origin:
    """One found lesion beside its voxels: ``probability`` is the network's mean over it,
    ``floor_suv`` the SUV that it was grown down to, ``region`` its place in words."""

    source: Source
    probability: Share | None = None
    floor_suv: float | None = None
    structure: Structure | None = None
    region: str | None = None


def first_status(source: Source, model: str, structure: Structure | None = None) -> Status:
    """The status of a lesion before any review, under the model of that name.

    Candidates are the hot spots beside another model's lesions, and what a model or the hot
    spots found in an organ that takes up FDG by nature. What a person drew is accepted.
    """
    if source in (Source.ROI, Source.READER):
        return Status.ACCEPTED
    beside = source == Source.HOTSPOT and model != "hotspot"
    organ = structure is not None and structure.physiologic
    return Status.CANDIDATE if beside or organ else Status.ACCEPTED
