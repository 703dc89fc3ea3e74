"""Tables in and out: the volumes someone has already, and the report's own tables as CSV."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tmtv_engine.errors import UsageError
from tmtv_engine.files import sha256_of
from tmtv_engine.report.cohort import OVERLAPS, Cohort, Excluded, Pair
from tmtv_engine.study import manifest
from tmtv_engine.text import clean

COLUMNS = ("case", "method", "tmtv_ref_ml", "tmtv_ml")
UNKNOWN = {"", "na", "n/a", "nan", "null", "none", "-", "–", "."}
Row = Mapping[str, str]


def read_table(path: Path) -> Cohort:
    """The pairs of ``case,method,tmtv_ref_ml,tmtv_ml[,dice,…][,subtype]``, CSV or TSV.

    A row that cannot be used is left out and says why. Raises `InputError` for a file that is no
    such table, `UsageError` where no row is left.
    """
    table = manifest.read_table(path, COLUMNS)
    rows = [row.cells for row in table.rows if not row.fault]
    told = [*COLUMNS[2:], *OVERLAPS]
    points = any(re.search(r"\d\.\d", row.get(c) or "") for row in rows for c in told)
    pairs: list[Pair] = []
    excluded = faults(table)
    for row in rows:
        pair, why = _pair(row, commas=table.delimiter != "," or not points)
        excluded += [Excluded(row.get("case") or "(no case)", text) for text in why]
        pairs += [pair] if pair else []
    kept, twice = _once(pairs)
    cohort = Cohort(
        tuple(kept), (*excluded, *twice, *missing_pairs(kept)), inputs={path.name: sha256_of(path)}
    )
    if not kept:
        first = f" (first: {cohort.excluded[0].why})" if cohort.excluded else ""
        what = f"{path}: no row of {len(table.rows)} can be used{first}"
        raise UsageError(what, "Correct the table.")
    return cohort


def faults(table: manifest.Table) -> list[Excluded]:
    """The rows of a table that are broken, each with its line."""
    broken = [row for row in table.rows if row.fault]
    return [Excluded(r.get("case") or "(no case)", f"line {r.line}: {r.fault}") for r in broken]


def _pair(row: Row, commas: bool) -> tuple[Pair | None, list[str]]:
    """A row as a pair, or why not; an overlap that cannot be is left out alone."""
    method = method_key(row.get("method", ""))
    if not row.get("case") or not method:
        return None, ["a row without its case or method"]
    volumes: list[float] = []
    for column in COLUMNS[2:]:
        value, why = number(row.get(column, ""), commas)
        if value is None:
            return None, [f"{method}: {column} {why}"]
        if value < 0:
            return None, [f"{method}: {column} is below 0"]
        volumes.append(value)
    overlaps: dict[str, float | None] = {}
    left_out = []
    for column in OVERLAPS:
        value, why = number(row.get(column, ""), commas)
        if value is not None and not 0 <= value <= 1:
            value, why = None, f"{value:g} lies outside 0–1"
        if value is None and why != "is missing":
            left_out.append(f"{method}: {column} {why}; only that value is left out")
        overlaps[column] = value
    subtype = row.get("subtype") or None
    return Pair(row["case"], method, volumes[0], volumes[1], overlaps, subtype), left_out


def number(text: str, commas: bool) -> tuple[float | None, str]:
    """The number of a cell, or None and why; a decimal comma only where ``commas``."""
    text = text.strip()
    if text.lower() in UNKNOWN:
        return None, "is missing"
    if "," in text:
        if not commas or text.count(",") > 1 or "." in text:
            return None, f"{text[:20]!r} could be read in two ways"
        text = text.replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        return None, f"{text[:20]!r} is no number"
    return (value, "") if math.isfinite(value) else (None, "is not finite")


def method_key(text: str) -> str:
    """A method as `case.json` keys it (``4`` → ``4.0``, ``41%`` → ``41``), or the text itself."""
    from tmtv_engine.lesion.methods import parse_method

    plain = re.sub(r"^([1-9][0-9])(\.0+)?\s*%?$", r"\1", text.strip().replace(",", "."))
    try:
        return parse_method(plain).key
    except UsageError:
        return clean(text, 40)


def _once(pairs: Sequence[Pair]) -> tuple[list[Pair], list[Excluded]]:
    """Each case once a method: the same row again is dropped, rows that differ all are."""
    by_key: dict[tuple[str, str], list[Pair]] = {}
    for pair in pairs:
        by_key.setdefault((pair.case, pair.method), []).append(pair)
    kept, excluded = [], []
    for (case, method), own in by_key.items():
        if all(p == own[0] for p in own):
            kept.append(own[0])
            why = f"{method}: the same row {len(own)} times; taken once"
        else:
            why = f"{method}: {len(own)} rows that differ; none is taken"
        excluded += [Excluded(case, why)] if len(own) > 1 else []
    return kept, excluded


def missing_pairs(pairs: Sequence[Pair]) -> list[Excluded]:
    """The methods under which a case has no pair while other cases do."""
    methods = list(dict.fromkeys(p.method for p in pairs))
    there: dict[str, set[str]] = {}
    for p in pairs:
        there.setdefault(p.case, set()).add(p.method)
    return [
        Excluded(case, f"{method}: no pair of this method")
        for case, own in there.items()
        for method in methods
        if method not in own
    ]


VOLUMES = ("n", "min", "max", "mean", "median", "sd", "q1", "q3")


def tables_of(report: Mapping[str, Any]) -> dict[str, list[list[Any]]]:
    """File name → rows: volumes, overlaps (the paper's Table 2, longer) and agreement."""
    groups = [("all", report["methods"]), *report["subtypes"].items()]
    flat = [(group, key, m) for group, methods in groups for key, m in methods.items()]
    one: list[list[Any]] = [["group", "method", "measurement", *VOLUMES]]
    two: list[list[Any]] = [["group", "method", "measure", *VOLUMES]]
    three: list[list[Any]] = []
    for group, key, m in flat:
        for name, column in zip(report["names"], ("tmtv_ref_ml", "tmtv_ml"), strict=True):
            one.append([group, key, name, *(m[column][v] for v in VOLUMES)])
        for measure in OVERLAPS:
            two.append([group, key, measure, *(m[measure][v] for v in VOLUMES)])
        told = dict(_flat(m))
        if not three:
            three.append(["group", "method", *told])
        three.append([group, key, *told.values()])
    found = {"table1.csv": one, "table2.csv": two, "table3.csv": three}
    rest: list[list[Any]] = [["comparison", "measure", *VOLUMES]]
    for key, raw in report["raw"].items():
        for measure in OVERLAPS:
            rest.append([f"uncut against {key}", measure, *(raw[measure][v] for v in VOLUMES)])
    return {**found, "table4.csv": rest} if len(rest) > 1 else found


def _flat(m: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    skipped = {*OVERLAPS, "tmtv_ref_ml", "tmtv_ml"}
    for key, value in m.items():
        if key in skipped:
            continue
        yield from _spread(key, value)


def _spread(key: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for inner, deeper in value.items():
            yield from _spread(f"{key}_{inner}", deeper)
    elif key.endswith("ci"):
        low, high = value or (None, None)
        yield from ((f"{key}_low", low), (f"{key}_high", high))
    else:
        yield key, value


def patients_of(cohort: Cohort) -> list[list[Any]]:
    """One row a patient and method, in the form that `read_table` reads."""
    rows: list[list[Any]] = [[*COLUMNS, *OVERLAPS, "subtype"]]
    for p in cohort.pairs:
        values = [p.overlaps.get(key) for key in OVERLAPS]
        rows.append([p.case, p.method, p.reference_ml, p.predicted_ml, *values, p.subtype])
    return rows
