"""DICOM SEG: one binary segment a lesion, per method (highdicom)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tmtv_engine import __version__
from tmtv_engine.export.job import MAKER, Job, dated, settle
from tmtv_engine.thresholds import Method

SERIES_NUMBER = 901


def write_seg(job: Job, method: Method, path: Path) -> bool:
    """Write the SEG of a method; False, and nothing written, where no lesion is left.

    Segments are numbered from 1 without gaps, as the standard wants; label and tracking
    identifier name the lesion.
    """
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import Segmentation, SegmentDescription
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    cut = job.cut(method)
    if not cut:
        return False
    flat = np.zeros(int(np.prod(job.lesions.grid.shape)), np.uint16)
    for number, (_, voxels) in enumerate(cut, start=1):
        flat[voxels] = number
    labels = flat.reshape(job.lesions.grid.shape)
    used = np.flatnonzero(labels.any(axis=(1, 2)))
    name, version = job.algorithm()
    family = Code("123110", "DCM", "Artificial Intelligence")
    if job.case.record["model"]["name"] in ("hotspot", "roi"):
        family = Code("123107", "DCM", "Cluster Analysis")
    described = [
        SegmentDescription(
            segment_number=number,
            segment_label=f"Lesion {int(job.lesions.ids[row])}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=Code("108369006", "SCT", "Neoplasm"),
            algorithm_type="SEMIAUTOMATIC" if _by_hand(job) else "AUTOMATIC",
            algorithm_identification=AlgorithmIdentificationSequence(name, family, version),
            tracking_uid=job.tracking_uid(row),
            tracking_id=job.tracking_id(row),
        )
        for number, (row, _) in enumerate(cut, start=1)
    ]
    seg = Segmentation(
        source_images=[job.slices[k] for k in used],
        pixel_array=labels[used],
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=job.uid("SEG", method.key),
        series_number=SERIES_NUMBER + [m.key for m in job.methods].index(method.key),
        sop_instance_uid=job.uid("SEG", method.key, "object"),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=name,
        software_versions=__version__,
        device_serial_number="0",
        content_label=f"TMTV {method.key}".upper().replace(".", "_"),
        content_description=f"Accepted lesions cut by method {method.key}",
    )
    seg.SeriesDescription = f"tmtv lesions {method.key}"
    dated(seg, job.at())
    settle(seg, (), lambda *parts: job.uid("SEG", method.key, *parts))
    seg.save_as(path)
    return True


def _by_hand(job: Job) -> bool:
    return job.reviewed or job.case.record["model"]["name"] == "roi"
