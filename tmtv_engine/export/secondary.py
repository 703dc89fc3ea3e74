"""The picture of the projections as a DICOM Secondary Capture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from msgspec.structs import replace

from tmtv_engine import __version__
from tmtv_engine.case.picture import write_picture
from tmtv_engine.export.job import MAKER, Job, dated, patient_of
from tmtv_engine.review.session import reviewed_record


def write_mip(job: Job, path: Path, series: int) -> None:
    """Write front and side projection with the lesions as reviewed; numbers are burned in."""
    from highdicom.sc import SCImage
    from PIL import Image

    picture = path.with_suffix(".png")
    record = reviewed_record(job.case, job.reading)
    rows = {row.id: row for row in record.lesions}
    shown = replace(record, lesions=tuple(rows[int(i)] for i in job.lesions.ids))
    write_picture(picture, job.case.mip(), job.lesions, shown)
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"))
    picture.unlink()
    patient = patient_of(job.header())
    capture = SCImage(
        pixel_array=pixels,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=patient.StudyInstanceUID,
        series_instance_uid=job.uid("MIP"),
        series_number=series,
        sop_instance_uid=job.uid("MIP", "object"),
        instance_number=1,
        manufacturer=MAKER,
        patient_orientation=("L", "F"),
    )
    capture.update(patient)
    capture.BodyPartExamined = "WHOLEBODY"
    capture.BurnedInAnnotation, capture.ConversionType = "YES", "WSD"
    capture.SeriesDescription, capture.SoftwareVersions = "tmtv projections", __version__
    dated(capture, job.at())
    capture.save_as(path)
