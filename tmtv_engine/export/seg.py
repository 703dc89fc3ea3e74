"""DICOM SEG: one binary segment a lesion, per method (highdicom)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import SegmentationStorage
from pydicom.valuerep import format_number_as_ds

from tmtv_engine import __version__
from tmtv_engine.export.encode import encoded_sequence, ready
from tmtv_engine.export.frames import sources_of
from tmtv_engine.export.job import MAKER, UNICODE, Job, dated, settle
from tmtv_engine.export.sites import add_regions, sites_of
from tmtv_engine.lesion.methods import Method

NEOPLASM = Code("108369006", "SCT", "Neoplasm")
NETWORK = Code("123110", "DCM", "Artificial Intelligence")
CLUSTERING = Code("123107", "DCM", "Cluster Analysis")
_BY_SLICE = ("DerivationImageSequence", "PlanePositionSequence")


def write_seg(job: Job, method: Method, path: Path, series: int) -> bool:
    """Write a method's SEG as that series; False, and nothing, where no lesion is left.

    Segments are numbered from 1 without gaps, as the standard wants; label and tracking
    identifier name the lesion.
    """
    from highdicom.seg import Segmentation

    cut = job.cut(method)
    if not cut:
        return False
    flat = np.zeros(int(np.prod(job.lesions.grid.shape)), np.uint16)
    for number, (_, voxels) in enumerate(cut, start=1):
        flat[voxels] = number
    labels = flat.reshape(job.lesions.grid.shape)
    sources, planes = sources_of(job.slices, np.flatnonzero(labels.any(axis=(1, 2))))
    named = seg_of(job, method)
    seg = Segmentation(
        source_images=sources,
        pixel_array=labels[planes],
        segmentation_type="BINARY",
        segment_descriptions=_segments(job, [row for row, _ in cut]),
        series_instance_uid=named.SeriesInstanceUID,
        series_number=series,
        sop_instance_uid=named.SOPInstanceUID,
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=job.algorithm()[0],
        software_versions=__version__,
        device_serial_number="0",
        content_label=f"TMTV {method.key}".upper().replace(".", "_"),
        content_description=f"Accepted lesions cut by method {method.key}",
    )
    seg.SpecificCharacterSet, seg.SeriesDescription = UNICODE, f"tmtv lesions {method.key}"
    # highdicom measures it between the slices used: 1 mm for one, nothing where they leave gaps
    (size,) = seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence
    size.SpacingBetweenSlices = format_number_as_ds(job.lesions.grid.spacing_mm[0])
    dated(seg, job.at())
    settle(seg, partial(job.uid, "SEG", method.key))
    ready(seg)
    _share(job, seg)
    seg.save_as(path)
    return True


def _segments(job: Job, rows: Sequence[int]) -> list[Any]:
    """The description of each lesion's segment, in order."""
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.seg import SegmentDescription

    name, version = job.algorithm()
    drawn = job.case.record.model.name in ("hotspot", "roi")
    found = [
        SegmentDescription(
            segment_number=number,
            segment_label=f"Lesion {int(job.lesions.ids[row])}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=NEOPLASM,
            algorithm_type="SEMIAUTOMATIC" if job.by_hand else "AUTOMATIC",
            algorithm_identification=AlgorithmIdentificationSequence(
                name, CLUSTERING if drawn else NETWORK, version
            ),
            tracking_uid=job.tracking_uid(row),
            tracking_id=job.tracking_id(row),
        )
        for number, row in enumerate(rows, start=1)
    ]
    for segment, row in zip(found, rows, strict=True):
        add_regions(segment, sites_of(job, row))
    return found


def seg_of(job: Job, method: Method) -> Dataset:
    """What the SEG of a method is called, for those who refer to it."""
    named = Dataset()
    named.SOPClassUID = SegmentationStorage
    named.SOPInstanceUID = job.uid("SEG", method.key, "object")
    named.SeriesInstanceUID = job.uid("SEG", method.key)
    named.StudyInstanceUID = job.slices[0].StudyInstanceUID
    return named


def _share(job: Job, seg: Dataset) -> None:
    """Encode once what many frames say: their slice and its place, their segment."""
    for frame in seg.PerFrameFunctionalGroupsSequence:
        (source,) = frame.DerivationImageSequence[0].SourceImageSequence
        plane = (source.ReferencedSOPInstanceUID, source.get("ReferencedFrameNumber"))
        names: dict[str, object] = dict.fromkeys(_BY_SLICE, plane)
        if "SegmentIdentificationSequence" in frame:  # not where there is one for all frames
            (segment,) = frame.SegmentIdentificationSequence
            names["SegmentIdentificationSequence"] = segment.ReferencedSegmentNumber
        for keyword, name in names.items():
            if keyword not in frame:
                continue
            if (keyword, name) not in job.encoded:
                job.encoded[keyword, name] = encoded_sequence(frame[keyword])
            frame[keyword] = job.encoded[keyword, name]
