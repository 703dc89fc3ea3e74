"""A cohort measured twice, and every number of ``tmtv.report/1`` that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tmtv_engine import __version__
from tmtv_engine.files import utc_now
from tmtv_engine.report import stats

SCHEMA = "tmtv.report/1"
OVERLAPS = ("dice", "jaccard", "sensitivity", "specificity", "ppv", "npv")
CUTOFF_ML = 220.0
SEED = 20220207
_DRAWN = 1_500_000  # values that one bootstrap draws at most, about

Numbers = dict[str, Any]
Overlaps = Mapping[str, float | None]


@dataclass(frozen=True)
class Pair:
    """One patient under one method: TMTV of the reference and of the prediction, mL.

    ``overlaps``: those of `OVERLAPS` that are known, by voxel.
    """

    case: str
    method: str
    reference_ml: float
    predicted_ml: float
    overlaps: Overlaps = field(default_factory=dict)
    subtype: str | None = None


@dataclass(frozen=True)
class Excluded:
    """What was left out of the numbers, and why."""

    case: str
    why: str


@dataclass(frozen=True)
class Warned:
    """What a patient's reference is warned of, by its ``code`` in docs/warnings.md."""

    case: str
    code: str
    message: str


@dataclass(frozen=True)
class Raw:
    """The uncut prediction of one patient against the reference cut by ``method``."""

    case: str
    method: str
    overlaps: Overlaps
    subtype: str | None = None


@dataclass(frozen=True)
class Found:
    """One patient's lesions: how many there are, and which were found.

    ``scored``: for each lesion that the network proposed its probability and the reference
    lesions that it touches; a false one touches none.
    """

    case: str
    reference: int
    predicted: int
    detected: int
    false: int
    scored: tuple[tuple[float, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Read:
    """What the journal of one patient says of the reading; ``minutes`` None: nobody timed it."""

    case: str
    reader: str
    minutes: float | None
    decisions: int
    changed: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Cohort:
    """Patients measured twice. ``names``: what the first and the second measurement are called;
    ``before``: the pairs before two readers corrected them; ``inputs``: SHA-256 by file;
    ``pictures``: projections by case; ``accepted``: what would else have been refused;
    ``warned``: what the references are warned of."""

    pairs: tuple[Pair, ...]
    excluded: tuple[Excluded, ...] = ()
    raw: tuple[Raw, ...] = ()
    found: tuple[Found, ...] = ()
    read: tuple[Read, ...] = ()
    names: tuple[str, str] = ("reference", "predicted")
    inputs: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, Path] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    before: tuple[Pair, ...] = ()
    accepted: tuple[str, ...] = ()
    warned: tuple[Warned, ...] = ()

    @cached_property
    def cases(self) -> list[str]:
        """The patients, in order."""
        return list(dict.fromkeys(p.case for p in self.pairs))

    @cached_property
    def methods(self) -> list[str]:
        """The methods, in order."""
        return list(dict.fromkeys(p.method for p in self.pairs))

    @cached_property
    def subtypes(self) -> list[str]:
        """The subtypes named, in order."""
        return list(dict.fromkeys(p.subtype for p in self.pairs if p.subtype))


def numbers(
    cohort: Cohort, cutoffs_ml: Sequence[float] = (CUTOFF_ML,), seed: int = SEED
) -> Numbers:
    """The record of ``report.json``: nothing rounded, None where a number cannot be known."""
    cutoffs = tuple(cutoffs_ml)
    reading = reading_numbers(cohort.read)
    if reading is not None:
        reading["before"] = _methods(cohort.before, cohort.methods, cutoffs, seed)
    return {
        "schema": SCHEMA,
        "created": utc_now(),
        "tmtv": __version__,
        "names": list(cohort.names),
        "n": len(cohort.cases),
        "methods": _methods(cohort.pairs, cohort.methods, cutoffs, seed),
        "raw": _raw(cohort.raw),
        "rois": _rois(cohort.found),
        "detection": _detection(cohort.found),
        "reading": reading,
        "subtypes": {
            name: _methods(
                [p for p in cohort.pairs if p.subtype == name], cohort.methods, cutoffs, seed
            )
            for name in cohort.subtypes
        },
        "excluded": [{"case": e.case, "why": e.why} for e in cohort.excluded],
        "warnings": [asdict(w) for w in cohort.warned],
        "models": list(cohort.models),
        "accepted": list(cohort.accepted),
        "inputs_sha256": dict(cohort.inputs),
        "bootstrap": {
            "seed": seed,
            "resamples": resamples_of(len(cohort.cases)),
            "interval": "95 % percentile",
        },
    }


def _methods(
    pairs: Sequence[Pair], methods: Iterable[str], cutoffs: Sequence[float], seed: int
) -> Numbers:
    by_method = {key: [p for p in pairs if p.method == key] for key in methods}
    return {key: compare(own, cutoffs, seed) for key, own in by_method.items() if own}


def compare(pairs: Sequence[Pair], cutoffs_ml: Sequence[float], seed: int = SEED) -> Numbers:
    """All numbers of one method; the difference is predicted minus reference."""
    first = np.array([p.reference_ml for p in pairs], np.float64)
    second = np.array([p.predicted_ml for p in pairs], np.float64)
    known = stats.known(p.overlaps.get("dice") for p in pairs)
    dice = stats.describe(known)
    return {
        "n": len(pairs),
        "both_empty": int(np.count_nonzero((first == 0) & (second == 0))),
        **{key: stats.describe([p.overlaps.get(key) for p in pairs]) for key in OVERLAPS},
        "dice": {**dice, "median_ci": _median_interval([known], np.median, seed)},
        "tmtv_ref_ml": stats.describe(first),
        "tmtv_ml": stats.describe(second),
        "t_test": stats.paired_t(first, second),
        "wilcoxon": stats.wilcoxon(first, second),
        "spearman": stats.spearman(first, second),
        "pearson": stats.pearson(first, second),
        "line": stats.fitted_line(first, second),
        "ccc": stats.ccc(first, second),
        "icc": stats.icc(np.stack([first, second], axis=1)),
        "bland_altman": stats.bland_altman(first, second),
        "log_limits": stats.log_limits(first, second),
        "median_difference_ml": float(np.median(second) - np.median(first)),
        "median_difference_ci": _median_interval(
            [first, second], stats.difference_of_medians, seed
        ),
        "within_10": stats.within(first, second),
        "kappa": {_plain(c): stats.kappa(first, second, c) for c in cutoffs_ml},
    }


def _median_interval(columns: Sequence[stats.Row], statistic: Any, seed: int) -> stats.Interval:
    return stats.bootstrap(columns, statistic, seed, resamples_of(len(columns[0])))


def resamples_of(n: int) -> int:
    """How often a column of ``n`` is resampled: fewer times where there is more of it."""
    return min(stats.RESAMPLES, max(400, _DRAWN // max(n, 1)))


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _raw(rows: Sequence[Raw]) -> Numbers:
    return {
        method: {
            key: stats.describe([r.overlaps.get(key) for r in rows if r.method == method])
            for key in OVERLAPS
        }
        for method in dict.fromkeys(r.method for r in rows)
    }


def _rois(found: Sequence[Found]) -> Numbers | None:
    if not found:
        return None
    return {
        "reference": stats.describe([f.reference for f in found]),
        "predicted": stats.describe([f.predicted for f in found]),
    }


def _detection(found: Sequence[Found]) -> Numbers | None:
    """Lesion by lesion over the cohort; one that shares a voxel with the other side is a hit."""
    if not found:
        return None
    there = sum(f.reference for f in found)
    detected, false = sum(f.detected for f in found), sum(f.false for f in found)
    return {
        "patients": len(found),
        "reference_lesions": there,
        "predicted_lesions": sum(f.predicted for f in found),
        "detected": detected,
        "false": false,
        "sensitivity": detected / there if there else None,
        "false_per_patient": false / len(found),
        "froc": froc(found),
    }


def froc(found: Sequence[Found], points: int = 200) -> list[Numbers]:
    """Free-response points: sensitivity and false positives per patient as the least probability
    that a proposed lesion must have falls; empty where no lesion has a probability."""
    there = sum(f.reference for f in found)
    scored = [(p, k, hits) for k, f in enumerate(found) for p, hits in f.scored]
    if not scored or not there:
        return []
    scored.sort(key=lambda s: -s[0])
    seen: set[tuple[int, int]] = set()
    false = 0
    curve: list[Numbers] = []
    for at, (p, k, hits) in enumerate(scored):
        seen.update((k, hit) for hit in hits)
        false += not hits
        if at + 1 < len(scored) and scored[at + 1][0] == p:
            continue
        sensitivity, rate = len(seen) / there, false / len(found)
        curve.append({"probability": p, "sensitivity": sensitivity, "false_per_patient": rate})
    chosen = np.unique(np.linspace(0, len(curve) - 1, min(points, len(curve))).round().astype(int))
    return [curve[k] for k in chosen]


def reading_numbers(read: Sequence[Read]) -> Numbers | None:
    """Minutes, decisions and changes, of all readings together and by reader."""
    if not read:
        return None
    readers = sorted({r.reader for r in read})
    by_reader = {name: _read([r for r in read if r.reader == name]) for name in readers}
    return {**_read(read), "readers": readers, "by_reader": by_reader}


def _read(read: Sequence[Read]) -> Numbers:
    changed: dict[str, int] = {}
    for r in read:
        for key, count in r.changed.items():
            changed[key] = changed.get(key, 0) + count
    return {
        "n": len(read),
        "minutes": stats.describe([r.minutes for r in read]),
        "decisions": stats.describe([r.decisions for r in read]),
        "changed": changed,
    }
