"""Which nuclide and which tracer a header names, in whatever words a clinic writes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from tmtv_engine.errors import BadTag
from tmtv_engine.notices import Notice, notice, refuse
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides

F18_HALF_LIFE_S = 6586.2

HALF_LIVES_S: Mapping[str, float] = MappingProxyType(
    {
        "F18": F18_HALF_LIFE_S,
        "C11": 1223.4,
        "N13": 597.9,
        "O15": 122.24,
        "CU64": 45721.0,
        "GA68": 4062.6,
        "RB82": 75.45,
        "ZR89": 282276.0,
        "I124": 360806.0,
    }
)
"""Half-lives in seconds (ENSDF, as in PS3.16 CID 4020's nuclides)."""

_CODES = MappingProxyType(
    {"C111A1": "F18", "77004003": "F18", "C131A3": "GA68", "C105A1": "C11", "C107A1": "N13"}
)
_ELEMENTS = MappingProxyType(
    {
        "FLUORINE": "F",
        "FLUOR": "F",
        "CARBON": "C",
        "GALLIUM": "GA",
        "NITROGEN": "N",
        "OXYGEN": "O",
        "COPPER": "CU",
        "RUBIDIUM": "RB",
        "ZIRCONIUM": "ZR",
        "IODINE": "I",
    }
)
_FDG_CODES = frozenset({"CB1031", "35321007", "YX1743"})
_FDG_TOKEN = re.compile(r"(?:18F|F18|F)?FDG(?:18F|F18)?|EFDEGE|GLUSCAN|GLUCOTRACE|STERIPET")
_GLUCOSE = re.compile(r"FLU(?:O?RO?|D[EI])?\w*(?:DEOXI?Y?|DESOXI?Y?|DESOSSI)\w*GL[UY][CK]O")
_GENERIC = frozenset({"UNKNOWN", "OTHER", "NONE", "SOLUTION", "PET", "UNSPECIFIED", "NA", "NULL"})


def nuclide_of(text: str) -> str:
    """The nuclide that a code or a name means (``F18``); what it says itself if nobody knows, or
    if code and name mean two."""
    letters = _letters(text)
    meant = {name for code, name in _CODES.items() if code in letters}
    for part in (text, *text.split()):  # a name may run into the code behind it
        meant |= _named(_symbols(part))
    return meant.pop() if len(meant) == 1 else _symbols(text)


def _named(symbols: str) -> set[str]:
    found = set()
    for name in HALF_LIVES_S:
        symbol, mass = name.rstrip("0123456789"), name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if re.search(rf"(?<!\d){mass}{symbol}(?![A-Z])|{symbol}{mass}(?!\d)", symbols):
            found.add(name)
    return found


def is_fdg(text: str) -> bool:
    """Whether a name or a code means F-18 fluorodeoxyglucose."""
    tokens = re.split(r"[^A-Z0-9]+", _plain(text))
    if any(_FDG_TOKEN.fullmatch(token) for token in tokens):
        return True
    letters = _letters(text)
    return any(code in letters for code in _FDG_CODES) or bool(_GLUCOSE.search(letters))


def check_tracer(header: PetHeader, overrides: Overrides) -> list[Notice]:
    """Warnings about nuclide and tracer; raises `BadTag` for another one than F-18 FDG."""
    if header.radiopharmaceuticals > 1:
        raise BadTag(
            "RadiopharmaceuticalInformationSequence",
            f"{header.radiopharmaceuticals} items",
            "Which of them is the FDG cannot be known; export the series with one.",
        )
    named = [text for text in header.tracers if not _says_nothing(text)]
    others = [text for text in named if not is_fdg(text)]
    strange = [n for n in header.nuclides if n and nuclide_of(n) != "F18"]
    allow = "Add --allow-tracer to take it all the same."
    if strange and not overrides.allow_tracer:
        raise BadTag("RadionuclideCodeSequence", f"{strange[0]} is not F-18", allow)
    if others and not overrides.allow_tracer:
        raise BadTag("Radiopharmaceutical", f"{others[0]} is not FDG", allow)
    if not named:
        return [notice("tracer-unnamed")]
    return [notice("other-tracer", " ".join((*others, *strange)))] if others or strange else []


def check_half_life(header: PetHeader, overrides: Overrides) -> list[Notice]:
    """A warning above 1 % off the nuclide's own half-life, a refusal above 5 %."""
    half_life = header.ask("half_life_s")
    known = {HALF_LIVES_S.get(nuclide_of(n)) for n in header.nuclides if n} or {F18_HALF_LIFE_S}
    own = next(iter(known)) if len(known) == 1 else None
    if own is None:
        return []
    off = abs(half_life / own - 1.0)
    if off > 0.05:
        what, tag = f"{half_life:g} s, not {own:g} s", "RadionuclideHalfLife"
        return [refuse("wrong-half-life", what, overrides.accepted, tag=tag)]
    return [notice("half-life", f"{half_life:g} s")] if off > 0.01 else []


def _says_nothing(text: str) -> bool:
    """Whether a name names no tracer: empty, a filler, or the nuclide alone."""
    letters = _symbols(text)
    alone = re.fullmatch(r"([A-Z]{1,2})(\d+)|(\d+)([A-Z]{1,2})", letters)
    return not letters or letters in _GENERIC or bool(alone)


def _symbols(text: str) -> str:
    """Letters and digits, with the elements' names as their symbols."""
    letters = _letters(text)
    for word, symbol in _ELEMENTS.items():
        letters = letters.replace(word, symbol)
    return letters


def _plain(text: str) -> str:
    """Upper case without accents."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(c for c in apart if not unicodedata.combining(c)).upper()


def _letters(text: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", _plain(text))
