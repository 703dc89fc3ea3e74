"""A whole series that is no image of activity, although its header has all that a PET's has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes as concepts

from tests.support.dicom import Change, codes, tags, write_series
from tmtv_engine.dicom.kinds import named_kind, said_kind
from tmtv_engine.errors import Implausible
from tmtv_engine.study.find import Failure, Study, find_studies, take_stock
from tmtv_engine.study.load import load_study
from tmtv_engine.suv.overrides import Overrides

SHAPE, SPACING = (31, 30, 28), (6.0, 8.0, 9.0)


def _write(folder: Path, change: Change, *, series: str = "1.2.3.4", modality: str = "PT") -> Path:
    """A body of SUV 1 in a whole series of which every slice is changed."""
    _, y, x = np.indices(SHAPE)
    body = ((y - 14.5) / 12) ** 2 + ((x - 13.5) / 11) ** 2 < 1

    def bend(_: int, ds: Dataset) -> None:
        ds.RescaleSlope = "1"
        if modality == "PT":
            ds.Units, ds.RescaleSlope = "GML", "0.001"
        change(ds)

    stored = np.where(body, 1000, 0).astype(np.int16)
    write_series(folder, stored, spacing=SPACING, bend=bend, series=series, modality=modality)
    return folder


def _derived(name: str) -> Change:
    concept, item = getattr(concepts.DCM, name), Dataset()
    item.CodeValue, item.CodingSchemeDesignator = concept.value, "DCM"
    item.CodeMeaning = concept.meaning
    return tags(DerivationCodeSequence=Sequence([item]))


OTHER = {
    "subtraction": (tags(ImageType=["DERIVED", "PRIMARY", "SUBTRACT"]), "ImageType"),
    "Enhanced's word": (tags(ImageType=["DERIVED", "PRIMARY", "PET", "SUBTRACTION"]), "ImageType"),
    "first value": (tags(ImageType=["SUBTRACTED", "PRIMARY"]), "ImageType"),
    "lower case": (tags(ImageType=["derived", "secondary", "subtracted"]), "ImageType"),
    "one value": (tags(ImageType="MIP"), "ImageType"),
    "projection": (tags(ImageType=["DERIVED", "SECONDARY", "MAX_IP"]), "ImageType"),
    "Ki": (tags(ImageType=["DERIVED", "PRIMARY", "KI_MAP"]), "ImageType"),
    "Patlak": (tags(ImageType=["DERIVED", "SECONDARY", "PATLAK_SLOPE"]), "ImageType"),
    "parametric": (tags(ImageType=["DERIVED", "PRIMARY", "PARAMETRIC_MAP"]), "ImageType"),
    "t-test": (tags(ImageType=["DERIVED", "SECONDARY", "T-TEST"]), "ImageType"),
    "capture": (tags(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"]), "ImageType"),
    "µ-map": (tags(ImageType=["DERIVED", "PRIMARY", "UMAP"]), "ImageType"),
    "reprojection": (tags(SeriesType=["WHOLE BODY", "REPROJECTION"]), "SeriesType"),
    "technique": (tags(VolumeBasedCalculationTechnique="MAX_IP"), "VolumeBased"),
    "class": (tags(SOPClassUID="1.2.840.10008.5.1.4.1.1.7"), "SOPClassUID"),
    "class of CT": (tags(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"), "SOPClassUID"),
    "derived by code": (_derived("PixelByPixelSubtraction"), "DerivationCodeSequence"),
    "projected by code": (_derived("MaximumIntensityProjection"), "DerivationCodeSequence"),
    "written on": (tags(BurnedInAnnotation="YES"), "BurnedInAnnotation"),
    "palette": (tags(PhotometricInterpretation="PALETTE COLOR"), "PhotometricInterpretation"),
    "name": (tags(SeriesDescription="WB Patlak Ki [ml/min/g]"), "SeriesDescription"),
    "not corrected": (tags(SeriesDescription="PET WB NAC"), "SeriesDescription"),
}


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_series_that_is_no_activity_is_refused_by_the_tag_that_says_so(
    name: str, tmp_path: Path
) -> None:
    change, tag = OTHER[name]
    (study,) = find_studies(_write(tmp_path, change))
    assert isinstance(study, Study)
    with pytest.raises(Implausible) as caught:
        load_study(study)
    assert caught.value.code == "image-kind"
    assert caught.value.what.startswith(tag)
    loaded = load_study(study, Overrides(accepted=frozenset({"image-kind"})))
    assert "image-kind" in codes(loaded.notices)
    assert loaded.suv.array.max() == pytest.approx(1.0)


PLAIN: dict[str, Change] = {
    "as scanners write": tags(ImageType=["ORIGINAL", "PRIMARY"]),
    "converted": tags(ImageType=["DERIVED", "SECONDARY"]),  # the IBSI patients
    "Enhanced": tags(ImageType=["ORIGINAL", "PRIMARY", "WHOLE_BODY", "NONE"]),
    "Philips": tags(ImageType=["ORIGINAL", "PRIMARY", "AXIAL"]),
    "resampled": tags(ImageType=["DERIVED", "SECONDARY", "MPR", "RESAMPLED"]),
    "denoised": tags(ImageType=["DERIVED", "PRIMARY", "NOISE_REDUCED"]),
    "averaged": tags(ImageType=["DERIVED", "PRIMARY", "MEAN"]),
    "60 minutes": tags(ImageType=["ORIGINAL", "PRIMARY", "60_MIN"]),
    "no type": tags(ImageType=None),
    "smoothed": _derived("Smoothing"),
    "resampled by code": _derived("SpatialResampling"),
    "not written on": tags(BurnedInAnnotation="NO"),
    "converted class": tags(SOPClassUID="1.2.840.10008.5.1.4.1.1.128.1"),
}


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_a_plain_series_is_taken_without_a_word(name: str, tmp_path: Path) -> None:
    (study,) = find_studies(_write(tmp_path, PLAIN[name]))
    assert isinstance(study, Study)
    told = codes(load_study(study).notices)
    assert {"image-kind", "foreign-images"}.isdisjoint(told)


@pytest.mark.parametrize(
    ("description", "named"),
    [
        *(("PET WB MIP", "MIP"), ("mu-map", "mu-map"), ("µ-Map head", "µ-Map")),
        *(("WB non-AC", "non-AC"), ("PET_NAC", "NAC"), ("Screenshot 1", "Screenshot")),
        *(("MRGlu", "MRGlu"), ("Ki map", "Ki map"), ("Subtraction PET1-PET2", "Subtraction")),
        *(
            ("PET KI-Rekonstruktion", ""),
            ("PET Screening", ""),
            ("WB AC 60 min", ""),
            ("Kidney", ""),
            ("PET nach Kinetik", ""),
        ),
        *(("STATIC FACE", ""), ("Maps", ""), ("PET-CT SERIES", ""), ("", "")),
    ],
)
def test_a_description_names_what_it_is_by_whole_words(description: str, named: str) -> None:
    assert named_kind(description) == named


@pytest.mark.parametrize("word", ["SUBMANDIBULAR", "SUB-ID", "MINUTES", "STATIC", "K10", "PRIMARY"])
def test_parts_of_other_words_name_nothing(word: str) -> None:
    assert (said_kind([word]) == "") is (word != "SUB-ID")


def test_beside_the_pet_such_series_are_left_over_by_what_they_are(tmp_path: Path) -> None:
    """A Ki map, longer than the PET itself or as long, leaves no choice to be asked for."""
    _write(tmp_path / "a", tags())
    _write(tmp_path / "b", tags(ImageType=["DERIVED", "PRIMARY", "KI"]), series="1.2.3.5")
    _write(tmp_path / "c", tags(SeriesDescription="WB subtraction"), series="1.2.3.6")
    stock = take_stock([tmp_path])
    assert [s.pet[0].parent.name for s in stock.studies] == ["a"]
    assert stock.failures == ()
    whys = sorted((o.path.name, o.why) for o in stock.leftovers)
    assert [n for n, _ in whys] == ["b", "c"]
    assert all("is no image of activity" in why for _, why in whys)


def test_alone_it_is_a_study_that_fails_and_no_leftover(tmp_path: Path) -> None:
    (found,) = find_studies(_write(tmp_path, tags(ImageType=["DERIVED", "SECONDARY", "MIP"])))
    assert not isinstance(found, Failure)


def test_a_ct_that_is_none_is_not_taken_for_the_ct(tmp_path: Path) -> None:
    """An iodine map subtracted, as long as the CT; alone, there is no CT."""
    _write(tmp_path / "pet", tags())
    odd = tags(ImageType=["DERIVED", "SECONDARY", "SUBTRACTION"])
    _write(tmp_path / "iodine", odd, series="1.2.3.7", modality="CT")
    stock = take_stock([tmp_path])
    assert (stock.studies[0].ct, len(stock.leftovers)) == ((), 1)
    assert "no plain CT but SUBTRACTION" in stock.leftovers[0].why
    _write(tmp_path / "ct", tags(), series="1.2.3.8", modality="CT")
    stock = take_stock([tmp_path])
    assert {p.parent.name for p in stock.studies[0].ct} == {"ct"}


def test_slices_of_another_kind_among_others_are_left_out_and_told(tmp_path: Path) -> None:
    """One whole set of subtracted slices at other heights inside the series."""

    def half(k: int, ds: Dataset) -> None:
        ds.Units, ds.RescaleSlope = "GML", "0.001"
        if k >= 20:
            ds.ImageType = ["DERIVED", "PRIMARY", "SUBTRACT"]

    stored = np.full(SHAPE, 1000, np.int16)
    write_series(tmp_path, stored, spacing=SPACING, bend=half)
    (study,) = find_studies(tmp_path)
    assert isinstance(study, Study)
    loaded = load_study(study)
    assert loaded.suv.grid.shape == (20, 30, 28)
    assert "foreign-images" in codes(loaded.notices)
