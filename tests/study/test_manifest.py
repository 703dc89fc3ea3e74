"""Tables as spreadsheets write them, and what one row may say for itself."""

from __future__ import annotations

import codecs
import os
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from tests.support.cases import make_volume
from tests.support.dicom import FACTOR, pixels, write_series
from tmtv_engine.errors import InputError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.study.find import Stock, Study, take_stock
from tmtv_engine.study.load import load_study
from tmtv_engine.study.manifest import read_table
from tmtv_engine.suv.overrides import Overrides


def _table(folder: Path, text: str) -> Path:
    path = folder / "m.csv"
    path.write_bytes(text.encode())
    return path


def _stock(folder: Path, text: str) -> Stock:
    return take_stock([_table(folder, text)])


def _failed(stock: Stock) -> list[str]:
    return [f.error.what for f in stock.failures]


ROWS = [{"case": "a", "pet": "x, y.nii"}, {"case": "b", "pet": ""}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_every_way_of_writing_the_same_table(
    delimiter: str, end: str, mark: bytes, tmp_path: Path
) -> None:
    lines = [" Case ", "PET"], ["a", '"x, y.nii"'], ["", ""], ["b", ""]
    text = end.join(delimiter.join(line) for line in lines) + end
    (tmp_path / "m.csv").write_bytes(mark + text.encode())
    table = read_table(tmp_path / "m.csv", ("case", "pet"))
    assert [dict(row.cells) for row in table.rows] == ROWS
    assert [row.line for row in table.rows] == [2, 4]
    assert table.delimiter == delimiter


def test_what_excel_writes_besides(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    for raw in ("case\tpet\na\t1".encode("utf-16"), b"sep=;\r\ncase;pet\r\na;1\r\n"):
        path.write_bytes(raw)
        (row,) = read_table(path, ("case", "pet")).rows
        assert (row.get("case"), row.get("pet"), row.get("ct")) == ("a", "1", "")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "no column case, pet"),
        (b"case\na\n", "no column pet"),
        (b"case,pet,Case\n1,2,3\n", "twice"),
        (b"case,pet\n\xe4,1\n", "UTF-8"),
        (b'"case,pet\n1,2\n', "no column"),
    ],
)
def test_files_that_are_no_table(raw: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(raw)
    with pytest.raises(InputError, match=said):
        read_table(tmp_path / "m.csv", ("case", "pet"))
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(InputError, match="no table"):
        read_table(tmp_path / "pipe.csv", ("case",))


def test_a_broken_row_says_so_and_the_others_stand(tmp_path: Path) -> None:
    text = 'case,roi\na,1\nb\nc,1,2\nd,1,\ne,"1"x\nf,1\ng,"never closed\nh,1\n'
    rows = read_table(_table(tmp_path, text), ("case", "roi")).rows
    assert [(r.line, r.get("case"), bool(r.fault)) for r in rows] == [
        (2, "a", False),
        (3, "b", True),
        (4, "c", True),
        (5, "d", False),
        (6, "", True),
        (7, "f", False),
        (9, "", True),
    ]


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("t") / "m.csv"
    path.write_bytes(b"case,pet\n" + raw)
    try:
        rows = read_table(path, ("case", "pet")).rows
    except InputError:
        return
    assert all(set(row.cells) <= {"case", "pet"} for row in rows)


def test_each_row_is_a_study_or_its_own_failure(tmp_path: Path) -> None:
    suv, _ = make_volume()
    for name in ("a.nii.gz", "ct.nii.gz"):
        write_nifti(suv, tmp_path / name)
    write_series(tmp_path / "dcm")
    write_series(tmp_path / "ctdcm", modality="CT", series="1.2.3.5")
    write_series(tmp_path / "only", modality="CT", series="1.2.3.6")
    (tmp_path / "note.txt").write_text("x")
    stock = _stock(
        tmp_path,
        "case;pet;CT;Subtype\n"
        "one;a.nii.gz;ct.nii.gz;HL\n"
        "two;dcm;ctdcm;\n"
        "three;absent.nii;;\n"
        "One;a.nii.gz;;\n"
        "four;only;;\n"
        "five;note.txt;;\n"
        ";a.nii.gz;;\n"
        "six;;;\n"
        "seven;dcm;only;\n"
        "eight;a.nii.gz;ctdcm;\n"
        "nine;dcm;a.nii.gz;;;x\n",
    )
    assert [s.case for s in stock.studies] == ["one", "two", "seven", "eight"]
    one, two, seven, eight = stock.studies
    assert (one.extra, one.ct[0].name) == ({"subtype": "HL"}, "ct.nii.gz")
    assert {p.parent.name for p in two.ct} == {"ctdcm"}
    assert {p.parent.name for p in seven.ct} == {"only"}
    for study in (two, eight):
        loaded = load_study(study)
        assert loaded.ct is not None
        np.testing.assert_allclose(loaded.ct.array, pixels() - 1024.0)
    said = _failed(stock)
    for text, what in zip(
        (
            "absent.nii: does not",
            "stands in line 2",
            "0 studies",
            "0 studies",
            "without its case",
            "without its case",
            "6 cells under 4",
        ),
        said,
        strict=True,
    ):
        assert text in what
    assert [f.path.name for f in stock.failures][:2] == ["m.csv:4", "m.csv:5"]


def test_a_row_overrides_its_own_header_alone(tmp_path: Path) -> None:
    def heavy(_: int, ds: Dataset) -> None:
        ds.PatientWeight = None

    write_series(tmp_path / "a", bend=heavy)
    stock = _stock(
        tmp_path,
        "case;pet;weight_kg;height_m;dose_bq;injection_time;patient;timepoint\n"
        "one;a;140,5;;;;P1;baseline\n"
        "two;a;;1.8;1.25e8;2020-01-01T10:00:00;P1;follow-up\n",
    )
    one, two = stock.studies
    assert (one.patient_id, one.timepoint) == ("P1", "baseline")
    loaded = load_study(one)
    assert loaded.info["overrides"] == {"weight_kg": 140.5}
    np.testing.assert_allclose(loaded.suv.array, 140.5 / 70 * pixels() * FACTOR, rtol=1e-6)
    with pytest.raises(InputError, match="PatientWeight"):
        load_study(two)
    given = Overrides(weight_kg=35.0, dose_bq=1e9)
    loaded = load_study(two, given)
    assert loaded.info["overrides"] == {
        "weight_kg": 35.0,
        "height_m": 1.8,
        "dose_bq": 1.25e8,
        "injection_time": datetime(2020, 1, 1, 10).isoformat(),
    }
    np.testing.assert_allclose(loaded.suv.array, pixels() * FACTOR, rtol=1e-6)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ("0,,,", "weight_kg '0' is no number above 0"),
        ("nan,,,", "weight_kg"),
        (",x,,", "height_m 'x'"),
        (",,-1,", "dose_bq"),
        (",,,noon", "injection_time 'noon'"),
    ],
)
def test_an_override_that_is_none_fails_its_row(cells: str, said: str, tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii")
    head = "case,pet,weight_kg,height_m,dose_bq,injection_time\n"
    stock = _stock(tmp_path, f"{head}bad,a.nii,{cells}\ngood,a.nii,,,,\n")
    assert [s.case for s in stock.studies] == ["good"]
    (what,) = _failed(stock)
    assert said in what
    assert "line 2" in what


def test_names_of_two_manifests_that_are_one_fail_the_second(tmp_path: Path) -> None:
    suv, _ = make_volume()
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        write_nifti(suv, tmp_path / name / "a.nii")
        _table(tmp_path / name, "case,pet\nsame,a.nii\n")
    stock = take_stock([tmp_path / "x" / "m.csv", tmp_path / "y" / "m.csv"])
    assert [s.case for s in stock.studies] == ["same"]
    assert "names two studies" in _failed(stock)[0]


def test_a_column_of_organs_and_rois_is_found_from_the_table(tmp_path: Path) -> None:
    suv, labels = make_volume()
    write_nifti(suv, tmp_path / "a.nii")
    write_nifti(labels, tmp_path / "o.nii")
    (study,) = _stock(tmp_path, "case,pet,organs,roi\none,a.nii,o.nii,o.nii\n").studies
    assert isinstance(study, Study)
    assert study.extra == {"organs": str(tmp_path / "o.nii")}
    assert study.roi == tmp_path / "o.nii"


def test_a_number_with_something_unprintable_is_no_number(tmp_path: Path) -> None:
    """A spoilt byte in 170 must not read as 17."""
    path = tmp_path / "m.csv"
    path.write_bytes(b"case,pet,weight_kg\none,x.nii,17\x10\ntwo,x.nii,170 \n")
    one, two = read_table(path, ("case", "pet")).rows
    assert (one.fault, two.fault) == ("weight_kg holds what cannot be printed", "")


@pytest.mark.parametrize(
    ("column", "meant"),
    [
        ("weight", "weight_kg"),
        ("Patient Weight (kg)", "weight_kg"),
        ("weight_lbs", "weight_kg"),
        ("height_cm", "height_m"),
        ("dose_MBq", "dose_bq"),
        ("injected activity", "dose_bq"),
        ("InjectionTime", "injection_time"),
        ("total_dose", "dose_bq"),
    ],
)
def test_a_column_that_seems_meant_for_the_header_is_none_in_silence(
    column: str, meant: str, tmp_path: Path
) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii")
    (failure,) = _stock(tmp_path, f"case,pet,{column}\none,a.nii,70\n").failures
    assert column.lower() in failure.error.what
    assert f"Is it {meant}?" in failure.error.remedy
    assert _stock(tmp_path, f"case,pet,{column}\none,a.nii,\n").studies  # it says nothing


@pytest.mark.parametrize("column", ["subtype", "dose_group", "weight loss", "site", "heights"])
def test_other_columns_are_kept_as_they_are(column: str, tmp_path: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv, tmp_path / "a.nii")
    (study,) = _stock(tmp_path, f"case,pet,{column}\none,a.nii,70\n").studies
    assert study.extra == {column: "70"}  # type: ignore[union-attr]
