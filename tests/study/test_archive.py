"""A zip is the folder it holds, or one clear error; nothing of it stays behind."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import make_volume
from tests.support.dicom import FACTOR, pixels, write_series
from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.study import archive
from tmtv_engine.study.archive import opened
from tmtv_engine.study.find import find_studies, take_stock
from tmtv_engine.study.inputs import inputs_sha256
from tmtv_engine.study.load import load_study
from tmtv_tui.cli.app import main

pytestmark = pytest.mark.usefixtures("scratch")


def _zip(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for one in sorted(p for p in folder.rglob("*") if p.is_file()):
            file.write(one, one.relative_to(folder))
    return path


def test_a_zip_of_dicom_is_the_folder_it_holds(tmp_path: Path, scratch: Path) -> None:
    write_series(tmp_path / "d" / "PET")
    write_series(tmp_path / "d" / "CT", modality="CT", series="1.2.3.5")
    path = _zip(tmp_path / "d", tmp_path / "D.ZIP")
    (study,) = find_studies(path)
    (folder,) = find_studies(tmp_path / "d")
    assert study.case == folder.case  # type: ignore[union-attr]
    loaded = load_study(study)  # type: ignore[arg-type]
    np.testing.assert_allclose(loaded.suv.array, pixels() * FACTOR, rtol=1e-6)
    assert loaded.ct is not None
    assert loaded.source["pet"]["folder"] == str(path)
    assert loaded.source["inputs"][0] == str(path / "PET" / "IM000")
    assert list(scratch.iterdir()) == []


def test_what_a_killed_run_left_goes_and_nothing_else(tmp_path: Path, scratch: Path) -> None:
    """A living run's folder stays, and another program's of a like name."""
    path = _zip(write_series(tmp_path / "d" / "PET")[0].parent, tmp_path / "d.zip")
    with opened(path) as (living, _):
        left = scratch / living.name.replace(living.name.split("-")[-1], f"{0:012x}.part")
        other = scratch / ".editor.part"
        for folder in (left, other):
            (folder / "PET").mkdir(parents=True)
        assert left != living
        assert take_stock([path]).studies
        assert (left.exists(), other.exists(), living.exists()) == (False, True, True)
    assert list(scratch.iterdir()) == [other]


def test_predicting_a_zip_gives_what_its_folder_gives(tmp_path: Path, scratch: Path) -> None:
    import json

    suv, _ = make_volume()
    (tmp_path / "p1").mkdir()
    write_nifti(suv, tmp_path / "p1" / "pet.nii.gz")
    whole = _zip(tmp_path / "p1", tmp_path / "p1.zip")
    records = []
    for path, out in ((tmp_path / "p1", "a"), (whole, "b")):
        arguments = ["predict", str(path), "-o", str(tmp_path / out), "--model", "hotspot"]
        assert main(arguments) == 0
        (case,) = (p for p in (tmp_path / out).iterdir() if (p / "case.json").is_file())
        records.append(json.loads((case / "case.json").read_text()))
    hashed = inputs_sha256([tmp_path / "p1" / "pet.nii.gz"])
    assert [r["provenance"]["inputs_sha256"] for r in records] == [hashed] * 2
    assert records[0]["totals"] == records[1]["totals"]
    assert list(scratch.iterdir()) == []


def _bomb(file: zipfile.ZipFile) -> None:
    with file.open("zeros", "w", force_zip64=True) as entry:
        for _ in range(80):
            entry.write(bytes(1 << 20))


def _upwards(file: zipfile.ZipFile) -> None:
    file.writestr("../escaped", "x")


def _rooted(file: zipfile.ZipFile) -> None:
    file.writestr("/escaped", "x")


def _nowhere(file: zipfile.ZipFile) -> None:
    file.writestr(".", "x")


def _driven(file: zipfile.ZipFile) -> None:
    file.writestr("C:\\escaped", "x")


def _twice(file: zipfile.ZipFile) -> None:
    file.writestr("a", "x")
    with pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("a", "y")


@pytest.mark.parametrize(
    ("fill", "said"),
    [
        (_bomb, "times its size"),
        (_upwards, "outside itself"),
        (_rooted, "outside itself"),
        (_nowhere, "outside itself"),
        (_driven, "outside itself"),
        (_twice, "cannot be unpacked"),
    ],
)
def test_zips_that_are_refused(
    fill: Callable[[zipfile.ZipFile], None], said: str, tmp_path: Path, scratch: Path
) -> None:
    path = tmp_path / "in" / "z.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        fill(file)
    (failure,) = take_stock([path]).failures
    assert (failure.path, said in failure.error.what) == (path, True)
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_more_files_or_bytes_than_a_study_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as file:
        for k in range(4):
            file.writestr(f"{k}", bytes(1000))
    for name, most, said in (("MOST_FILES", 3, "4 files"), ("MOST_BYTES", 3999, "GB")):
        with monkeypatch.context() as patch:
            patch.setattr(archive, name, most)
            with pytest.raises(InputError, match=said), opened(tmp_path / "z.zip"):
                pass
            patch.setattr(archive, name, most + 1)
            with opened(tmp_path / "z.zip") as (folder, left):
                assert (len(list(folder.iterdir())), left) == (4, [])


def test_a_directory_that_lies_about_sizes(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a", bytes(100_000))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    struct.pack_into("<I", raw, at + 24, 10)
    path.write_bytes(bytes(raw))
    with pytest.raises(InputError), opened(path):
        pass
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("cut", [10, 100, 400])
def test_a_broken_zip_is_an_error_of_its_file(cut: int, tmp_path: Path) -> None:
    write_series(tmp_path / "d")
    path = _zip(tmp_path / "d", tmp_path / "z.zip")
    raw = bytearray(path.read_bytes())
    path.write_bytes(raw[:-cut])
    assert [f.path for f in take_stock([path]).failures] == [path]
    raw[cut + 100] ^= 0xFF
    path.write_bytes(bytes(raw))
    (failure,) = take_stock([path]).failures
    assert "cannot be unpacked" in failure.error.what


def test_links_and_zips_in_a_zip_are_left_over(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as file:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("inner.zip", b"PK")
        file.writestr("note", "x")
    told = {left.path.name: left.why for left in take_stock([path]).leftovers}
    assert "not followed" in told["link"]
    assert "not opened" in told["inner.zip"]
    assert "neither" in told["note"]


def test_an_error_names_the_zip_and_not_its_temporary_folder(tmp_path: Path) -> None:
    (tmp_path / "d" / "p").mkdir(parents=True)
    (tmp_path / "d" / "p" / "pet.nii.gz").write_bytes(b"no image")
    path = _zip(tmp_path / "d", tmp_path / "z.zip")
    (study,) = find_studies(path)
    with pytest.raises(InputError) as caught:
        load_study(study)  # type: ignore[arg-type]
    assert str(path / "p" / "pet.nii.gz") in str(caught.value)
    assert "tmtv-zip" not in str(caught.value)
