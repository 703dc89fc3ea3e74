"""RTSTRUCT, written with pydicom: contours along voxel edges, so that filling gives the volume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from tmtv_engine.export.contours import trace
from tmtv_engine.export.encode import encoded_decimals, items_of, ready
from tmtv_engine.export.job import MAKER, Job, dated, patient_of
from tmtv_engine.image.volume import Grid
from tmtv_engine.lesion.methods import Method

RTSTRUCT_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"
STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"
COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0))

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Roi:
    """One ROI to write: number, name, flat voxel indices, and how it came to be."""

    number: int
    name: str
    voxels: IntArray
    algorithm: str = "AUTOMATIC"


def write_rtstruct(job: Job, method: Method, path: Path, series: int) -> bool:
    """Write a method's RTSTRUCT as that series; False, and nothing, where no lesion is left."""
    kind = "SEMIAUTOMATIC" if job.by_hand else "AUTOMATIC"
    rois = [
        Roi(int(job.lesions.ids[row]), f"Lesion {int(job.lesions.ids[row])}", voxels, kind)
        for row, voxels in job.cut(method)
    ]
    if not rois:
        return False
    plan = structure_set(job.slices, rois, job.lesions.grid)
    plan.SOPInstanceUID = job.uid("RTSTRUCT", method.key, "object")
    plan.SeriesInstanceUID = job.uid("RTSTRUCT", method.key)
    plan.SeriesNumber = series
    plan.StructureSetLabel = f"TMTV {method.key}"[:16]
    plan.SeriesDescription = f"tmtv lesions {method.key}"
    dated(plan, job.at())
    save(plan, path)
    return True


def structure_set(sources: Sequence[Dataset], rois: Sequence[Roi], grid: Grid) -> Dataset:
    """An RTSTRUCT of ``rois`` on ``grid``, referring to ``sources`` (one a slice, in order)."""
    head = sources[0]
    plan = patient_of(head)
    plan.SOPClassUID, plan.Modality, plan.Manufacturer = RTSTRUCT_CLASS, "RTSTRUCT", MAKER
    plan.InstanceNumber, plan.OperatorsName, plan.ApprovalStatus = "1", "", "UNAPPROVED"
    plan.StructureSetDate = plan.SeriesDate = ""
    plan.StructureSetTime = plan.SeriesTime = ""
    plan.FrameOfReferenceUID = head.FrameOfReferenceUID
    plan.PositionReferenceIndicator = ""
    plan.ReferencedFrameOfReferenceSequence = Items([_frame(sources)])
    named, drawn, observed = [], [], []
    for roi in rois:
        name, contour, observation = Dataset(), Dataset(), Dataset()
        name.ROINumber, name.ROIName = roi.number, roi.name
        name.ReferencedFrameOfReferenceUID = head.FrameOfReferenceUID
        name.ROIGenerationAlgorithm = roi.algorithm
        contour.ReferencedROINumber = observation.ReferencedROINumber = roi.number
        contour.ROIDisplayColor = list(COLOURS[roi.number % len(COLOURS)])
        contour.ContourSequence = Items(_contours(roi.voxels, grid, sources))
        observation.ObservationNumber, observation.RTROIInterpretedType = roi.number, "GTV"
        observation.ROIInterpreter = ""
        named.append(name)
        drawn.append(contour)
        observed.append(observation)
    plan.StructureSetROISequence, plan.ROIContourSequence = Items(named), Items(drawn)
    plan.RTROIObservationsSequence = Items(observed)
    return plan


def save(dataset: Dataset, path: Path) -> None:
    """Write a dataset as a DICOM file: explicit little endian, implicit where that is too narrow.

    An explicit DS has at most 65,534 bytes: a contour of more than some 2,000 corners needs the
    other.
    """
    ready(dataset)
    widest = max(
        (len(e.value) for i in items_of(dataset) for e in i.values() if e.is_raw), default=0
    )
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = (
        ExplicitVRLittleEndian if widest < 65535 else ImplicitVRLittleEndian
    )
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(path, enforce_file_format=True)


def _frame(sources: Sequence[Dataset]) -> Dataset:
    head = sources[0]
    frame, study, series = Dataset(), Dataset(), Dataset()
    series.SeriesInstanceUID = head.SeriesInstanceUID
    series.ContourImageSequence = Items([_image(source) for source in sources])
    study.ReferencedSOPClassUID = STUDY_CLASS
    study.ReferencedSOPInstanceUID = head.StudyInstanceUID
    study.RTReferencedSeriesSequence = Items([series])
    frame.FrameOfReferenceUID = head.FrameOfReferenceUID
    frame.RTReferencedStudySequence = Items([study])
    return frame


def _image(source: Dataset) -> Dataset:
    image = Dataset()
    image.ReferencedSOPClassUID = source.SOPClassUID
    image.ReferencedSOPInstanceUID = source.SOPInstanceUID
    if "ReferencedFrameNumber" in source:
        image.ReferencedFrameNumber = source.ReferencedFrameNumber
    return image


def _contours(voxels: IntArray, grid: Grid, sources: Sequence[Dataset]) -> Iterable[Dataset]:
    """The polygons of a lesion slice by slice, corners in LPS mm to a tenth of a micrometre."""
    index = np.stack(np.unravel_index(voxels, grid.shape), axis=-1)
    for z in np.unique(index[:, 0]):
        plane = index[index[:, 0] == z][:, 1:]
        low = plane.min(axis=0)
        mask = np.zeros(plane.max(axis=0) - low + 1, bool)
        mask[tuple((plane - low).T)] = True
        for polygon in trace(mask):
            corners = np.column_stack([np.full(len(polygon), z), polygon + low])
            contour = Dataset()
            contour.ContourImageSequence = Items([_image(sources[int(z)])])
            contour.ContourGeometricType = "CLOSED_PLANAR"
            contour.NumberOfContourPoints = len(corners)
            numbers = grid.to_mm(corners).reshape(-1).tolist()
            contour["ContourData"] = encoded_decimals("ContourData", map("{:.4f}".format, numbers))
            yield contour
