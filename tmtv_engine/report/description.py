"""What one cohort holds when there is nothing to compare it with: volumes, lesions, readings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine import __version__
from tmtv_engine.case.folder import Case, cases_of, read_case
from tmtv_engine.case.guard import guarded
from tmtv_engine.case.parts import EFFECT, masses_in_parts
from tmtv_engine.case.record import CaseRecord
from tmtv_engine.case.tables import SEATS
from tmtv_engine.case.timepoints import Seat, seats, since_first
from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.files import Record, utc_now
from tmtv_engine.lesion.origin import Status
from tmtv_engine.report import stats
from tmtv_engine.report.cohort import Excluded, Numbers, Read, reading_numbers
from tmtv_engine.report.figures import Picture, distribution
from tmtv_engine.report.folders import model_of, read_of
from tmtv_engine.report.html import Column, Sortable, Table, Text, render, section, told
from tmtv_engine.report.page import figure, left_out
from tmtv_engine.report.page import hashes as hashes_of
from tmtv_engine.report.page import reading as reading_of_page
from tmtv_engine.report.sides import read_as
from tmtv_engine.report.write import write_files
from tmtv_engine.text import counted, csv_text

SCHEMA = "tmtv.cohort/1"
VOLUMES = ("n", "min", "q1", "median", "q3", "max", "mean", "sd")
CHANGES = (
    ("tmtv_ml", "change", "tmtv_change_ml", "ΔTMTV mL"),
    ("tmtv_ml", "percent", "tmtv_change_percent", "ΔTMTV %"),
    ("tlg_g", "percent", "tlg_change_percent", "ΔTLG %"),
    ("suv_max", "percent", "suv_max_change_percent", "ΔSUVmax %"),
)
"""Since the patient's first case: measure, what of its change, column of the CSV and the page."""


@dataclass(frozen=True)
class Patient:
    """One case as its folder and its journals tell it; volumes in mL by method."""

    case: str
    state: str
    readers: tuple[str, ...]
    tmtv_ml: Mapping[str, float]
    predicted_ml: Mapping[str, float]
    lesions: int
    candidates: int
    warnings: tuple[str, ...]
    seconds: Mapping[str, float]
    model: str
    digest: str
    read: tuple[Read, ...] = ()
    in_parts: bool = False
    seat: Seat = field(default_factory=lambda: Seat("", ""))
    changes: Mapping[str, Record] = field(default_factory=dict)


def patients_in(
    sources: Sequence[Path], reader: str | None = None
) -> tuple[list[Patient], list[Excluded]]:
    """Every case below ``sources``; one that cannot be read comes back as left out, and why.

    Raises `UsageError` where there is none at all.
    """
    folders = cases_of(sources)
    patients: list[Patient] = []
    records: list[CaseRecord] = []
    excluded: list[Excluded] = []
    for folder in folders:
        try:
            with guarded(folder):
                case = read_case(folder)
                patients.append(_patient(case, reader))
                records.append(case.record)
        except TmtvError as error:
            excluded.append(Excluded(folder.name, error.what))
    placed = seats(records)
    since = since_first(records)
    patients = [replace(p, seat=placed[p.case], changes=since.get(p.case, {})) for p in patients]
    if not patients:
        first = excluded[0].why
        raise UsageError(f"no case can be reported: {first}", "Check the names and folders.")
    return patients, excluded


def _patient(case: Case, reader: str | None) -> Patient:
    record = case.record
    read = read_of(case, read_as(case, reader))
    states = [row.status for row in record.lesions]
    return Patient(
        case.name,
        record.review.status,
        record.review.readers,
        {key: total.tmtv_ml for key, total in record.totals.items()},
        {key: total.tmtv_ml for key, total in record.predicted_totals.items()},
        states.count(Status.ACCEPTED),
        states.count(Status.CANDIDATE),
        tuple(w.code for w in record.warnings),
        record.provenance.seconds,
        model_of(case),
        record.provenance.files_sha256["case.json"],
        read,
        in_parts=bool(masses_in_parts(record.lesions)),
    )


def described(patients: Sequence[Patient], excluded: Sequence[Excluded] = ()) -> Numbers:
    """The record of ``report.json`` (schema `tmtv.cohort/1`), nothing rounded."""
    states = Counter(p.state for p in patients)
    methods = list(dict.fromkeys(key for p in patients for key in p.tmtv_ml))
    stages = list(dict.fromkeys(stage for p in patients for stage in p.seconds))
    return {
        "schema": SCHEMA,
        "created": utc_now(),
        "tmtv": __version__,
        "n": len(patients),
        "patients": len({p.seat.subject for p in patients}),
        "methods": {key: _volumes(patients, key) for key in methods},
        "lesions": stats.describe([p.lesions for p in patients]),
        "candidates": stats.describe([p.candidates for p in patients]),
        "warnings": dict(Counter(code for p in patients for code in p.warnings).most_common()),
        "seconds": {
            stage: stats.describe([p.seconds[stage] for p in patients if stage in p.seconds])
            for stage in stages
        },
        "review": {
            "states": dict(states.most_common()),
            "reviewed_share": states["done"] / len(patients),
        },
        "reading": reading_numbers([r for p in patients for r in p.read]),
        "excluded": [{"case": e.case, "why": e.why} for e in excluded],
        "models": list(dict.fromkeys(p.model for p in patients)),
        "inputs_sha256": {f"{p.case}/case.json": p.digest for p in patients},
    }


def _volumes(patients: Sequence[Patient], key: str) -> Numbers:
    own = [p for p in patients if key in p.tmtv_ml]
    now, before = ([column[key] for column in side] for side in zip(*map(_both, own), strict=True))
    return {
        "tmtv_ml": stats.describe(now),
        "predicted_ml": stats.describe(before),
        "changed": int(np.count_nonzero(np.array(now) != np.array(before))),
    }


def _both(p: Patient) -> tuple[Mapping[str, float], Mapping[str, float]]:
    return p.tmtv_ml, p.predicted_ml


def write_description(
    out: Path, patients: Sequence[Patient], report: Mapping[str, Any]
) -> list[Path]:
    """Write report.json, report.html, patients.csv, table1.csv and the figure into ``out``."""
    columns = {key: [p.tmtv_ml[key] for p in patients if key in p.tmtv_ml] for key in _keys(report)}
    picture = distribution(columns)
    texts = {
        "table1.csv": csv_text(_table1(report)),
        "patients.csv": csv_text(_rows(patients, _keys(report))),
        f"{picture.name}.svg": picture.svg,
        "report.html": _page(patients, report, picture),
    }
    return write_files(out, report, texts, {f"{picture.name}.png": picture.png})


def _keys(report: Mapping[str, Any]) -> list[str]:
    return list(report["methods"])


def _table1(report: Mapping[str, Any]) -> list[list[Any]]:
    rows: list[list[Any]] = [["method", "measurement", *VOLUMES]]
    for key, m in report["methods"].items():
        for name in ("predicted_ml", "tmtv_ml"):
            rows.append([key, name, *(m[name][v] for v in VOLUMES)])
    return rows


def _rows(patients: Sequence[Patient], keys: Sequence[str]) -> list[list[Any]]:
    head = [f"{side}_{key}" for key in keys for side in ("predicted_ml", "tmtv_ml")]
    head += [f"{name}_{key}" for key in _changed(patients, keys) for *_, name, _ in CHANGES]
    rows: list[list[Any]] = [
        ["case", "status", "readers", "lesions", "candidates", *head, "minutes", "warnings", *SEATS]
    ]
    for p in patients:
        volumes = [side.get(key) for key in keys for side in (p.predicted_ml, p.tmtv_ml)]
        volumes += _changes_of(p, _changed(patients, keys))
        minutes = next((r.minutes for r in p.read), None)
        told_of = [p.case, p.state, " ".join(p.readers), p.lesions, p.candidates]
        rows.append([*told_of, *volumes, minutes, " ".join(p.warnings), *astuple(p.seat)])
    return rows


def _changed(patients: Sequence[Patient], keys: Sequence[str]) -> list[str]:
    """The methods by which any patient has a change since the first case."""
    return [key for key in keys if any(key in p.changes for p in patients)]


def _changes_of(one: Patient, keys: Sequence[str]) -> list[float | None]:
    """The cells of `CHANGES` for each method; empty for a patient's first case."""
    return [
        one.changes[key][measure][what] if key in one.changes else None
        for key in keys
        for measure, what, *_ in CHANGES
    ]


def _page(patients: Sequence[Patient], report: Mapping[str, Any], picture: Picture) -> str:
    keys = _keys(report)
    review = report["review"]
    states = ", ".join(f"{n} {state}" for state, n in review["states"].items())
    said = (
        f"{people(report)}, {report['created']}; {states}. Reviewed and signed: "
        f"{100 * review['reviewed_share']:.0f} %."
    )
    cut = sum(p.in_parts for p in patients)
    parted = f"In {counted(cut, 'case')} a mass is cut into parts: {EFFECT}." if cut else ""
    caption = "TMTV of the patients for each method, as it stands now. Scale: log."
    parts = [
        section("", Text(said)),
        section("TMTV (mL)", _volume_table(report), *([Text(parted)] if parted else [])),
        section("", figure(1, picture, caption)),
        section("Lesions per patient", _lesion_table(report)),
        section("Warnings", Table(["Code", "Patients"], list(report["warnings"].items()))),
        section("Reading", *reading_of_page(report["reading"])) if report["reading"] else None,
        section("Seconds per stage", _seconds(report)),
        section("Cases", _patients(patients, keys)),
        left_out(report),
        section("Versions and hashes", *hashes_of(report)),
    ]
    return render("TMTV of a cohort", parts)


def people(report: Mapping[str, Any]) -> str:
    """How many were measured: a case is not a patient."""
    cases, patients = report["n"], report["patients"]
    named = counted(patients, "patient")
    return named if cases == patients else f"{cases} cases of {named}"


def _volume_table(report: Mapping[str, Any]) -> Table:
    rows = [
        [key, name, m[column]["n"], *(told(m[column][v]) for v in VOLUMES[1:])]
        for key, m in report["methods"].items()
        for name, column in (("predicted", "predicted_ml"), ("now", "tmtv_ml"))
    ]
    return Table(["Method", "", *VOLUMES], rows)


def _lesion_table(report: Mapping[str, Any]) -> Table:
    rows = [
        [name, *(told(report[name][v], 0 if v == "n" else 1) for v in VOLUMES)]
        for name in ("lesions", "candidates")
    ]
    return Table(["", *VOLUMES], rows)


def _seconds(report: Mapping[str, Any]) -> Table:
    rows = [
        [stage, m["n"], told(m["median"], 2), told(m["max"], 2)]
        for stage, m in report["seconds"].items()
    ]
    return Table(["Stage", "n", "median", "max"], rows)


def _patients(patients: Sequence[Patient], keys: Sequence[str]) -> Sortable:
    columns = [Column("Case"), Column("Patient's first"), Column("Time point")]
    columns += [Column("Status"), Column("Readers")]
    columns += [Column("Lesions", 0), Column("Candidates", 0)]
    columns += [Column(f"{key} {side} mL", 1) for key in keys for side in ("predicted", "now")]
    changed = _changed(patients, keys)
    columns += [Column(f"{key} {name}", 1) for key in changed for *_, name in CHANGES]
    columns += [Column("Warnings")]
    rows = [
        [p.case, *astuple(p.seat), p.state, " ".join(p.readers), p.lesions, p.candidates]
        + [side.get(key) for key in keys for side in (p.predicted_ml, p.tmtv_ml)]
        + _changes_of(p, changed)
        + [" ".join(p.warnings)]
        for p in patients
    ]
    return Sortable(columns, rows)
