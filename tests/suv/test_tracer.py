"""Nuclide and tracer in the words of clinics, and half-lives that are off."""

from __future__ import annotations

from typing import Any

import pytest

from tmtv_engine.errors import BadTag, Implausible
from tmtv_engine.notices import Notice
from tmtv_engine.suv.header import PetHeader
from tmtv_engine.suv.overrides import Overrides
from tmtv_engine.suv.tracer import check_half_life, check_tracer, is_fdg, nuclide_of

FDG = [
    "FDG",
    "FDG -- fluorodeoxyglucose",
    "F-18 FDG",
    "18F-FDG",
    "18FFDG",
    "FDG_F18",
    "2-[18F]fluoro-2-deoxy-D-glucose",
    "[18F]Fluoro-2-desoxy-D-glucose",
    "Fluorodeoxyglucose F^18^",
    "Fludeoxyglucose (18F)",
    "Fluordesoxyglukose",
    "Fluorodésoxyglucose",
    "fluorodesossiglucosio",
    "Fluorodesoxiglucosa",
    "Fluorodeoxyglucose F^18^ C-B1031",
    "Solution 35321007",
]
OTHERS = [
    "FLT",
    "F18-FLT",
    "FDGal",
    "Florbetapir F18",
    "PSMA-1007",
    "NaF",
    "DOPA",
    "Glucose",
    "FDOPA",
]


@pytest.mark.parametrize("name", FDG)
def test_fdg_in_any_words(name: str) -> None:
    assert is_fdg(name)
    assert check_tracer(PetHeader(tracers=(name,)), Overrides()) == []


@pytest.mark.parametrize("name", OTHERS)
def test_another_tracer_is_refused_unless_allowed(name: str) -> None:
    header = PetHeader(tracers=(name,))
    with pytest.raises(BadTag, match="--allow-tracer"):
        check_tracer(header, Overrides())
    (told,) = check_tracer(header, Overrides(allow_tracer=True))
    assert (told.code, name in told.message) == ("other-tracer", True)


@pytest.mark.parametrize("names", [(), ("Solution",), ("F18",), ("^18^Fluorine",), ("Unknown",)])
def test_what_names_no_tracer_is_warned_of(names: tuple[str, ...]) -> None:
    (told,) = check_tracer(PetHeader(tracers=names), Overrides())
    assert told.code == "tracer-unnamed"


def test_a_name_that_contradicts_its_code_is_refused() -> None:
    with pytest.raises(BadTag, match="FLT is not FDG"):
        check_tracer(PetHeader(tracers=("FLT", "Fluorodeoxyglucose C-B1031")), Overrides())
    assert check_tracer(PetHeader(tracers=("F18", "FDG C-B1031")), Overrides()) == []


@pytest.mark.parametrize(
    ("text", "nuclide"),
    [
        ("18F C-111A1", "F18"),
        ("^18^Fluorine", "F18"),
        ("Fluorine F^18^", "F18"),
        ("F-18", "F18"),
        ("Fluor-18", "F18"),
        ("77004003", "F18"),
        ("^68^Gallium C-131A3", "GA68"),
        ("68Ga", "GA68"),
        ("Carbon-11", "C11"),
        ("^124^Iodine", "I124"),
        ("Tc-99m", "TC99M"),
    ],
)
def test_nuclides(text: str, nuclide: str) -> None:
    assert nuclide_of(text) == nuclide


def _half_life(seconds: float, *nuclides: str, **told: Any) -> list[Notice]:
    header = PetHeader(half_life_s=seconds, nuclides=nuclides)
    return check_half_life(header, Overrides(**told))


@pytest.mark.parametrize(
    ("seconds", "codes"),
    [
        (6586.2, []),
        (6588.0, []),
        (6586.2 * 1.0099, []),
        (6586.2 * 1.0101, ["half-life"]),
        (6586.2 * 0.9899, ["half-life"]),
        (6586.2 * 1.0499, ["half-life"]),
        (6586.2 * 0.9501, ["half-life"]),
    ],
)
def test_a_half_life_may_be_off_by_one_percent(seconds: float, codes: list[str]) -> None:
    assert [n.code for n in _half_life(seconds)] == codes
    assert [n.code for n in _half_life(seconds, "18F")] == codes


@pytest.mark.parametrize("seconds", [109.77, 1.83, 6586.2 * 1.0501, 6586.2 * 0.9499, 4062.6])
def test_a_half_life_further_off_is_refused_unless_accepted(seconds: float) -> None:
    with pytest.raises(Implausible, match="RadionuclideHalfLife") as caught:
        _half_life(seconds, "F18")
    assert caught.value.code == "wrong-half-life"
    (told,) = _half_life(seconds, "F18", accepted=frozenset({"wrong-half-life"}))
    assert told.code == "wrong-half-life"


def test_a_nuclide_has_a_half_life_of_its_own() -> None:
    assert _half_life(4062.6, "68Ga") == []
    with pytest.raises(Implausible):
        _half_life(6586.2, "68Ga")
    assert _half_life(1.0, "Tc-99m") == []


@pytest.mark.parametrize(
    ("said", "f18"),
    [
        ("^18^Fluorine C-111A1", True),
        ("Fluorine 18 77004003", True),
        ("^68^Gallium C-111A1", False),
        ("^18^Fluorine C-131A3", False),
        ("^11^Carbon C-111A1", False),
        ("Fluor C-111A1", True),
    ],
)
def test_a_name_and_a_code_that_mean_two_nuclides_are_refused(said: str, f18: bool) -> None:
    assert (nuclide_of(said) == "F18") is f18
    header = PetHeader(nuclides=(said,), tracers=("FDG",))
    if f18:
        assert check_tracer(header, Overrides()) == []
    else:
        with pytest.raises(BadTag, match="is not F-18"):
            check_tracer(header, Overrides())
