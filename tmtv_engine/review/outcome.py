"""What a reading makes of `case.json`: rows, totals, the review part and its warnings, hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case, lifted, with_review
from tmtv_engine.case.record import CaseRecord, LesionRow, Measured, Review
from tmtv_engine.case.results import lesion_rows, standing
from tmtv_engine.files import Record, canonical
from tmtv_engine.lesion.origin import Origin, Status
from tmtv_engine.notices import Notice
from tmtv_engine.review.journal import Journal, journals
from tmtv_engine.review.reading import Reading, Replayer, of_record


def reviewed_record(case: Case, reading: Reading) -> CaseRecord:
    """The case's `case.json` as ``reading`` leaves it; the prediction's part is untouched."""
    record = case.record
    cuts = Cuts.of_record(record, reading.lesions, reading.around)
    rows = (*_decided_rows(record, reading, cuts), *_new_rows(record, reading, cuts))
    review = _review(case, reading)
    done = replace(
        record,
        lesions=rows,
        totals=cuts.totals(reading.accepted) if reading.decisions else record.predicted_totals,
        review=review,
        warnings=_warnings(case, rows, reading.signed is not None),
    )
    digest = review_sha256(with_review(case, done))
    return replace(done, review=replace(review, sha256=digest))


def as_recorded(case: Case) -> Case:
    """The case as its reading of record leaves it; nothing is written."""
    journal = of_record(case)
    lines = journal.lines if journal else []
    reading = Replayer(case).replay(lines, journal.reader if journal else None)
    done = reviewed_record(case, reading)
    return Case(case.path, done, with_review(case, done))


def _decided_rows(record: CaseRecord, reading: Reading, cuts: Cuts) -> Iterator[LesionRow]:
    """The prediction's lesions; of one that was split or merged the parts, or the whole, count."""
    last = record.provenance.last_id
    before = {row.id: row.predicted_row for row in record.lesions if row.id <= last}
    now = _measured_anew(reading, cuts, before)
    for number, row in before.items():
        gone = number in reading.splits or number in reading.merged
        status = reading.status.get(number, Status.REJECTED)
        by = reading.reader if gone else reading.decided_by.get(number)
        yield replace(now.get(number, row), status=status, decided_by=by)


def _measured_anew(
    reading: Reading, cuts: Cuts, before: Mapping[int, LesionRow]
) -> dict[int, LesionRow]:
    """The predicted lesions that a repair changed, as they measure now."""
    ids = [int(i) for i in cuts.lesions.ids]
    some = [k for k, i in enumerate(ids) if i in reading.repaired and i in before]
    origins = [Origin(reading.sources[ids[k]], None, reading.floors[ids[k]]) for k in some]
    decided = [(reading.status[ids[k]], reading.decided_by[ids[k]]) for k in some]
    found = {}
    for new in lesion_rows(cuts.take(some), origins, decided):
        told = {key: getattr(new.measured, key) for key in Measured.__struct_fields__}
        found[new.id] = replace(before[new.id], **told, predicted=before[new.id].measured)
    return found


def _review(case: Case, reading: Reading) -> Review:
    chains = [journal for path in journals(case.path) if (journal := Journal(path)).read()]
    found = Review(
        status=reading.state,
        readers=tuple(journal.reader for journal in chains),
        head=reading.head,
        heads={journal.reader: journal.head for journal in chains},
    )
    if reading.reader is None:
        return found
    return replace(
        found,
        of_record=reading.reader,
        signed=reading.signed,
        splits={str(k): tuple(v) for k, v in reading.splits.items()},
        reasons={str(k): v for k, v in sorted(reading.reasons.items())},
        merged={str(k): v for k, v in reading.merged.items()} or UNSET,
        notes=tuple(reading.notes),
        seconds=reading.seconds,
    )


def _warnings(case: Case, rows: Sequence[LesionRow], signed: bool) -> tuple[Notice, ...]:
    """Those of the prediction, and those that follow from decisions as they are now."""
    told, codes = case.record.warnings, lifted(case.raw)
    fixed = [n for n in told if n.code not in codes]
    before = {} if "below-floor" in codes else {n.code: n for n in told}  # in its old words
    now = standing((), case.record.model, rows, signed)
    return (*fixed, *(before.get(n.code, n) for n in now if n.code in codes))


def review_sha256(record: Record) -> str:
    """SHA-256 of what a review changed in a `case.json`, as canonical JSON."""
    last = record["provenance"]["last_id"]
    part = {
        "totals": record["totals"],
        "review": {k: v for k, v in record["review"].items() if k != "sha256"},
        "status": [[r["id"], r["status"], r["decided_by"]] for r in record["lesions"]],
        "new": [r for r in record["lesions"] if r["id"] > last],
        "warnings": record["warnings"],
    }
    repaired = [r for r in record["lesions"] if "predicted" in r]
    if repaired:
        part["repaired"] = repaired
    return hashlib.sha256(canonical(part)).hexdigest()


def totals_sha256(sums: Record) -> str:
    """SHA-256 of totals by method, as canonical JSON."""
    return hashlib.sha256(canonical(sums)).hexdigest()


def _new_rows(record: CaseRecord, reading: Reading, cuts: Cuts) -> tuple[LesionRow, ...]:
    """What the review made; a part was grown to the same floor as its lesion, and is what it is."""
    last = record.provenance.last_id
    new = cuts.take([k for k, i in enumerate(cuts.lesions.ids) if i > last])
    ids = [int(i) for i in new.lesions.ids]
    # cases of before 0.2 knew nothing of that, and their hashes neither
    told = record.lesions if record.provenance.prediction_sha256 is not UNSET else ()
    known = {row.id: row.predicted_row for row in told if row.id <= last}
    origins = [_origin(reading, known, i) for i in ids]
    return lesion_rows(new, origins, [(reading.status[i], reading.decided_by[i]) for i in ids])


def _origin(reading: Reading, known: Mapping[int, LesionRow], number: int) -> Origin:
    source, root = reading.sources[number], number
    while root in reading.parents:
        root = reading.parents[root]
    if root not in known:
        return Origin(source, floor_suv=reading.floors.get(number))
    row = known[root]
    floor = reading.floors.get(number, row.floor_suv)
    return Origin(source, None, floor, row.structure, row.region)
