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


Rgb = tuple[int, int, int]


class Status(StrEnum):
    """Whether a lesion counts; ``glyph`` stands for it where a word has no room."""

    # in pictures from what may be covered to what may not: word, glyph (told apart without
    # colour), its colour on paper and, one of a terminal's 256, on a screen, its face in a list,
    # what a lesion of that status does
    REJECTED = "rejected", "x", (130, 130, 130), (95, 95, 95), "dim", "was taken out by a reader"
    CANDIDATE = (
        *("candidate", "?", (0, 110, 190), (0, 95, 175), "italic"),
        "counts once a reader accepts it: a hot spot that the model did not take, or what lies in "
        "an organ that takes up FDG by nature",
    )
    ACCEPTED = "accepted", "+", (200, 20, 30), (215, 95, 0), "bold", "counts"

    glyph: str
    paper: Rgb
    screen: Rgb
    face: str
    words: str

    def __new__(
        cls, value: str, glyph: str, paper: Rgb, screen: Rgb, face: str, words: str
    ) -> Status:
        made = str.__new__(cls, value)
        made._value_, made.glyph, made.paper = value, glyph, paper
        made.screen, made.face, made.words = screen, face, words
        return made


def page() -> str:
    """The table of docs/review.md: every status, the one that counts first."""
    rows = [f"| `{row.glyph}` | {row} | {row.words} |" for row in reversed(Status)]
    return "\n".join(["| sign | status | such a lesion |", "|---|---|---|", *rows, ""])


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
