"""What a header says a second time, truly or falsely: mapping, decay, name, distance, numbers.

The pixels are the same whatever is said. A saying that is true must change nothing and be warned of
by nobody; one that is false must be refused or warned of: one of the two is wrong, and no program
can tell which.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.fuzz.bends import Files, rewritten, some
from tests.fuzz.world import BED_S, FRAME_S, HALF_LIFE, SPACING, UPTAKE, factors, parsed

Chance = random.Random
Saying = Callable[[Dataset, int], None]
TRUE, FALSE = "true", "false"
_UNITS = {"BQML": "Bq/ml", "CNTS": "{counts}", "GML": "g/ml{SUVbw}"}


def scanner_of(ds: Dataset) -> str:
    """Which of the scanners wrote a slice, as far as its factors go."""
    if ds.Units == "GML":
        return "gml"
    if ds.Units == "CNTS":
        return "philips" if float(ds[0x7053, 0x1009].value) else "counts"
    return {"ADMIN": "admin", "NONE": "none"}.get(ds.DecayCorrection, "start")


def said(files: Files, chance: Chance) -> str:
    """One of the sayings, true or false, in all slices or (of ``scopes``) in some."""
    every = sorted(n for n in files if n.startswith("PT"))
    if not every or any(len(n) != len("PT000.dcm") for n in every):
        return "said nothing"
    kind = chance.choice((_mapping, _decay, _name, _distance, _numbers))
    truly = chance.random() < 0.5
    word, saying, scopes = kind(truly, chance)
    scope, names = some(files, chance)
    if scope not in scopes:
        scope, names = (chance.choice(sorted(scopes)), every)
        names = [chance.choice(every)] if scope == "one" else every
    try:
        scanner = scanner_of(parsed(files[every[0]]))
    except Exception:  # bent before, beyond what a header must have
        return "said nothing"
    for name in every:
        number, own = int(name[2:5]), name in names

        def change(ds: Dataset, number: int = number, own: bool = own) -> None:
            ds.PatientBirthDate = "19700102"
            if own:
                saying(ds, number)

        rewritten(files, [name], change)
    moot = word.startswith("DecayFactor") and scanner in ("gml", "counts")  # no SUV depends on it
    moot = moot or (word.startswith("Patient") and names == every)
    return f"{'said' if moot else TRUE if truly else FALSE} {word} {scope}"


def _mapping(truly: bool, chance: Chance) -> tuple[str, Saying, set[str]]:
    """A RealWorldValueMapping in the unit of Units, or in SUV."""
    own = chance.random() < 0.5
    times = 1.0 if truly else chance.choice((0.5, 1.2, 1000.0))
    above = 0.0 if truly or times != 1.2 else 10.0

    def saying(ds: Dataset, k: int) -> None:
        item, unit = Dataset(), Dataset()
        slope = float(ds.RescaleSlope) * times
        unit.CodeValue, unit.CodingSchemeDesignator = _UNITS[ds.Units], "UCUM"
        if not own:
            unit.CodeValue, slope = "g/ml{SUVbw}", slope * float(factors(scanner_of(ds))[k])
        unit.CodeMeaning = unit.CodeValue
        item.RealWorldValueSlope, item.RealWorldValueIntercept = slope, above * slope
        item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 32767
        item.LUTLabel = item.LUTExplanation = "X"
        item.MeasurementUnitsCodeSequence = Items([unit])
        ds.RealWorldValueMappingSequence = Items([item])

    return (
        f"mapping {'own unit' if own else 'SUV'} ×{times:g}",
        saying,
        {"all", "one", "from", "half"},
    )


def _decay(truly: bool, chance: Chance) -> tuple[str, Saying, set[str]]:
    """A DecayFactor of the slice's own bed, or of another moment."""
    how = chance.choice(("low", "injection")) if not truly else "its own"

    def saying(ds: Dataset, k: int) -> None:
        scanner = scanner_of(ds)
        late = BED_S * (k // 6) + chance.choice((0.0, 0.5, 1.0)) * FRAME_S
        waited = {"admin": UPTAKE + late, "none": 0.0}.get(scanner, late)
        if how == "injection":
            waited = {"admin": 0.0, "none": 1200.0}.get(scanner, waited + UPTAKE)
        factor = 2 ** (waited / HALF_LIFE) * (0.85 if how == "low" else 1.0)
        if scanner == "none" and how == "low":
            factor = 1.2
        ds.DecayFactor = f"{factor:.6g}"

    return f"DecayFactor {how}", saying, {"all"}


def _name(truly: bool, chance: Chance) -> tuple[str, Saying, set[str]]:
    """The patient's name as another program writes it, or another's."""
    same = ("Fuzz^Case", "FUZZ^CASE", "fuzz^case^^^", "Fuzz Case", " Fuzz^Case ", "")
    name = chance.choice(same if truly else ("Other^Case", "Fuzz^Casey", "Case", "é^x", "Doe^J"))
    keyword = "PatientName"
    value = name
    if not truly and chance.random() < 0.3:
        keyword, value = "PatientBirthDate", "19500101"

    def saying(ds: Dataset, k: int) -> None:
        setattr(ds, keyword, value)

    return f"{keyword} {value!r}", saying, {"one", "from"}


def _distance(truly: bool, chance: Chance) -> tuple[str, Saying, set[str]]:
    """SpacingBetweenSlices, SliceLocation or a thickness."""
    step = SPACING[0]
    keyword = chance.choice(("SpacingBetweenSlices", "SliceLocation", "SliceThickness"))
    times = 1.0 if truly else chance.choice((0.654, 1.1, 2.0, 10.0))
    if keyword == "SliceThickness":
        times = chance.choice((1.0, 1.2, 2.0)) if truly else chance.choice((0.1, 0.5, 0.7))

    def saying(ds: Dataset, k: int) -> None:
        value = step * times * (k + 1 if keyword == "SliceLocation" else 1)
        setattr(ds, keyword, f"{value:.4f}")

    return f"{keyword} ×{times:g}", saying, {"all"}


def _numbers(truly: bool, chance: Chance) -> tuple[str, Saying, set[str]]:
    """InstanceNumbers that count the other way or from 0, or that repeat or are mixed."""
    how = chance.choice(("from 0", "falling", "blank") if truly else ("twice", "mixed"))
    numbers: dict[str, Callable[[int], str]] = {
        "from 0": str,
        "falling": lambda k: str(12 - k),
        "blank": lambda _: "",
        "twice": lambda k: str(k // 2 + 1),
        "mixed": lambda k: str(1 + (k * 5) % 12),
    }

    def saying(ds: Dataset, k: int) -> None:
        ds.InstanceNumber = numbers[how](k)

    return f"InstanceNumber {how}", saying, {"all"}
