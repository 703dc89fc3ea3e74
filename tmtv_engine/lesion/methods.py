"""The methods: one table of what each keeps, in words, in the SR's code, and what it needs.

A row added to `METHODS` is a choice on the command line, in the SR, the report and the help. How
its kind cuts stands in `thresholds.RULES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from tmtv_engine.errors import UsageError

DEFAULT_METHODS = ("41", "2.5", "4.0")
Need = Literal["background", "liver"]


@dataclass(frozen=True)
class Method:
    """A cut: ``key`` as it stands in files, ``kind`` and, where it has one, its number.

    ``words`` say what it keeps; ``meaning`` says it in the 64 characters of a DICOM code (default:
    the words); ``needs`` names what must be known beside the lesion's own voxels.
    """

    key: str
    kind: str
    value: float = 0.0
    words: str = ""
    meaning: str = ""
    needs: tuple[Need, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", self.words or self.key)
        object.__setattr__(self, "meaning", self.meaning or self.words)

    @property
    def needs_background(self) -> bool:
        """Whether the cut depends on the uptake around the lesion."""
        return "background" in self.needs


def _row(key: str, kind: str, words: str, meaning: str, *needs: Need, value: float = 0.0) -> Method:
    return Method(key, kind, value, words, meaning, needs)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        row.key: row
        for row in (
            _row(
                "otsu",
                "otsu",
                "Otsu's threshold of each lesion",
                "SUV above Otsu's threshold of the lesion",
            ),
            _row(
                "prob",
                "prob",
                "TMTVprob, the mean of the masks 41 %, SUV 2.5, SUV 4.0 and Otsu, at 0.5 or above",
                "Mean of four cuts at least one half",
            ),
            _row("raw", "raw", "the lesion uncut", "As segmented"),
            _row(
                "mv2",
                "majority",
                "at least two of 41 %, A50P, SUV 2.5 and SUV 4.0",
                "At least 2 of four cuts",
                "background",
                value=2,
            ),
            _row(
                "mv3",
                "majority",
                "at least three of 41 %, A50P, SUV 2.5 and SUV 4.0",
                "At least 3 of four cuts",
                "background",
                value=3,
            ),
            _row(
                "a50p",
                "a50p",
                "half the sum of SUVpeak and the background around the lesion",
                "SUV above half of SUVpeak plus background",
                "background",
            ),
            _row(
                "liver",
                "liver",
                "1.5 × mean + 2 × SD of a sphere in the liver",
                "SUV above the liver's threshold",
                "liver",
            ),
        )
    }
)
"""The methods that have a name; percentages and SUVs are read by `parse_method`."""


def parse_method(text: str) -> Method:
    """The method that ``text`` names; raises `UsageError` saying what was probably meant."""
    if text in METHODS:
        return METHODS[text]
    if re.fullmatch(r"[1-9][0-9]", text):
        words = f"SUV above {text} % of the lesion's SUVmax"
        return Method(text, "percent", int(text) / 100.0, words)
    if re.fullmatch(r"[1-9](\.[0-9]+)?", text):
        key = repr(float(text))
        return Method(key, "suv", float(text), f"SUV above {key}")
    raise UsageError(f"no method is called {text[:20]!r}", _meant(text))


def choices() -> str:
    """What can be asked for, in one line."""
    defaults = ", ".join(DEFAULT_METHODS)
    return f"{defaults} (default), any 10-99 (% of SUVmax) or SUV below 10, {', '.join(METHODS)}"


def page() -> str:
    """The table of docs/methods.md."""
    families = {"`10` … `99`": parse_method("41"), "`1` … `9.99`": parse_method("2.5")}
    named = {f"`{row.key}`": row for row in METHODS.values()}
    rows = [
        f"| {name} | {row.words if name in named else f'`{row.key}`: {row.words}'} "
        f"| {row.meaning} | {', '.join(row.needs) or '–'} |"
        for name, row in (families | named).items()
    ]
    head = ["| `--method` | what it keeps | in the SR (code: its key, 99TMTV) | needs |"]
    return "\n".join([*head, "|---|---|---|---|", *rows, ""])


def _meant(text: str) -> str:
    if re.fullmatch(r"[1-9],[0-9]+", text):
        return f"Write the decimal point: {text.replace(',', '.')}."
    if re.fullmatch(r"[1-9][0-9] ?%", text):
        return f"For a percentage of SUVmax write {text[:2]}."
    if re.fullmatch(r"0?\.[0-9]{1,9}", text) and 0.1 <= float(text) < 0.995:
        return f"For a percentage of SUVmax write {round(float(text) * 100)}."
    if re.fullmatch(r"[1-9][0-9]\.[0-9]+", text):
        return f"SUV cuts lie below 10; for a percentage of SUVmax write {int(float(text))}."
    named = ", ".join(METHODS)
    return f"Write a percentage from 10 to 99, an SUV from 1 to 9.99, or one of {named}."
