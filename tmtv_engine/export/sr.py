"""DICOM SR: TID 1500, the measures of each lesion and method, and the totals (highdicom)."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from tmtv_engine import __version__
from tmtv_engine.export.encode import ready
from tmtv_engine.export.job import MAKER, Job, dated, settle
from tmtv_engine.export.seg import NEOPLASM, seg_of
from tmtv_engine.export.sites import finding_sites
from tmtv_engine.lesion.measures import suv_max, suv_peak
from tmtv_engine.lesion.methods import Method

VOLUME = Code("126032", "DCM", "Metabolic Volume")
TLG = Code("126033", "DCM", "Total Lesion Glycolysis")
SUVBW = Code("126401", "DCM", "SUVbw")
PEAK = Code("126031", "DCM", "Peak Value Within ROI")
DMAX = Code("DMAX", "99TMTV", "Largest distance between lesion centroids")
SIGNATURE = Code("SIGNATURE", "99TMTV", "Hash of the reader's signature in the journal")
SSHSIG = Code("SSHSIG", "99TMTV", "SSH signature of that hash and a newline, namespace tmtv")
CM3 = Code("cm3", "UCUM", "cm3")
GRAM = Code("g", "UCUM", "g")
MM = Code("mm", "UCUM", "mm")
SUV_UNIT = Code("g/ml{SUVbw}", "UCUM", "Standardized Uptake Value body weight")


def write_sr(job: Job, path: Path, series: int) -> None:
    """Write the report, which refers to the PET and to the SEG of each method that left a lesion.

    Without any lesion it says 0 cm3. The reader is an observer once something was decided; the
    report is final, and holds the signature's hash, once the reading is signed.
    """
    from highdicom.sr import Comprehensive3DSR
    from highdicom.sr.utils import collect_evidence

    groups = [group for method in job.methods for group in _lesions(job, method)]
    groups += [_totals(job, method) for method in job.methods]
    evidence = [*job.slices, *(seg_of(job, method) for method in job.methods if job.cut(method))]
    sr = Comprehensive3DSR(
        evidence=evidence[:1],
        content=_report(job, groups[-1:]),  # which is copied whole: what is long goes in after it
        series_instance_uid=job.uid("SR"),
        series_number=series,
        sop_instance_uid=job.uid("SR", "object"),
        instance_number=1,
        manufacturer=MAKER,
        is_complete=True,
        is_final=job.reading.signed is not None,
    )
    sr.CurrentRequestedProcedureEvidenceSequence, _ = collect_evidence(evidence, sr)
    sr.ContentSequence = _report(job, groups).ContentSequence
    sr.SeriesDescription = "tmtv measures"
    sr.ManufacturerModelName, sr.SoftwareVersions = "tmtv", __version__
    dated(sr, job.at())
    settle(sr, partial(job.uid, "SR"))
    ready(sr)
    sr.save_as(path)


def _report(job: Job, groups: list[Any]) -> Any:
    """The root of the content, with these groups of measurements."""
    from highdicom.sr import MeasurementReport, TextContentItem

    report = MeasurementReport(
        observation_context=_context(job),
        procedure_reported=Code("44139-4", "LN", "PET whole body"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    root = report[0]
    if job.reading.signed:
        root.ContentSequence.append(TextContentItem(SIGNATURE, job.reading.signed, "CONTAINS"))
        if job.signature is not None:
            root.ContentSequence.append(TextContentItem(SSHSIG, job.signature, "CONTAINS"))
    return root


def _context(job: Job) -> Any:
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObservationContext,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )

    device = ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=job.uid("device"),
            name="tmtv",
            manufacturer_name=MAKER,
            model_name=" ".join(job.algorithm()),
        ),
    )
    if not job.reviewed or job.reading.reader is None:
        return ObservationContext(observer_device_context=device)
    reader = PersonObserverIdentifyingAttributes(name=f"{job.reading.reader}^")
    person = ObserverContext(codes.DCM.Person, reader)
    return ObservationContext(observer_person_context=person, observer_device_context=device)


def _number(name: Code, value: float, unit: Code, derivation: Code | None = None) -> Any:
    from highdicom.sr import Measurement

    return Measurement(name=name, value=float(value), unit=unit, derivation=derivation)


def method_code(method: Method) -> Code:
    """A method as a code of ours."""
    return Code(method.key, "99TMTV", method.meaning)


def _lesions(job: Job, method: Method) -> list[Any]:
    from highdicom.sr import (
        ReferencedSegment,
        SourceSeriesForSegmentation,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations,
    )

    seg = seg_of(job, method)
    found = job.cuts.measure(method)
    top, peak = suv_max(job.lesions), suv_peak(job.lesions)
    groups = []
    for number, (row, _) in enumerate(job.cut(method), start=1):
        values = [
            _number(VOLUME, found.volume_ml[row], CM3),
            _number(TLG, found.tlg_g[row], GRAM),
            _number(SUVBW, top[row], SUV_UNIT, codes.SCT.Maximum),
            _number(SUVBW, found.suv_mean[row], SUV_UNIT, codes.SCT.Mean),
            _number(SUVBW, peak[row], SUV_UNIT, PEAK),
        ]
        groups.append(
            VolumetricROIMeasurementsAndQualitativeEvaluations(
                tracking_identifier=TrackingIdentifier(job.tracking_uid(row), job.tracking_id(row)),
                referenced_segment=ReferencedSegment(
                    seg.SOPClassUID,
                    seg.SOPInstanceUID,
                    number,
                    source_series=SourceSeriesForSegmentation(str(job.case.record.pet.series_uid)),
                ),
                finding_category=codes.SCT.MorphologicallyAbnormalStructure,
                finding_type=NEOPLASM,
                finding_sites=finding_sites(job, row),
                method=method_code(method),
                measurements=values,
            )
        )
    return groups


def _totals(job: Job, method: Method) -> Any:
    from highdicom.sr import MeasurementsAndQualitativeEvaluations, TrackingIdentifier

    sums = job.cuts.total(method, job.rows)
    values = [_number(VOLUME, sums.tmtv_ml, CM3), _number(TLG, sums.tlg_g, GRAM)]
    if sums.dmax_mm is not None and math.isfinite(sums.dmax_mm):
        values.append(_number(DMAX, sums.dmax_mm, MM))
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(job.uid("total", method.key), f"TMTV {method.key}"),
        finding_type=NEOPLASM,
        method=method_code(method),
        measurements=values,
    )
