"""What single vendors write beside the standard, a row each: read by rule and by the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Private:
    """A private attribute: its place behind the ``creator``'s block, and what it means.

    ``field`` is where `PetHeader` keeps it; ``rule`` says when a rule reads it.
    """

    vendor: str
    group: int
    element: int
    creator: str
    field: str
    kind: Literal["number", "moment"]
    rule: str

    @property
    def name(self) -> str:
        """The tag as it is written."""
        return f"({self.group:04x},10{self.element:02x})"


PRIVATE: tuple[Private, ...] = (
    Private(
        "GE",
        0x0009,
        0x0D,
        "GEMS_PETD_01",
        "ge_scan",
        "moment",
        "the scan's start, where SeriesTime lies after the acquisition (a later reconstruction)",
    ),
    Private(
        "Philips",
        0x7053,
        0x00,
        "Philips PET Private Group",
        "philips_suv",
        "number",
        "SUVbw per count, where Units is CNTS and (7053,1009) is 0 or absent",
    ),
    Private(
        "Philips",
        0x7053,
        0x09,
        "Philips PET Private Group",
        "philips_bqml",
        "number",
        "Bq/mL per count, where Units is CNTS and it is not 0",
    ),
)

SIEMENS = "SIEMENS"
"""Its series that were reconstructed later start at AcquisitionTime − FrameReferenceTime + the
time at which the activity is the frame's mean, taken from the earliest bed."""


def is_siemens(manufacturer: str) -> bool:
    """Whether the Siemens rule for later reconstructions holds."""
    return SIEMENS in manufacturer.upper()
