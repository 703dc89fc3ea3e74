"""The projections on the page for the chart: readable on A4, numbers of what counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace
from PIL import Image
from scipy import ndimage

from tests.support.cases import make_case
from tmtv_engine.case import picture
from tmtv_engine.case.picture import PAPER_MM, write_print
from tmtv_engine.export.chart import TEMPLATES
from tmtv_engine.lesion.origin import Status

A4_WIDE_MM = 210.0
READABLE_MM = 1.9  # the height of a digit of 8 points, in most type


def _pixels(path: Path) -> npt.NDArray[np.int16]:
    return np.asarray(Image.open(path).convert("RGB")).astype(np.int16)


def _ink(tmp_path: Path, rows: Any, case: Any, monkeypatch: pytest.MonkeyPatch) -> npt.NDArray[Any]:
    """What the numbers alone change in the picture, (rows, cols)."""
    write_print(tmp_path / "with.png", case.mip(), case.voxels(), rows)
    with monkeypatch.context() as without:
        without.setattr(picture, "_name", lambda *_: None)
        write_print(tmp_path / "without.png", case.mip(), case.voxels(), rows)
    a, b = _pixels(tmp_path / "with.png"), _pixels(tmp_path / "without.png")
    assert a.shape == b.shape
    return np.asarray(np.abs(a - b).max(axis=2) > 60)


def test_numbers_are_of_eight_points_on_a4(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_case(tmp_path)
    ink = _ink(tmp_path, case.record.lesions, case, monkeypatch)
    high, wide = ink.shape
    dot_mm = min(PAPER_MM[0] / wide, PAPER_MM[1] / high)
    labels, found = ndimage.label(ink, np.ones((3, 3)))
    heights = [(s[0].stop - s[0].start) * dot_mm for s in ndimage.find_objects(labels)]
    assert found >= 4  # two accepted lesions in two views
    assert max(heights) < 4
    assert sum(height >= READABLE_MM for height in heights) >= 4


def test_only_what_is_accepted_has_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(tmp_path)
    rows = [replace(row, status=Status.REJECTED) for row in case.record.lesions]
    assert not _ink(tmp_path, rows, case, monkeypatch).any()
    rows[1] = replace(rows[1], status=Status.CANDIDATE)
    assert not _ink(tmp_path, rows, case, monkeypatch).any()
    rows[1] = replace(rows[1], status=Status.ACCEPTED)
    assert _ink(tmp_path, rows, case, monkeypatch).any()


def test_the_page_prints_it_as_large_as_was_reckoned() -> None:
    style = (TEMPLATES / "page.css").read_text("utf-8")
    margin_mm = (A4_WIDE_MM - PAPER_MM[0]) / 2
    assert f"size: A4; margin: {margin_mm:.0f}mm" in style
    assert f"max-height: {PAPER_MM[1]:.0f}mm" in style
