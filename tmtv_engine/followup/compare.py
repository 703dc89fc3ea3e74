"""Two cases of one patient: their lesions matched, and the change of each measure.

The record (schema ``tmtv.compare/1``): who and when, the motion between the bodies, the totals of
both readings of record and their change by method, a row a place of disease, and how the lymphoma
answered. A change in percent is 100 · (follow-up − baseline) / baseline; null where the baseline
is 0 or either is unknown. Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from msgspec import UNSET, to_builtins

from tmtv_engine import __version__
from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case
from tmtv_engine.case.timepoints import change, changes
from tmtv_engine.errors import CaseError, InputError
from tmtv_engine.files import Record, jsonable, utc_now
from tmtv_engine.followup.align import align
from tmtv_engine.followup.match import WITHIN_MM, Match, match
from tmtv_engine.followup.references import Where, references
from tmtv_engine.followup.response import Reference, deauville, qpet
from tmtv_engine.image.volume import Volume
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.measures import suv_max, suv_peak
from tmtv_engine.report.sides import read_as, side_of
from tmtv_engine.review.reading import Reading

SCHEMA = "tmtv.compare/1"
NOTE = "Research use only. Deauville and qPET are computed, not read: see each reference region."


@dataclass(frozen=True, eq=False)
class Scan:
    """One time point: the case, its reading, its PET and the cuts of the lesions that count."""

    case: Case
    reading: Reading
    suv: Volume
    cuts: Cuts

    @classmethod
    def of(cls, case: Case, reader: str | None = None) -> Scan:
        """The reading of record, or a reader's; `CaseError` where the case holds no image."""
        image = case.image()
        if image is None:
            raise CaseError(
                f"{case.path} holds no image to align the bodies by",
                "It was made with --no-image: make it anew without (--fresh).",
            )
        reading = read_as(case, reader)
        return cls(case, reading, image.volume(), side_of(case, reading).cuts)

    @property
    def lesions(self) -> Lesions:
        """The lesions that count, uncut."""
        return self.cuts.lesions

    def totals(self) -> Record:
        """What they measure by each method."""
        found = self.cuts.totals(range(len(self.lesions)))
        return dict(jsonable(to_builtins(found)))


def compared(
    baseline: Case,
    followup: Case,
    *,
    reader: str | None = None,
    where: Where | None = None,
    within_mm: float = WITHIN_MM,
    other_id: bool = False,
) -> Record:
    """The record of two cases of one patient.

    ``where``: liver and blood pool of the follow-up; ``other_id``: take patients' ids that
    differ. Raises `InputError` where they do, or the bodies cannot be aligned, and `CaseError`
    where a case holds no image.
    """
    warnings = _warnings(baseline, followup, other_id)
    first, second = Scan.of(baseline, reader), Scan.of(followup, reader)
    motion = align(first.suv, second.suv)
    matches = match(first.lesions, second.lesions, motion, within_mm)
    methods = [m for m in first.cuts.methods if m in second.cuts.methods]
    if not methods:
        what = f"{baseline.path} and {followup.path} were cut by no method that both have"
        raise InputError(what, "Ask tmtv predict for the same --method; it recuts.")
    before, after = first.totals(), second.totals()
    answer, told = _response(second, matches, where or Where())
    return {
        "schema": SCHEMA,
        "created": utc_now(),
        "tmtv": __version__,
        "note": NOTE,
        "baseline": _who(first),
        "followup": _who(second),
        "alignment": {
            "rotation": motion.rotation.tolist(),
            "shift_mm": motion.shift_mm.tolist(),
            "angle_deg": motion.angle_deg,
            "body_dice": motion.overlap,
        },
        "within_mm": within_mm,
        "methods": {m.key: changes(before[m.key], after[m.key]) for m in methods},
        "places": [_place(m, first, second, [x.key for x in methods]) for m in matches],
        "response": answer,
        "warnings": [*warnings, *told],
    }


def _who(scan: Scan) -> Record:
    record, reading = scan.case.record, scan.reading
    return {
        "case": record.case,
        "date": record.study.date,
        "timepoint": record.study.timepoint,
        "model": record.model.name,
        "reader": reading.reader,
        "signed": reading.signed,
        "lesions": len(scan.lesions),
    }


def _place(found: Match, first: Scan, second: Scan, keys: Sequence[str]) -> Record:
    """A place of disease: its lesions at both times, their maxima, and what each method leaves."""
    rows = [first.lesions.row(i) for i in found.baseline]
    others = [second.lesions.row(i) for i in found.followup]
    volumes = {}
    for key in keys:
        one, other = _sum(first, rows, key), _sum(second, others, key)
        volumes[key] = {name: change(one[name], other[name]) for name in ("volume_ml", "tlg_g")}
    return {
        **asdict(found),
        "region": _region(first, found.baseline) or _region(second, found.followup),
        "suv_max": change(*(_most(s, r, suv_max) for s, r in ((first, rows), (second, others)))),
        "suv_peak": change(*(_most(s, r, suv_peak) for s, r in ((first, rows), (second, others)))),
        "methods": volumes,
    }


def _sum(scan: Scan, rows: Sequence[int], key: str) -> dict[str, float]:
    (method,) = (m for m in scan.cuts.methods if m.key == key)
    found = scan.cuts.take(rows).measure(method)
    return {"volume_ml": float(found.volume_ml.sum()), "tlg_g": float(found.tlg_g.sum())}


def _most(scan: Scan, rows: Sequence[int], measured: Any) -> float | None:
    return float(measured(scan.lesions)[list(rows)].max()) if rows else None


def _region(scan: Scan, ids: Sequence[int]) -> str | None:
    return next((r.region for r in scan.case.record.lesions if r.id in ids and r.region), None)


def _response(scan: Scan, matches: Sequence[Match], where: Where) -> tuple[Record, list[Record]]:
    """Deauville and qPET of a follow-up, and what to beware of."""
    quality = scan.case.record.quality
    known = {} if quality is UNSET else quality
    found = references(scan.suv, where, scan.lesions.voxels, known)
    liver, blood = found["liver"], found["blood pool"]
    hottest = float(suv_max(scan.lesions).max()) if len(scan.lesions) else None
    new = sum(m.fate == "new" for m in matches)
    score = deauville(hottest, new, liver, blood)
    told = []
    if score is None:
        why = "liver" if liver is None else "blood pool"
        message = f"without the {why} of the follow-up: --liver-sphere, --blood-sphere or --organs"
        told.append({"code": "no-reference", "message": message})
    answer = {
        "hottest_suv": hottest,
        "new": new,
        "deauville": score,
        "qpet": qpet(scan.suv, scan.lesions.voxels, liver),
        "liver": _shown(liver),
        "blood_pool": _shown(blood),
    }
    return answer, told


def _shown(reference: Reference | None) -> Record | None:
    return None if reference is None else asdict(reference)


def _warnings(baseline: Case, followup: Case, other_id: bool) -> list[Record]:
    one, other = baseline.record, followup.record
    told = []
    if one.patient.id and other.patient.id and one.patient.id != other.patient.id:
        if not other_id:
            what = f"{baseline.path} and {followup.path} are of patients with other ids"
            raise InputError(what, "Give --other-id if they are one person all the same.")
        told.append({"code": "other-id", "message": "the patients' ids differ"})
    hashes = (one.provenance.inputs_sha256, other.provenance.inputs_sha256)
    if baseline.path.resolve() == followup.path.resolve() or (hashes[0] and len({*hashes}) == 1):
        told.append({"code": "same-scan", "message": "both are cases of the same images"})
    if one.study.date and other.study.date and one.study.date > other.study.date:
        told.append({"code": "order", "message": "the follow-up is dated before the baseline"})
    if one.model.sha256 != other.model.sha256 or one.model.name != other.model.name:
        message = f"lesions were found by {one.model.name} and by {other.model.name}"
        told.append({"code": "other-model", "message": message})
    for name, case in (("baseline", baseline), ("follow-up", followup)):
        if case.record.review.status != "done":
            told.append({"code": "not-signed", "message": f"nobody has signed the {name}"})
    return told


def table(record: Mapping[str, Any]) -> list[list[Any]]:
    """`places.csv`: a row a place and method."""
    head = ["fate", "baseline", "followup", "region", "apart_mm", "method"]
    measures = ["volume_ml", "tlg_g", "suv_max"]
    rows: list[list[Any]] = [
        [*head, *(f"{m}_{side}" for m in measures for side in ("baseline", "followup", "percent"))]
    ]
    for place in record["places"]:
        for key, own in place["methods"].items():
            told = [own["volume_ml"], own["tlg_g"], place["suv_max"]]
            rows.append(
                [
                    place["fate"],
                    *(" ".join(map(str, place[side])) for side in ("baseline", "followup")),
                    place["region"],
                    place["apart_mm"],
                    key,
                    *(one[k] for one in told for k in ("baseline", "followup", "percent")),
                ]
            )
    return rows
