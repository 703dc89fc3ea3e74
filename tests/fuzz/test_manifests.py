"""Bent manifests: each row that is taken is a row that stands there, and none is lost."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import niftis
from tests.fuzz.judge import Tally, bend, judged
from tmtv_engine.study.stock import take_stock
from tmtv_engine.text import safe_name

Chance = random.Random
ODD = ("", "0", "-1", "nan", "1e999", "70,5", "seventy", "=1+1", "a\nb", '"', "é", "\x00", "../x",
       "pet.nii", "x" * 5000, "2020-03-01T09:30:00", "yesterday", ";", "\t",
       "\x1b[31m")  # fmt: skip
COLUMNS = ("case", "pet", "ct", "weight_kg", "injection_time", "centre", "roi", "patient")


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_bent_manifests_lose_no_row(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bend(lambda count: run(count, 1, tmp_path), 1_000, 50, "manifests", record_property)


def run(count: int, seed: int, folder: Path) -> Tally:
    """Bend ``count`` tables that name one PET."""
    (folder / "pet.nii").write_bytes(niftis.pet(False))
    tally, path = Tally(), folder / "manifest.csv"
    for number in range(count):
        chance = random.Random(f"{seed}:{number}")
        data, told = bent(chance)
        path.write_bytes(data)
        judged(tally, f"{told} [seed {seed}:{number}]", lambda: _judge(path))
    return tally


def bent(chance: Chance) -> tuple[bytes, str]:
    """A table of some rows, cells of it odd, written in some way, at times with spoilt bytes."""
    header = ["case", "pet", *chance.sample(COLUMNS[2:], 3)]
    usual = {"pet": "pet.nii", "weight_kg": "70", "injection_time": "2020-03-01T09:30:00"}
    rows = [[f"p{k}" if n == "case" else usual.get(n, "") for n in header] for k in range(4)]
    told = []
    for _ in range(chance.randrange(4)):
        row, at = chance.choice([header, *rows]), chance.randrange(len(header))
        how = chance.choice(("odd", "odd", "short", "long", "case"))
        told.append(how)
        if how == "odd":
            row[at % len(row)] = chance.choice(ODD)
        elif how == "short":
            del row[-1:]
        elif how == "long":
            row.append(chance.choice(ODD))
        else:
            row[:] = [cell.upper() for cell in row]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=chance.choice(",;\t"), lineterminator="\r\n")
    writer.writerows([header, *rows])
    code = chance.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-16-le"))
    data = bytearray(text.getvalue().encode(code, "replace"))
    if chance.random() < 0.3 and data:
        data[chance.randrange(len(data))] = chance.randrange(256)
        told.append("rot")
    return bytes(data), f"{code} {' '.join(told)}"


def _judge(path: Path) -> str:
    stock = take_stock([path])
    rows = _rows(path.read_bytes())
    if not stock.studies:
        return "refused" if stock.failures or stock.leftovers else "SILENT: passed over"
    for study in stock.studies:
        weight = study.overrides.weight_kg if study.overrides else None
        if not any(_is(row, study.case, weight) for row in rows or []):
            return f"SILENT: no row is {study.case!r} of {weight} kg"
    found = len(stock.studies) + len(stock.failures)
    if rows is not None and found < len(rows):
        return f"SILENT: {found} of {len(rows)} rows"
    return "warned" if stock.failures else "right"


def _is(row: dict[str, str], case: str, weight: float | None) -> bool:
    told = row.get("weight_kg", "").strip()
    try:
        stated = float(told.replace(",", ".")) if told else None
    except ValueError:
        return False
    printed = "".join(c for c in row.get("case", "") if c.isprintable()).strip()
    named = safe_name(printed) == case
    return named and row.get("pet", "").strip() == "pet.nii" and stated == weight


def _rows(data: bytes) -> list[dict[str, str]] | None:
    """The rows as the csv module reads them; None where that cannot."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        head = text.split("\n")[0]
        comma = max("\t;,", key=head.count)
        lines = [r for r in csv.reader(io.StringIO(text, newline=""), delimiter=comma) if any(r)]
    except (UnicodeDecodeError, csv.Error):
        return None
    names = [name.strip().lower() for name in lines[0]]
    return [dict(zip(names, line, strict=False)) for line in lines[1:]]
