"""`case.json` as types: what is read back, what is refused and where, what a later file keeps."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.cases import make_case
from tmtv_engine.case import record as record_module
from tmtv_engine.case.folder import read_case, with_review
from tmtv_engine.case.record import decode, encode, schema
from tmtv_engine.errors import CaseError
from tmtv_engine.files import dump_json, load_json
from tmtv_engine.review.session import Decision, record
from tmtv_engine.review.verify import verify

SCHEMA = Path(record_module.__file__).with_name("case.schema.json")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A `case.json` as it is written."""
    return make_case(tmp_path_factory.mktemp("case")).raw


def put(raw: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A copy of ``raw`` with another value at ``a.0.b``."""
    found: Any = copy.deepcopy(raw)
    *way, last = place.split(".")
    at = found
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return dict(found)


def test_the_published_schema_is_that_of_the_types() -> None:
    made_by = [sys.executable, "-m", record_module.__name__]
    done = subprocess.run(made_by, capture_output=True, text=True, check=True)
    assert SCHEMA.read_text("utf-8") == done.stdout


def test_what_is_written_follows_the_published_schema(tmp_path: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    case = make_case(tmp_path, hotspots=True)
    validator.validate(case.raw)
    record(case, Decision("reject", (1,), reason="brain"), "AB")
    validator.validate(load_json(case.path / "case.json"))


def test_decoding_and_encoding_give_the_file_back(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, Decision("reject", (1,), reason="brain"), "AB")
    raw = load_json(case.path / "case.json")
    again = encode(decode(raw, "a"))
    assert again == raw
    assert json.dumps(again) == json.dumps(raw)  # in the same order too


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("lesions.1.suv_max", "9", r"\$\.lesions\[1\]\.suv_max"),
        ("lesions.0.id", 1.5, r"\$\.lesions\[0\]\.id"),
        ("lesions.0.id", True, r"\$\.lesions\[0\]\.id"),
        ("lesions.0.id", 0, r"\$\.lesions\[0\]\.id"),
        ("lesions.2.id", 1, "two lesions have one number"),
        ("lesions.0.status", "perhaps", r"'perhaps' - at `\$\.lesions\[0\]\.status"),
        ("lesions.0.centroid_mm", [1.0, 2.0], r"\$\.lesions\[0\]\.centroid_mm"),
        ("lesions.0.voxels", 0, r"\$\.lesions\[0\]\.voxels"),
        ("lesions.0.methods.41.volume_ml", -1.0, r"\$\.lesions\[0\]\.methods"),
        ("lesions.0.methods.41.volume_ml", float("nan"), r"\$\.lesions\[0\]\.methods"),
        ("lesions.0.suv_max", float("inf"), r"\$\.lesions\[0\]\.suv_max"),
        ("lesions.0.suv_max", 1e30, r"\$\.lesions\[0\]\.suv_max"),
        ("lesions.0.structure", {"name": "brain", "p": 1.5, "by": "network"}, r"structure\.p"),
        ("lesions.0", [], r"\$\.lesions\[0\]"),
        ("totals.41.tmtv_ml", None, r"\$\.totals"),
        ("review.status", 3, r"\$\.review\.status"),
        ("pet.shape", [1, 2, 0], r"\$\.pet\.shape\[2\]"),
        ("case", "../out", r"\$\.case"),
        ("provenance.last_id", -1, r"\$\.provenance\.last_id"),
    ],
)
def test_what_is_broken_is_named_by_its_place(
    whole: dict[str, Any], place: str, value: Any, told: str
) -> None:
    with pytest.raises(CaseError, match=told) as caught:
        decode(put(whole, place, value), "out/x/case.json")
    assert caught.value.what.startswith("out/x/case.json: ")
    assert caught.value.remedy


def test_a_file_that_is_no_json_of_ours_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    path = case.path / "case.json"
    text = path.read_text("utf-8")
    for bad in ("[" * 100_000, text.replace('"suv_factor": 1.0', '"suv_factor": NaN'), "\x00", ""):
        path.write_text(bad, "utf-8")
        with pytest.raises(CaseError, match=r"case\.json"):
            read_case(case.path)


def test_keys_of_a_later_version_are_passed_over_and_kept(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    path = case.path / "case.json"
    later = put(put(case.raw, "pet.resolution_mm", 5.0), "lesions.0.shape", {"spheric": 0.7})
    later["further"] = [1, 2]
    dump_json(path, later)
    record(read_case(case.path), Decision("reject", (1,)), "AB")
    now = load_json(path)
    assert now["further"] == [1, 2]
    assert now["pet"]["resolution_mm"] == 5.0
    assert now["lesions"][0]["shape"] == {"spheric": 0.7}
    assert now["lesions"][0]["status"] == "rejected"


def test_a_case_without_the_newer_keys_is_read_and_verified(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    old = copy.deepcopy(case.raw)
    for row in old["lesions"]:
        del row["structure"], row["region"]
    assert decode(old, "a").lesions[0].structure is None
    assert with_review(type(case)(case.path, decode(old, "a"), old), case.record) == old
    assert not any(found.failed for found in verify(case.path))
