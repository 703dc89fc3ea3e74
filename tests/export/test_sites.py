"""Where lesions lie, as codes: the table is DICOM's own, and what is written says it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts

from tests.support.dicom import write_series
from tests.support.exports import OBLIQUE, drawn_labels, errors_of
from tmtv_engine.case.folder import Case
from tmtv_engine.export.objects import write_objects
from tmtv_engine.export.sites import REGIONS, sites
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.origin import LESION, Origin, Source, Structure
from tmtv_engine.lesion.regions import LEVELS
from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.pipeline import CaseConfig, run_case
from tmtv_engine.study.find import Study, find_studies


def test_every_code_is_the_dictionary_s_with_its_meaning() -> None:
    known = {(v, m[0]) for row in concepts["SCT"].values() for v, m in row.items()}
    assert {row.code for row in STRUCTURES if row.code} <= known
    assert {(c.value, c.meaning) for c in REGIONS.values()} <= known
    assert {row.name for row in STRUCTURES if not row.code} == {
        *("other", "bowel", "genital", "injection site")
    }
    assert {name for _, name in LEVELS} <= set(REGIONS)


@pytest.mark.parametrize(
    ("name", "region", "codes"),
    [
        ("bladder", "pelvis, midline", [("89837001", None), ("816092008", None)]),
        (LESION, "left neck", [("45048000", "7771000")]),
        ("bowel", "right chest or abdomen", [("416550000", "24028007")]),
        (None, "abdomen or pelvis, midline", [("416949008", None)]),
        (None, "mediastinum", [("72410000", None)]),
        ("spleen", "right groin", [("78961009", None), ("26893007", "24028007")]),
        (LESION, "left leg", [("61685007", "7771000")]),
        (None, "upside down", []),
        (None, None, []),
    ],
)
def test_words_to_codes(
    name: str | None, region: str | None, codes: list[tuple[str, str | None]]
) -> None:
    structure = None if name is None else Structure(name, 0.75, "network")
    found = sites(structure, region)
    assert [(place.value, side and side.value) for place, side in found] == codes


def _case(tmp_path: Path) -> Case:
    write_series(tmp_path / "dicom", cosines=OBLIQUE)
    (study,) = find_studies(tmp_path / "dicom")
    assert isinstance(study, Study)
    lung, tumour = Structure("lung", 0.75, "organs"), Structure(LESION, 0.5, "network")
    known = ((lung, "left chest"), (tumour, "right groin"), (None, None))

    def find(suv: Volume, ct: Volume | None) -> Found:
        lesions = from_labels(suv.with_array(drawn_labels("some"), Unit.LABEL), suv)
        rows = (Origin(Source.MODEL, 0.8, None, name, place) for name, place in known)
        return Found(lesions, tuple(rows))

    config = CaseConfig(tmp_path / "out", (parse_method("raw"),))
    return run_case(study, Finder(find, {"name": "vnet"}), config)


def test_report_and_segments_say_where(tmp_path: Path) -> None:
    case = _case(tmp_path)
    written = write_objects(case, ["seg", "sr"])
    assert {p.name: errors_of(p) for p in written} == {p.name: [] for p in written}
    seg, sr = (dcmread(p) for p in written)
    expected = [
        [("39607008", None), ("816094009", "7771000")],
        [("26893007", "24028007")],
        [],
    ]
    assert [_regions(segment) for segment in seg.SegmentSequence] == expected
    assert _sites(sr) == {f"lesion {k}": told for k, told in enumerate(expected, start=1)}
    assert np.array_equal(case.voxels().ids, [1, 2, 3])


def _regions(segment: Dataset) -> list[tuple[str, str | None]]:
    found = []
    for item in segment.get("AnatomicRegionSequence") or []:
        sides = [s.CodeValue for s in item.get("AnatomicRegionModifierSequence") or []]
        found.append((str(item.CodeValue), sides[0] if sides else None))
    return found


def _sites(container: Dataset) -> dict[str, list[tuple[str, str | None]]]:
    """Finding sites (363698007) with laterality (272741003) by tracking identifier (112039)."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    name = ""
    own: list[tuple[str, str | None]] = []
    for item in container.get("ContentSequence") or []:
        concept = item.ConceptNameCodeSequence[0].CodeValue if "ConceptNameCodeSequence" in item \
            else ""  # fmt: skip
        if concept == "112039":
            name = str(item.TextValue)
        if concept == "363698007":
            sides = [
                i.ConceptCodeSequence[0].CodeValue
                for i in item.get("ContentSequence") or []
                if i.ConceptNameCodeSequence[0].CodeValue == "272741003"
            ]
            code = str(item.ConceptCodeSequence[0].CodeValue)
            own.append((code, sides[0] if sides else None))
        found |= _sites(item)
    return {**found, name: own} if name.startswith("lesion") else found
