"""Images in chunks: bit for bit, plane by plane, and no other file taken for one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmtv_engine.errors import CaseError
from tmtv_engine.image.store import Rescale, StoredImage, save_image
from tmtv_engine.image.volume import Grid, Unit, Volume

SHAPE = (7, 11, 13)
GRID = Grid.axial(SHAPE, (4.0, 2.0, 3.0), (-20.0, -10.0, 5.0), "1.2.3")


def rescale(seed: int = 0) -> Rescale:
    rng = np.random.default_rng(seed)
    slope = rng.uniform(0.3, 9.0, SHAPE[0]).astype(np.float32)
    intercept = np.where(rng.random(SHAPE[0]) < 0.5, 0, -3.5).astype(np.float32)
    return Rescale(slope, intercept, np.full(SHAPE[0], 0.00024290298, np.float32))


def read(stored: np.ndarray[tuple[int, ...], np.dtype[np.int16]], how: Rescale) -> Volume:
    """SUV as the DICOM reader makes it: float32 at each step."""
    out = np.empty(SHAPE, np.float32)
    for k in range(SHAPE[0]):
        np.multiply(stored[k], how.slope[k], out=out[k], casting="unsafe")
        out[k] += how.intercept[k]
    out *= how.factor[:, None, None]
    return Volume(out, GRID, Unit.SUV)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_integers_come_back_and_with_them_every_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stored = rng.integers(-32768, 32768, SHAPE).astype(np.int16)
    how = rescale(seed)
    suv = read(stored, how)
    found = how.invert(suv.array)
    assert found is not None
    np.testing.assert_array_equal(found, stored)
    np.testing.assert_array_equal(how.apply(found).view(np.uint32), suv.array.view(np.uint32))


def test_planes_of_every_axis_and_the_grid(tmp_path: Path) -> None:
    stored = np.arange(7 * 11 * 13, dtype=np.int16).reshape(SHAPE)
    how = rescale()
    suv = read(stored, how)
    save_image(tmp_path / "image.b2nd", suv, how)
    image = StoredImage(tmp_path / "image.b2nd")
    assert image.unit is Unit.SUV
    assert image.grid.matches(GRID, 1e-12)
    assert image.grid.frame_uid == "1.2.3"
    for axis, index in ((0, 6), (1, 3), (2, 12)):
        np.testing.assert_array_equal(image.plane(axis, index), suv.array.take(index, axis))
    np.testing.assert_array_equal(image.volume().array, suv.array)
    part = image.part(slice(2, 5), slice(0, 3), slice(4, 9))
    np.testing.assert_array_equal(part, suv.array[2:5, 0:3, 4:9])


def test_what_no_integers_give_is_kept_as_it_is(tmp_path: Path) -> None:
    """A resampled slice fits no slope; the float32 is stored, and so is a zero slope's noise."""
    suv = read(np.full(SHAPE, 7, np.int16), rescale())
    array = suv.array.copy()
    array[3, 4, 5] += np.float32(1e-4)
    for how in (rescale(), None, Rescale(*(np.zeros(7, np.float32) for _ in range(3)))):
        save_image(tmp_path / "i.b2nd", suv.with_array(array), how)
        np.testing.assert_array_equal(StoredImage(tmp_path / "i.b2nd").volume().array, array)


def test_a_slice_of_zero_slope_is_zero(tmp_path: Path) -> None:
    how = rescale()
    slope, intercept = how.slope.copy(), how.intercept.copy()
    slope[2] = intercept[2] = 0
    how = Rescale(slope, intercept, how.factor)
    suv = read(np.full(SHAPE, 7, np.int16), how)
    found = how.invert(suv.array)
    assert found is not None
    assert not found[2].any()
    assert (found[[0, 1, 3, 4, 5, 6]] == 7).all()


def test_the_same_image_is_the_same_file(tmp_path: Path) -> None:
    suv = read(np.random.default_rng(1).integers(0, 999, SHAPE).astype(np.int16), rescale())
    for name in ("a", "b"):
        save_image(tmp_path / f"{name}.b2nd", suv, rescale())
    assert (tmp_path / "a.b2nd").read_bytes() == (tmp_path / "b.b2nd").read_bytes()


def test_hu_are_whole(tmp_path: Path) -> None:
    hu = Volume(np.full(SHAPE, -0.6, np.float32), GRID, Unit.HU)
    save_image(tmp_path / "ct.b2nd", hu)
    assert (StoredImage(tmp_path / "ct.b2nd").plane(0, 0) == -1).all()


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    import blosc2

    whole = tmp_path / "whole.b2nd"
    save_image(whole, read(np.zeros(SHAPE, np.int16), rescale()), rescale())
    (tmp_path / "text.b2nd").write_text("no image")
    (tmp_path / "cut.b2nd").write_bytes(whole.read_bytes()[:100])
    (tmp_path / "link.b2nd").symlink_to(whole)
    blosc2.asarray(np.zeros((2, 2)), urlpath=str(tmp_path / "foreign.b2nd"), mode="w")
    for name in ("text", "cut", "link", "foreign", "absent"):
        with pytest.raises(CaseError, match=rf"{name}\.b2nd cannot be read"):
            StoredImage(tmp_path / f"{name}.b2nd")


REFUSED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from tmtv_engine.image.store import save_image
from tmtv_engine.image.volume import Grid, Unit, Volume
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
suv = np.random.default_rng(0).random((64, 64, 64), np.float32)
try:
    save_image(Path(sys.argv[1]), Volume(suv, Grid.axial(suv.shape, (4.0, 4.0, 4.0)), Unit.SUV))
except OSError as error:
    print(error.strerror, error.filename)
"""


def test_a_disk_that_refuses_is_told_as_a_disk_and_not_as_an_array(tmp_path: Path) -> None:
    path = tmp_path / "image.b2nd"
    done = subprocess.run(
        [sys.executable, "-c", REFUSED, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == f"Input/output error {path}\n", done.stderr
