"""One HTML page of a reading for the chart: who, what was measured, by whom it was signed.

Like the report it asks nothing of any server; its policy lets nothing run, and nothing style it but
the file beside the template.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import UNSET

from tmtv_engine import __version__
from tmtv_engine.case.parts import parts_words, unknown_words
from tmtv_engine.case.picture import SUV_WHITE_TO_BLACK, write_print
from tmtv_engine.case.record import CaseRecord, LesionRow
from tmtv_engine.export.job import Job
from tmtv_engine.files import write_text
from tmtv_engine.lesion.methods import parse_method
from tmtv_engine.lesion.origin import Status
from tmtv_engine.review.session import reviewed_record
from tmtv_engine.text import clean

TEMPLATES = Path(__file__).with_name("templates")
RESEARCH = "Research use only. Not a medical device; not for diagnosis or treatment."
LEGEND = (
    "Front (the patient's right on the left) and side (front on the left), white SUV 0, black "
    f"SUV {SUV_WHITE_TO_BLACK:.0f} and more. Red: accepted, with the numbers of the table; blue: "
    "candidates, faint where named physiologic; grey: rejected."
)
TOTALS = ("Method", "TMTV mL", "TLG g", "Lesions", "SUVmax", "SUVpeak", "Dmax mm")


@dataclass(frozen=True)
class Rows:
    """A table under its title, and what is to be known of it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def write_chart(job: Job, path: Path, mode: int) -> None:
    """Write the page of the reviewed state of a case to ``path`` with the file's ``mode``."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    record = reviewed_record(job.case, job.reading)
    style = (TEMPLATES / "page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    text = environment.get_template("page.html").render(
        title=f"Metabolic tumour volume: {record.case}",
        policy=f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{digest}'",
        style=style,
        research=RESEARCH,
        facts=_facts(record),
        state=_state(job, record),
        tables=(_totals(record), _lesions(record)),
        picture=_picture(job, record),
        legend=LEGEND,
        warnings=[f"{w.code}: {clean(w.message, 1000)}" for w in record.warnings],
        hashes=_hashes(job, record),
    )
    write_text(path, text + "\n", mode)


def _facts(record: CaseRecord) -> list[tuple[str, str]]:
    patient, model = record.patient, record.model
    by = f"{model.name}, trained on {model.trained_on}" if model.trained_on else model.name
    told = [
        ("Patient", patient.id),
        ("Study date", _iso(record.study.date)),
        ("Time point", record.study.timepoint),
        ("SUV", record.pet.suv_rule),
        ("Lesions found by", by),
        ("Overrides", ", ".join(f"{k} {v}" for k, v in record.overrides.items())),
        ("Made by", f"tmtv {__version__}"),
    ]
    return [(name, clean(value, 500)) for name, value in told if value]


def _iso(date: str | None) -> str | None:
    """A DICOM date as people write it; what is none stays as it is."""
    plain = date and len(date) == 8 and date.isdecimal()
    return f"{date[:4]}-{date[4:6]}-{date[6:]}" if date and plain else date


def _state(job: Job, record: CaseRecord) -> str:
    reading = job.reading
    if reading.reader is None:
        return "Nobody has read this case: the figures are the prediction's."
    signed = next((x for x in reading.lines if x.hash == reading.signed), None)
    if signed is None:
        return f"Read by {clean(reading.reader)}; not signed ({record.review.status})."
    key = "with an SSH key" if job.signature is not None else "without a key"
    return f"Read and signed by {clean(reading.reader)}, {clean(signed.at)}, {key}."


def _totals(record: CaseRecord) -> Rows:
    rows = []
    for key, t in record.totals.items():
        sums = [_told(t.tmtv_ml, 1), _told(t.tlg_g, 1), str(t.lesions)]
        more = [_told(t.suv_max, 2), _told(t.suv_peak, 2), _told(t.dmax_mm, 0)]
        rows.append([f"{key}: {parse_method(key).words}", *sums, *more])
    told = " ".join(f"{told}." for told in (parts_words(record), unknown_words(record)) if told)
    return Rows("Totals of the accepted lesions", TOTALS, rows, told)


def _lesions(record: CaseRecord) -> Rows:
    keys = list(record.totals)
    header = ["Lesion", "Place", "By", "SUVmax", *(f"{key} mL" for key in keys)]
    rows = [
        [str(row.id), _place(row), clean(row.decided_by or "–"), _told(row.suv_max, 2)]
        + [_told(row.methods[key].volume_ml, 1) for key in keys]
        for row in record.lesions
        if row.status == Status.ACCEPTED
    ]
    return Rows(f"Accepted lesions ({len(rows)})", header, rows)


def _place(row: LesionRow) -> str:
    named = row.structure.name if row.structure else ""
    return clean(", ".join(filter(None, (row.region, named)))) or "–"


def _told(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _picture(job: Job, record: CaseRecord) -> str:
    """The projections as the reading leaves the lesions, inside the page."""
    rows = {row.id: row for row in record.lesions}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "print.png"
        write_print(path, job.case.mip(), job.lesions, [rows[int(i)] for i in job.lesions.ids])
        data = path.read_bytes()
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _hashes(job: Job, record: CaseRecord) -> list[tuple[str, str]]:
    told = record.provenance.prediction_sha256
    found = [
        ("inputs (SHA-256)", record.provenance.inputs_sha256),
        ("model", record.model.sha256),
        ("prediction", None if told is UNSET else told),
        ("last line of the journal", job.reading.head),
        ("signature's line", job.reading.signed),
    ]
    return [(name, value) for name, value in found if value]
