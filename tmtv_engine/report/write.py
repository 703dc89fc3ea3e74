"""The report's folder: numbers, tables, figures and the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tmtv_engine.files import dump_json, make_folder, part_folder, sync, write_bytes
from tmtv_engine.report.cohort import Cohort
from tmtv_engine.report.figures import draw
from tmtv_engine.report.page import page
from tmtv_engine.report.tables import patients_of, tables_of
from tmtv_engine.text import csv_text


def write_report(out: Path, cohort: Cohort, report: Mapping[str, Any]) -> list[Path]:
    """Write everything of a comparison into ``out``; returns the files. Raises `UsageError`."""
    texts = {name: csv_text(rows) for name, rows in tables_of(report).items()}
    texts["patients.csv"] = csv_text(patients_of(cohort))
    pictures = draw(cohort, report)
    texts |= {f"{p.name}.svg": p.svg for p in pictures}
    texts["report.html"] = page(cohort, report, pictures)
    return write_files(out, report, texts, {f"{p.name}.png": p.png for p in pictures})


def write_files(
    out: Path,
    report: Mapping[str, Any],
    texts: Mapping[str, str],
    images: Mapping[str, bytes] = MappingProxyType({}),
) -> list[Path]:
    """Write ``report.json`` and each text, and image: all of them or, on a full disk, none."""
    contents = {**{name: text.encode() for name, text in texts.items()}, **images}
    with part_folder(make_folder(out), "report.html") as part:
        for name, data in contents.items():
            write_bytes(part / name, data)
        dump_json(out / "report.json", dict(report))  # the last that can find the disk full
        for name in contents:
            (part / name).replace(out / name)
        sync(out)
    return [out / name for name in ("report.json", *contents)]
