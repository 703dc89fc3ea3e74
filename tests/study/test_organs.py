"""Organ label maps of others: their numbers, their names, and ours."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest

from tmtv_engine.errors import InputError
from tmtv_engine.lesion.structures import LABELS, STRUCTURES
from tmtv_engine.study.organs import TOTALSEGMENTATOR, label_names, read_organs, structure_of


def test_the_table_of_structures_is_in_order_and_named_once() -> None:
    assert [s.label for s in STRUCTURES] == list(range(len(STRUCTURES)))
    assert len(LABELS) == len(STRUCTURES) < 256
    assert not STRUCTURES[0].physiologic
    assert {s.name for s in STRUCTURES if not s.physiologic} == {"other", "lung"}


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "spleen"), (21, "urinary_bladder"), (44, "vertebrae_C7"), (51, "heart"), (90, "brain"),
     (92, "rib_left_1"), (104, "rib_right_1"), (116, "sternum"), (117, "costal_cartilages")],
)  # fmt: skip
def test_totalsegmentators_numbers(number: int, name: str) -> None:
    assert TOTALSEGMENTATOR[number - 1] == name
    assert len(TOTALSEGMENTATOR) == 117


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("urinary_bladder", "bladder"),
        ("gallbladder", None),
        ("kidney_left", "kidney"),
        ("kidney_cyst_left", None),
        ("Inferior-vena-cava", "vessel"),
        ("portal_vein_and_splenic_vein", "vessel"),
        ("atrial_appendage_left", "heart"),
        ("lung_upper_lobe_left", "lung"),
        ("pulmonary_vein", "vessel"),
        ("rib_left_7", "marrow"),
        ("hip_right", "marrow"),
        ("hippocampus", None),
        ("Parotid-glands", "salivary gland"),
        ("thyroid_gland", "thyroid"),
        ("esophagus", "stomach"),
        ("small_bowel", "bowel"),
        ("iliopsoas_left", "muscle"),
        ("spinal_cord", None),
        ("Adrenal-glands", None),
        ("", None),
    ],
)
def test_others_names_are_ours(theirs: str, ours: str | None) -> None:
    assert structure_of(theirs) == ours


def test_every_name_that_we_give_is_a_structure() -> None:
    named = {structure_of(n) for n in TOTALSEGMENTATOR} - {None}
    assert named <= set(LABELS)
    assert len(named) >= 12
    assert all(structure_of(name) == name for name in LABELS if name != "other")


def _write(path: Path, labels: np.ndarray, header: str = "") -> Path:
    image = nibabel.Nifti1Image(labels, np.diag([2.0, 3.0, 4.0, 1.0]))
    if header:
        extension = nibabel.nifti1.Nifti1Extension(0, header.encode())
        image.header.extensions.append(extension)
    nibabel.save(image, path)
    return path


def test_names_come_from_the_header_before_anything_beside_it(tmp_path: Path) -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1, 2, 3] = 7
    header = '<Label Key="7" Red="1.0">urinary_bladder</Label><Label Key="8">heart</Label>'
    path = _write(tmp_path / "a.nii.gz", labels, header)
    (tmp_path / "a.json").write_text('{"7": "liver"}')
    volume, names = read_organs(path)
    assert names == {7: "urinary_bladder", 8: "heart"}
    assert volume.array[3, 2, 1] == 7
    assert volume.array.sum() == 7


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '{"4": "liver", "9": "brain"}'),
        ("a.json", '{"labels": {"background": 0, "liver": 4, "brain": 9}}'),
        ("labels.csv", "index;organ\n4;liver\n9;brain\n"),
        ("a.csv", "name,label\nliver,4\nbrain,9\n"),
        ("a.csv", "\ufeffsep=;\r\n4;liver\r\n9;brain\r\n"),
        ("a.csv", "4\tliver\n9\tbrain"),
        ("dataset.json", '{"labels": {"4": "liver", "9": "brain"}}'),
    ],
)
def test_names_come_from_a_file_beside_it(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert label_names(tmp_path / "a.nii.gz") == {4: "liver", 9: "brain"}


def test_without_names_the_numbers_are_totalsegmentators(tmp_path: Path) -> None:
    assert label_names(tmp_path / "a.nii.gz")[21] == "urinary_bladder"


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "{}", "{" * 5000, '{"labels": "none"}', "\x00\xff", '{"liver": true}']
)
def test_a_list_that_is_none_is_refused_by_name(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, "latin-1")
    with pytest.raises(InputError, match=r"a\.json"):
        label_names(tmp_path / "a.nii.gz")


def test_hostile_names_are_cleaned(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"1": "liv\\u001b[31mer"}')
    assert label_names(tmp_path / "a.nii.gz") == {1: "liv[31mer"}
