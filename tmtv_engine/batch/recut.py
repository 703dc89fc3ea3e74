"""More methods for a case that is there, from its lists of voxels: no network, no DICOM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace as with_values

from msgspec import UNSET
from msgspec.structs import replace

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case, prediction_sha256, read_case
from tmtv_engine.case.guard import guarded
from tmtv_engine.case.picture import write_picture
from tmtv_engine.case.record import CaseRecord, decode, encode
from tmtv_engine.case.results import cut_rows, standing
from tmtv_engine.case.tables import lesions_csv
from tmtv_engine.errors import CaseError
from tmtv_engine.files import Record, aside, dump_json, sha256_of, write_text
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.methods import Method
from tmtv_engine.lesion.origin import Status
from tmtv_engine.pipeline import liver_threshold
from tmtv_engine.review.journal import alone, journals
from tmtv_engine.review.outcome import as_recorded
from tmtv_engine.review.state import predicted_status

Sphere = tuple[float, float, float]


def recut(case: Case, methods: Sequence[Method], liver_mm: Sphere | None = None) -> Case:
    """Add ``methods`` to a case; what it has stays, and every reading with it.

    Methods are not in the hash that binds a reading to its prediction; signatures vouch for the
    methods that they name. `case.json` is written last, so that what is killed on the way is cut
    again. Raises `CaseError` where the liver is to be measured and the case holds no image.
    """
    with alone(case.path), guarded(case.path):
        there = read_case(case.path)
        lesions = there.voxels()
        predicted = _predicted(there, lesions, methods, liver_mm)
        write_text(case.path / "lesions.csv", lesions_csv(predicted))
        with aside(case.path / "mip.png") as part:
            write_picture(part, there.mip(), lesions, predicted)
        return _write(there, predicted)


def _predicted(
    case: Case, lesions: Lesions, methods: Sequence[Method], liver_mm: Sphere | None
) -> CaseRecord:
    """The record of the prediction, before any review, with the further methods."""
    record, last = case.record, case.record.provenance.last_id
    asked = any("liver" in m.needs for m in methods)
    liver = record.provenance.liver_threshold_suv
    if asked and liver is None:
        liver = _liver(case, liver_mm)
    cuts = Cuts.of_record(record, lesions)
    new = with_values(cuts, methods=tuple(methods), liver=liver)
    status = predicted_status(record)
    rows = tuple(
        replace(row, methods={**row.methods, **more}, status=status[row.id], decided_by=None)
        for row, more in zip(
            (r.predicted_row for r in record.lesions if r.id <= last),
            cut_rows(new),
            strict=True,
        )
    )
    counted = [k for k, row in enumerate(rows) if row.status == Status.ACCEPTED]
    sums = {**record.predicted_totals, **new.totals(counted)}
    told = record.provenance
    made = told.made_with
    if made is not UNSET and asked:
        made = {**made, "liver_mm": made.get("liver_mm") or liver_mm}
    return replace(
        record,
        lesions=rows,
        totals=sums,
        predicted_totals=sums,
        warnings=standing(record.warnings, record.model, rows, signed=False),
        provenance=replace(
            told,
            methods=(*told.methods, *(m.key for m in methods)),
            liver_threshold_suv=liver,
            made_with=made,
        ),
    )


def _liver(case: Case, centre_mm: Sphere | None) -> float:
    image = case.image()
    if image is None or centre_mm is None:
        raise CaseError(
            f"{case.path} was made without the liver, and holds no image to measure it in",
            "Give --liver-sphere and --fresh.",
        )
    return liver_threshold(image.volume(), centre_mm)


def _write(case: Case, predicted: CaseRecord) -> Case:
    """`case.json` with the hashes of what changed, and the reading of record on top."""
    raw: Record = {**case.raw, **encode(predicted)}
    raw["review"] = case.raw["review"]
    hashes = dict(raw["provenance"]["files_sha256"])
    hashes |= {name: sha256_of(case.path / name) for name in ("lesions.csv", "mip.png")}
    raw["provenance"]["files_sha256"] = hashes
    hashes["case.json"] = prediction_sha256(raw)
    done = Case(case.path, decode(raw, case.path), raw)
    if journals(case.path):
        done = as_recorded(done)
    dump_json(case.path / "case.json", done.raw)
    return done
