"""The report's folder: numbers, tables, figures and the page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tmtv_engine.files import dump_json, make_folder, write_bytes, write_text
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
    """Write ``report.json`` and each text, and image, every one whole or not at all."""
    make_folder(out)
    dump_json(out / "report.json", dict(report))
    for name, text in texts.items():
        write_text(out / name, text)
    for name, image in images.items():
        write_bytes(out / name, image)
    return [out / name for name in ("report.json", *texts, *images)]
