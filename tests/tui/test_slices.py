"""Slices: which voxel is shown where in each plane, values under the cursor, distances, CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.cases import SHAPE, copied_case, make_volume
from tests.support.drive import opened, running, settle, text_of, until
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.image.projections import project
from tmtv_engine.image.store import save_image
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.origin import Status
from tmtv_tui.config import Config
from tmtv_tui.review.images import Images
from tmtv_tui.review.picture import GREYS, outline, place, ray
from tmtv_tui.review.planes import body_of, planes_of
from tmtv_tui.review.scene import scale_bar
from tmtv_tui.screens.case import CaseScreen
from tmtv_tui.screens.pictures import WINDOWS
from tmtv_tui.widgets.mip import CHOSEN, COLOURS
from tmtv_tui.widgets.slices import SliceView

GRID = Grid.axial((7, 11, 13), (4.0, 3.0, 2.0), (-10.0, 20.0, -300.0))


def noise(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    found = np.random.default_rng(3).random(shape).astype(np.float32) * 9
    return np.asarray(found, np.float32)


def with_ct(case: Case) -> npt.NDArray[np.float32]:
    """Put a CT of its own into a case, after the fact; its HU."""
    suv, _ = make_volume()
    hu = np.rint(noise(SHAPE) * 100 - 400).astype(np.float32)
    save_image(case.path / "ct.b2nd", Volume(hu, suv.grid, Unit.HU))
    return hu


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (1, -1, -1)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (0, 2, 1)])
def test_every_plane_shows_the_body_as_radiologists_look_at_it(
    flips: tuple[int, int, int], order: tuple[int, int, int]
) -> None:
    """Whichever axes the voxels have: rows and columns grow to the back, left and feet."""
    affine = np.zeros((4, 4))
    steps = {0: 4.0, 1: 3.0, 2: 2.0}
    for axis in range(3):
        affine[2 - order[axis], axis] = steps[axis] * flips[axis]
    affine[3, 3] = 1
    grid = Grid((7, 11, 13), affine)
    array = noise(grid.shape)
    towards = {"axial": ((2, -1), (1, 1), (0, 1)), "coronal": ((1, 1), (2, -1), (0, 1)),
               "sagittal": ((0, 1), (2, -1), (1, 1))}  # fmt: skip
    for name, plane in planes_of(grid).items():
        axis, way = plane.across
        for at in range(grid.shape[axis]):
            image = plane.image(np.take(array, at, axis=axis))
            assert image.shape == plane.size
            for row, col in ((0, 0), (2, 5), (plane.size[0] - 1, plane.size[1] - 1)):
                index = plane.voxel(row, col, at)
                assert image[row, col] == array[index]
                assert tuple(plane.pixel(index)) == (row, col)
        across, down, right = towards[name]
        here = grid.to_mm(plane.voxel(2, 3, 1))
        assert (grid.to_mm(plane.voxel(3, 3, 1)) - here)[down[0]] == plane.mm[0] * down[1]
        assert (grid.to_mm(plane.voxel(2, 4, 1)) - here)[right[0]] == plane.mm[1] * right[1]
        assert np.sign((grid.to_mm(plane.voxel(2, 3, 1 + way)) - here)[across[0]]) == across[1]


def test_sides_are_lettered() -> None:
    planes = planes_of(GRID)
    assert planes["axial"].letters == ("R", "L", "A", "P")
    assert planes["coronal"].letters == ("R", "L", "H", "F")
    assert planes["sagittal"].letters == ("A", "P", "H", "F")


def test_a_slice_keeps_its_shape_in_millimetres_and_its_maxima() -> None:
    """Cells are twice as high as wide; pixels of 4 × 2 mm."""
    image = np.zeros((20, 30), np.float32)  # 80 mm × 60 mm
    image[7, 11] = 10.0
    for mode in ("half", "sextant", "octant", "ascii"):
        placed = place(image, (0, 20, 0, 30), 60, 30, 10.0, mode, mm=(4.0, 2.0))
        assert placed.cells == (30, 45)  # 60 lines high as 45 columns are wide, 4 : 3
        spot = placed.spot(7, 11)
        assert spot is not None
        assert placed.grey[spot] == 0
        small = place(image, (0, 20, 0, 30), 6, 4, 10.0, mode, mm=(4.0, 2.0))
        assert small.cells == (4, 6)
        assert small.grey.min() == 0
    mean = place(image, (0, 20, 0, 30), 5, 10, 10.0, "half", mm=(4.0, 2.0), mean=True)
    assert mean.grey.min() > 0
    down, across = 20 / mean.grey.shape[0], 30 / mean.grey.shape[1]
    assert mean.grey.min() >= round((GREYS - 1) * (1 - 1 / (int(down) * int(across)))) - 1


def test_the_scale_bar_is_as_long_as_it_says() -> None:
    plane = planes_of(GRID)["axial"]
    placed = place(noise((11, 13)), (0, 11, 2, 12), 40, 40, 10.0, mm=plane.mm)
    count, length = scale_bar(placed, plane)
    assert length == pytest.approx(count * (10 * 2.0) / placed.cells[1])
    assert 5 <= count <= placed.cells[1] // 2 - 5


def test_what_is_shown_at_first_is_the_whole_body() -> None:
    array = np.zeros((60, 50, 40), np.float32)
    array[10:50, 12:30, 5:33] = 1.0
    array[10:50, 20:24, 35:37] = 0.9  # an arm
    suv = Volume(array, Grid.axial(array.shape, (5.0, 4.0, 4.0), (-90, -70, -800)), Unit.SUV)
    from tmtv_engine.lesion.lists import from_labels

    none = from_labels(suv.with_array(np.zeros(array.shape, np.uint16), Unit.LABEL), suv)
    low, high = body_of(project(suv), none)
    assert np.abs(np.subtract(low, (10, 12, 5))).max() <= 1
    assert np.abs(np.subtract(high, (49, 29, 36))).max() <= 1


def test_slices_read_from_the_file_are_the_array_s(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    hu, (suv, _) = with_ct(case), make_volume()
    images = Images.of(read_case(case.path), case.voxels(), lambda text: None)
    assert images.kinds == ("pet", "ct")
    for axis in range(3):
        for at in (0, 5, 16, SHAPE[axis] - 1):
            assert (images.read("pet", axis, at) == np.take(suv.array, at, axis=axis)).all()
            assert (images.read("ct", axis, at) == np.take(hu, at, axis=axis)).all()
            assert images.held("pet", axis, at // 16 * 16) is not None


def test_an_image_of_another_prediction_is_refused(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    suv, _ = make_volume()
    other = suv.array.copy()
    other[5, 9, 9] += 1
    save_image(case.path / "image.b2nd", suv.with_array(other))
    with pytest.raises(CaseError, match="another prediction"):
        Images.of(case, case.voxels(), lambda text: None)
    moved = Grid(suv.grid.shape, suv.grid.affine + np.eye(4)[:, [3, 3, 3, 3]] * 0, "1.2")
    moved = Grid.axial(SHAPE, (4.0, 3.0, 2.1), (-40.0, -60.0, 100.0))
    save_image(case.path / "image.b2nd", Volume(suv.array, moved, Unit.SUV))
    with pytest.raises(CaseError, match="another grid"):
        Images.of(case, case.voxels(), lambda text: None)


def test_a_point_of_a_projection_is_its_hottest_voxel() -> None:
    suv, _ = make_volume()
    mip = project(suv)
    images = Images(_Whole(suv))
    for angle in (0, 3, 6, 17):
        image = mip.suv(angle)
        for row, col in [(int(r), int(c)) for r, c in np.argwhere(image > 3)[::7]]:
            index = images.hottest(ray(suv.grid, mip, angle, row, col))
            assert abs(suv.array[index] - image[row, col]) <= mip.suv_per_step / 2 + 1e-6


class _Whole:
    def __init__(self, volume: Volume) -> None:
        self.grid, self._array = volume.grid, volume.array

    def part(self, z: slice, y: slice, x: slice) -> npt.NDArray[np.float32]:
        return np.asarray(self._array[z, y, x])


def where(screen: CaseScreen) -> str:
    return str(screen.query_one("#where").content)  # type: ignore[attr-defined]


async def test_the_cursor_walks_through_planes_that_show_the_array(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    hu, (suv, _) = with_ct(case), make_volume()
    async with running(tmp_path, (120, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i")
        await settle(app, pilot)
        assert screen.cursor is not None
        assert "axial 6/21  R22 A33 z120  SUV 9.00" in where(screen)
        views = {v.plane: v for v in screen.query(SliceView) if v.id != "ct"}
        for keys, index in (
            (["right"], (5, 9, 10)),
            (["down", "down"], (5, 11, 10)),
            (["greater_than_sign"], (4, 11, 10)),
            (["right_curly_bracket"], (0, 11, 10)),  # no further than the last slice
            (["greater_than_sign"], (0, 11, 10)),
            (["pageup"], (10, 11, 10)),
            (["left_curly_bracket", "left_curly_bracket"], (20, 11, 10)),
            (["less_than_sign", "shift+left"], (20, 11, 10)),
        ):
            await pilot.press(*keys)
            await settle(app, pilot)
            assert screen.cursor.index == index
            assert f"SUV {suv.array[index]:.2f}  HU {hu[index]:.0f}" in where(screen)
            for view in views.values():
                scene, placed = view._scene, view._placed
                assert scene is not None
                assert placed is not None
                assert scene.at == index[scene.plane.across[0]]
                cut = scene.plane.image(np.take(suv.array, scene.at, axis=scene.plane.across[0]))
                assert (scene.darkness()[0] == cut).all()
                row, col = scene.plane.pixel(index)
                assert cut[row, col] == suv.array[index]
                spot = placed.spot(int(row), int(col))
                assert spot is not None
                line, column = spot[0] / 2, spot[1]
                seen = placed.pixel(line, column)
                assert abs(seen[0] - row) <= 1
                assert abs(seen[1] - col) <= 1
        await pilot.press("j")  # the table's choice moves the slices too
        await settle(app, pilot)
        assert "axial 14/21" in where(screen)
        for name in ("axial", "coronal", "sagittal"):
            await pilot.press("b")
            await settle(app, pilot)
            assert where(screen).startswith(name)
        assert where(screen).startswith("sagittal 26/39")
        await pilot.press("greater_than_sign")
        await settle(app, pilot)
        assert where(screen).startswith("sagittal 27/39  L12 P0 z152")


async def test_a_click_and_the_wheel_move_the_cursor(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, (120, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i", "b")
        await settle(app, pilot)
        view = screen.query_one("#slice", SliceView)
        placed, scene = view._placed, view._scene
        assert placed is not None
        assert scene is not None
        left, top = view._offset()
        await pilot.click(view, offset=(left + 7, top + 5))
        await settle(app, pilot)
        row, col = placed.pixel(5.5, 7.5)
        assert screen.cursor is not None
        assert screen.cursor.index == scene.plane.voxel(int(row), int(col), 5)
        view.post_message(SliceView.Scrolled("axial", 1))
        await until(pilot, lambda: screen.cursor and screen.cursor.index[0] == 4)


async def test_a_distance_is_that_of_the_voxels_middles(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, (120, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i", "d", *["right"] * 6, *["down"] * 3, "less_than_sign")
        await settle(app, pilot)
        assert f"distance {(12**2 + 9**2 + 4**2) ** 0.5:.1f} mm" in where(screen)
        await pilot.press("d", "right", "right")
        await settle(app, pilot)
        assert f"distance {(12**2 + 9**2 + 4**2) ** 0.5:.1f} mm" in where(screen)
        await pilot.press("d")
        await settle(app, pilot)
        assert "distance " not in where(screen).split("\n")[1].replace("d: distance", "")


async def test_ct_beside_fused_and_alone(tmp_path: Path) -> None:
    hu = with_ct(copied_case(tmp_path))
    async with running(tmp_path, (160, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i", "b", "C")
        await settle(app, pilot)
        one, two = screen.query_one("#slice", SliceView), screen.query_one("#ct", SliceView)
        assert two.display
        assert one.size == two.size
        assert one._scene is not None
        assert two._scene is not None
        dark, black = two._scene.darkness()
        assert black == 400.0  # −160 … 240 HU
        assert (240 - dark == two._scene.plane.image(hu[5])).all()
        assert not one._heat
        await pilot.press("C")
        await settle(app, pilot)
        assert not two.display
        placed = one._placed
        assert placed is not None
        suv = one._scene.plane.image(make_volume()[0].array[5])
        hot = np.argwhere(suv > 0.25 * WINDOWS[screen.white] + 0.3)
        assert {placed.spot(int(r), int(c)) for r, c in hot} <= set(one._heat)
        assert one._scene.darkness()[1] == 400.0
        await pilot.press("C", "W")
        await settle(app, pilot)
        assert one._scene.darkness()[1] == 1500.0
        assert "lung" in where(screen)
        await pilot.press("C")
        await settle(app, pilot)
        assert "PET  SUV 0–10" in where(screen)


async def test_without_ct_that_is_said(tmp_path: Path) -> None:
    copied_case(tmp_path)
    async with running(tmp_path) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i")
        await settle(app, pilot)
        await pilot.press("C")
        assert screen.shown == "pet"
        told = [notice.message for notice in app._notifications]
        assert told[-1] == "there is no CT in this case"


async def test_without_an_image_kept_slices_are_shown_and_the_rest_is_said(tmp_path: Path) -> None:
    case = copied_case(tmp_path)
    (case.path / "image.b2nd").unlink()
    async with running(tmp_path, (120, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i", "b")
        await settle(app, pilot)
        await until(pilot, lambda: screen.images)
        await settle(app, pilot)
        assert "SUV ≈9.00" in where(screen)
        await pilot.press("greater_than_sign")
        await settle(app, pilot)
        assert "does not say where its PET lies" in " ".join(text_of(app).split())
        await pilot.press("x")
        await settle(app, pilot)
        assert screen.opened is not None
        assert screen.opened.reading.status[1] == "rejected"


@pytest.mark.parametrize("blind", [False, True])
async def test_a_damaged_image_is_a_word_in_its_place(tmp_path: Path, blind: bool) -> None:
    case = copied_case(tmp_path)
    (case.path / "image.b2nd").write_bytes(b"[/nope]\x1b]0;x\x07")
    (case.path / "slices.npz").write_bytes(b"none")
    async with running(tmp_path, (120, 50), blind=blind) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i")
        await settle(app, pilot)
        text = " ".join(text_of(app).split())
        assert ("No image is kept" if blind else "cannot be read") in text
        assert not (blind and "case-1" in text)
        await pilot.press("right", "greater_than_sign", "C", "d", "plus", "comma", "i")
        await settle(app, pilot)
        assert screen.query_one("#front").display


@pytest.mark.parametrize("image", ["half", "sextant", "braille", "ascii"])
async def test_zoom_stays_around_the_cursor(tmp_path: Path, image: str) -> None:
    copied_case(tmp_path)
    async with running(tmp_path, (120, 50), config=Config(image=image)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i", "b", "plus", "plus", "j")
        await settle(app, pilot)
        view = screen.query_one("#slice", SliceView)
        assert screen.cursor is not None
        for keys in ((), ("right",) * 9, ("down",) * 20, ("minus",), ("minus", "minus")):
            await pilot.press(*keys)
            await settle(app, pilot)
            assert view._placed is not None
            assert view.cell_of(screen.cursor) is not None
            assert view._scene is not None
            pixels = view._scene.lesions.get(2)
            frame = outline(view._placed, pixels) if pixels is not None else set()
            assert {at for at, colour in view._marks.items() if colour == CHOSEN} == frame
        assert view._placed is not None
        assert view._placed.box == (0, 33, 0, 39)


async def test_outlines_follow_decisions_the_table_and_the_key(tmp_path: Path) -> None:
    """Green the chosen one, orange what counts, blue a candidate; what is rejected has none."""
    copied_case(tmp_path)
    async with running(tmp_path, (120, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        await pilot.press("i", "b")
        await settle(app, pilot)
        view = screen.query_one("#slice", SliceView)
        green, orange, blue = CHOSEN, COLOURS[Status.ACCEPTED], COLOURS[Status.CANDIDATE]
        assert set(view._marks.values()) == {green}
        for keys, colours in (
            (["j", "less_than_sign", "less_than_sign"], {green, blue}),  # 2 and 3 are in slice 16
            (["o"], {green}),
            (["o"], {green, blue}),
            (["j", "greater_than_sign", "greater_than_sign"], {green, orange}),
            (["k", "x"], {green}),  # on to lesion 3 in slice 18
            (["greater_than_sign", "greater_than_sign"], {green}),
            (["u"], {green, orange}),
        ):
            await pilot.press(*keys)
            await settle(app, pilot)
            assert set(view._marks.values()) == colours, keys
        placed, scene = view._placed, view._scene
        assert placed is not None
        assert scene is not None
        inside = set().union(*(placed.inside(pixels) for pixels in scene.lesions.values()))
        assert {at for at, colour in view._marks.items() if colour == orange}.isdisjoint(inside)
