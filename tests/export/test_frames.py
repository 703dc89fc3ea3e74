"""A PET that is one multi-frame object: exported objects refer to its frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.support.dicom import SHAPE, items, pixels, save, write_series
from tests.support.exports import case_of, drawn_labels, errors_of
from tmtv_engine.export.objects import write_objects
from tmtv_engine.study.rois import read_rois

ENHANCED_PET = "1.2.840.10008.5.1.4.1.1.130"


def write_frames(folder: Path) -> Path:
    """An enhanced PET whose first frame is the highest slice."""
    (first, *_) = write_series(folder / "single")
    whole = dcmread(first)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(whole, name)
    del whole.SliceThickness
    whole.SOPClassUID, whole.SOPInstanceUID = ENHANCED_PET, "1.2.3.77"
    whole.AttenuationCorrected = whole.DecayCorrected = "YES"
    whole.DecayCorrectionDateTime = whole.SeriesDate + whole.SeriesTime
    shared, frames = Dataset(), []
    shared.PlaneOrientationSequence = items(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    shared.PixelMeasuresSequence = items(PixelSpacing=[4.0, 2.0], SliceThickness=3.0)
    for k in reversed(range(SHAPE[0])):
        frame = Dataset()
        frame.PlanePositionSequence = items(ImagePositionPatient=[-10.0, 20.0, -300.0 + 3 * k])
        frame.PixelValueTransformationSequence = items(
            RescaleSlope="1", RescaleIntercept="0", RescaleType="BQML"
        )
        frames.append(frame)
    whole.SharedFunctionalGroupsSequence = Sequence([shared])
    whole.PerFrameFunctionalGroupsSequence = Sequence(frames)
    whole.NumberOfFrames = SHAPE[0]
    whole.PixelData = pixels()[::-1].astype("<i2").tobytes()
    (folder / "multi").mkdir()
    save(whole, folder / "multi" / "whole.dcm")
    return folder / "multi"


def test_frames_are_referred_to(tmp_path: Path) -> None:
    case = case_of(write_frames(tmp_path), tmp_path / "out")
    written = write_objects(case, ["seg", "sr", "rtstruct", "mip"])
    assert {p.name: errors_of(p) for p in written} == {p.name: [] for p in written}
    for kind in ("seg", "rtstruct"):
        rois = read_rois(case.path / "export" / f"{kind}_raw.dcm", case.voxels().grid)
        np.testing.assert_array_equal(rois.labels.array, drawn_labels("some"))
    seg = dcmread(case.path / "export" / "seg_raw.dcm")
    assert {i.ReferencedSOPInstanceUID for i in seg.SourceImageSequence} == {"1.2.3.77"}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        z = float(frame.PlanePositionSequence[0].ImagePositionPatient[2])
        assert source.ReferencedFrameNumber == SHAPE[0] - (z + 300.0) / 3.0
    plan = dcmread(case.path / "export" / "rtstruct_raw.dcm")
    for contour in (c for roi in plan.ROIContourSequence for c in roi.ContourSequence):
        (image,) = contour.ContourImageSequence
        z = float(contour.ContourData[2])
        assert image.ReferencedFrameNumber == pytest.approx(SHAPE[0] - (z + 300.0) / 3.0)
