"""The hash that binds a reading to its prediction: what is in it, what is not, hostile maps."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.cases import make_case
from tmtv_engine.case.binding import binding_sha256, labels_sha256
from tmtv_engine.errors import CaseError


def test_it_is_the_hash_of_the_names_the_factor_and_the_voxels(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    voxels = gzip.decompress((case.path / "lesions.nii.gz").read_bytes())[352:]
    told = {
        "case": "case-1",
        "study": "1.2.3",
        "series": "1.2.3.4",
        "suv_factor": 1.0,
        "labels": hashlib.sha256(voxels).hexdigest(),
    }
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    known = case.raw["provenance"]["prediction_sha256"]
    assert known == hashlib.sha256(text.encode()).hexdigest()
    assert known == binding_sha256(case.path, case.raw)


@pytest.mark.parametrize(
    ("part", "key", "value", "same"),
    [
        ("study", "uid", "1.2.4", False),
        ("pet", "series_uid", "1.2.3.5", False),
        ("pet", "suv_factor", 2.0, False),
        ("study", "date", "2021-01-01", True),
        ("provenance", "methods", ["41"], True),
    ],
)
def test_other_methods_keep_it_and_another_scan_does_not(
    tmp_path: Path, part: str, key: str, value: object, same: bool
) -> None:
    case = make_case(tmp_path)
    before = binding_sha256(case.path, case.raw)
    record: dict[str, Any] = {**case.raw, part: {**case.raw[part], key: value}}
    assert (binding_sha256(case.path, record) == before) is same
    assert binding_sha256(case.path, {**case.raw, "case": "case-2"}) != before


def test_a_changed_map_is_another_prediction(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    before = binding_sha256(case.path, case.raw)
    path = case.path / "lesions.nii.gz"
    raw = bytearray(gzip.decompress(path.read_bytes()))
    raw[-1] ^= 1
    path.write_bytes(gzip.compress(bytes(raw)))
    os.utime(path, ns=(time.time_ns() + 10**9,) * 2)
    assert binding_sha256(case.path, case.raw) != before


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x1f\x8b", id="two-bytes"),
        pytest.param(gzip.compress(b"x" * 100, mtime=0), id="no-header"),
        pytest.param(b"plain" * 100, id="no-gzip"),
    ],
)
def test_a_damaged_map_is_an_error(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "lesions.nii.gz"
    path.write_bytes(raw)
    with pytest.raises(CaseError, match=r"lesions\.nii\.gz cannot be read"):
        labels_sha256(tmp_path, [2, 3, 4])


def test_a_bomb_a_link_a_pipe_and_absurd_shapes_are_errors_at_once(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    path = case.path / "lesions.nii.gz"
    good, shape = path.read_bytes(), case.raw["pet"]["shape"]
    for absurd in ([0, 1, 1], [10**9, 10**9, 10**9], [-1, -1, 1], ["x", 1, 1], [float("nan")] * 3):
        with pytest.raises(CaseError):
            labels_sha256(case.path, absurd)  # type: ignore[arg-type]
    header = gzip.decompress(good)[:352]
    path.write_bytes(gzip.compress(header + bytes(2**28)))
    begun = time.monotonic()
    with pytest.raises(CaseError, match="more voxels than the PET has"):
        labels_sha256(case.path, shape)
    assert time.monotonic() - begun < 2
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(good)
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CaseError):
        labels_sha256(case.path, shape)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CaseError):
        labels_sha256(case.path, shape)
