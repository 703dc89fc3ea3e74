"""What the headers count and measure of a series, against where its slices lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from tests.support.dicom import SHAPE, pixels, save, tags, write_series
from tmtv_engine.dicom.read import Stack, read_series
from tmtv_engine.errors import GeometryError

Bend = Callable[[int, Dataset], None]


def _both(*bends: Bend) -> Bend:
    def bend(k: int, ds: Dataset) -> None:
        for one in bends:
            one(k, ds)

    return bend


def _all(**values: object) -> Bend:
    return lambda _, ds: tags(**values)(ds)


def _renumbered(k: int, ds: Dataset) -> None:
    ds.InstanceNumber = k // 2 + 1


def _codes(stack: Stack) -> list[str]:
    return [n.code for n in stack.notices]


PROMISED, UNSAID = _all(NumberOfSlices=7), _all(SliceThickness="")

THINNED: dict[str, tuple[Bend | None, str]] = {
    "promised": (PROMISED, "4 of 7 slices.*6.00 mm.*SliceThickness is 3 mm: 3 are missing between"),
    "more promised": (_all(NumberOfSlices=9), "4 of 9.*3 are missing between them, 2 at an end"),
    "by the thickness alone": (None, "4 slices, each 6.00 mm.*SliceThickness is 3"),
    "by the spacing": (_all(SpacingBetweenSlices=3, SliceThickness="6"), "SpacingBetweenSlices is"),
    "by the numbers": (UNSAID, "every InstanceNumber is 2 from the next"),
    "promised, of rewritten thickness": (
        _both(PROMISED, _all(SliceThickness="6")),
        "4 of 7 slices.*every InstanceNumber is 2",
    ),
}


@pytest.mark.parametrize("name", THINNED)
def test_every_other_slice_gone_is_said_to_be_between_them(name: str, tmp_path: Path) -> None:
    bend, said = THINNED[name]
    files = write_series(tmp_path, bend=bend)[::2]
    with pytest.raises(GeometryError, match=said) as caught:
        read_series(files)
    assert "--allow-gaps" in caught.value.remedy
    stack = read_series(files, allow_gaps=True)
    assert "3 between others" in {n.code: n.message for n in stack.notices}["gaps"]
    assert stack.grid.shape[0] == SHAPE[0]
    assert stack.grid.spacing_mm[0] == pytest.approx(3.0)
    stored = pixels()[::2].astype(float)
    np.testing.assert_allclose(stack.array[::2], stored)
    np.testing.assert_allclose(stack.array[1::2], (stored[:-1] + stored[1:]) / 2)


def test_a_hole_among_slices_that_are_thinned(tmp_path: Path) -> None:
    files = write_series(tmp_path, np.zeros((13, 4, 5), np.int16), bend=_all(NumberOfSlices=13))
    stack = read_series([files[k] for k in (0, 2, 4, 8, 10, 12)], allow_gaps=True)
    assert stack.grid.shape[0] == 13
    assert stack.grid.spacing_mm[0] == pytest.approx(3.0)


WHOLE: dict[str, tuple[Bend, list[str]]] = {
    "as many as promised": (_both(_all(NumberOfSlices=4, SliceThickness="3")), ["slice-distance"]),
    "numbered one by one": (_renumbered, ["slice-distance"]),
    "thick slices that overlap": (_both(_renumbered, _all(SliceThickness="12")), []),
    "thick as they are apart": (_both(_renumbered, _all(SliceThickness="6")), []),
}


@pytest.mark.parametrize("name", WHOLE)
def test_thin_slices_that_are_all_there(name: str, tmp_path: Path) -> None:
    bend, codes = WHOLE[name]
    stack = read_series(write_series(tmp_path, bend=bend)[::2])
    assert (stack.grid.shape[0], _codes(stack)) == (4, codes)
    assert stack.grid.spacing_mm[0] == pytest.approx(6.0)


def test_a_ct_of_thin_slices_far_apart_is_whole(tmp_path: Path) -> None:
    stack = read_series(write_series(tmp_path, modality="CT")[::2])
    assert stack.grid.spacing_mm[0] == pytest.approx(6.0)
    assert _codes(stack) == []


def _located(mm: float) -> Bend:
    return lambda k, ds: tags(SliceLocation=f"{100 - mm * k:.2f}")(ds)


DISTANCES: dict[str, tuple[Bend, bool]] = {
    "said as it is": (_all(SpacingBetweenSlices=3), False),
    "said with its sign": (_all(SpacingBetweenSlices=-3), False),
    "overlapping": (_all(SpacingBetweenSlices=3, SliceThickness="2.5"), False),
    "rounded": (_all(SpacingBetweenSlices=3.05), False),
    "said otherwise": (_all(SpacingBetweenSlices=3.27), True),
    "located as they lie, from the feet": (_located(3.0), False),
    "all at one place, which is no word": (_located(0.0), False),
    "located otherwise": (_located(2.0), True),
    "no word at all": (UNSAID, False),
    "thinner": (_all(SliceThickness="2"), True),
}


@pytest.mark.parametrize("name", DISTANCES)
def test_another_distance_of_slices_is_told(name: str, tmp_path: Path) -> None:
    bend, told = DISTANCES[name]
    stack = read_series(write_series(tmp_path, bend=bend))
    assert _codes(stack) == (["slice-distance"] if told else [])
    assert stack.grid.spacing_mm[0] == pytest.approx(3.0)


def _twice(files: list[Path], by_mm: float) -> list[Path]:
    """The same files and a second series of the same UID, so far above, with other images."""
    more = []
    for path in files:
        ds = dcmread(path)
        x, y, z = (float(v) for v in ds.ImagePositionPatient)
        ds.ImagePositionPatient = [x, y, z + by_mm]
        ds.SOPInstanceUID = f"{ds.SOPInstanceUID}.5"
        ds.PixelData = bytes(len(ds.PixelData))
        more.append(path.with_name(f"X{path.name}"))
        save(ds, more[-1])
    return [*files, *more]


@pytest.mark.parametrize("by_mm", [1.5, 21.0])
@pytest.mark.parametrize(
    ("bend", "said"),
    [(_all(NumberOfSlices=7), "14 images of 7"), (None, "14 images have 7 InstanceNumbers")],
)
def test_two_series_under_one_uid_are_told(
    bend: Bend | None, said: str, by_mm: float, tmp_path: Path
) -> None:
    stack = read_series(_twice(write_series(tmp_path, bend=bend), by_mm))
    (told,) = (n for n in stack.notices if n.code == "image-numbers")
    assert said in told.message


def test_numbers_out_of_order_are_told_and_blank_or_falling_ones_are_not(tmp_path: Path) -> None:
    numbers = [1, 2, 4, 3, 5, 6, 7]
    swapped = write_series(tmp_path / "a", bend=lambda k, ds: tags(InstanceNumber=numbers[k])(ds))
    (told,) = read_series(swapped).notices
    assert (told.code, "InstanceNumber 4 lies beside 3" in told.message) == ("image-numbers", True)
    falling = write_series(
        tmp_path / "falling", bend=lambda k, ds: tags(InstanceNumber=SHAPE[0] - k)(ds)
    )
    assert read_series(falling).notices == ()
    for name, number in (("blank", ""), ("one", 1)):
        files = write_series(tmp_path / name, bend=_all(InstanceNumber=number))
        assert read_series(files).notices == (), name
