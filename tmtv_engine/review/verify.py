"""Whether a case folder is still what was written: files, prediction, review, journals, inputs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tmtv_engine.case.folder import Case, prediction_sha256, read_case, with_review
from tmtv_engine.errors import CaseError, TmtvError
from tmtv_engine.files import jsonable, sha256_of
from tmtv_engine.review.journal import Journal, journals
from tmtv_engine.review.reading import Replayer
from tmtv_engine.review.session import review_sha256, reviewed_record

State = Literal["ok", "changed", "missing", "unverified", "behind"]


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: ``changed`` and ``missing`` are failures."""

    what: str
    state: State
    detail: str = ""

    @property
    def failed(self) -> bool:
        """Whether it is not as it was written."""
        return self.state in ("changed", "missing")


def verify(folder: Path) -> list[Finding]:
    """Check one case folder; never raises for what is wrong in it."""
    try:
        case = read_case(folder)
        return [*_files(case), *_prediction(case), *_chains(case), *_review(case), *_inputs(case)]
    except (TmtvError, KeyError, TypeError, ValueError) as error:
        what = error.what if isinstance(error, TmtvError) else f"{type(error).__name__}: {error}"
        return [Finding("case.json", "changed", what)]


def _files(case: Case) -> Iterator[Finding]:
    for name, known in case.record.provenance.files_sha256.items():
        if name == "case.json":
            continue
        path = case.path / name
        if not path.is_file():
            yield Finding(name, "missing")
        else:
            same = sha256_of(path) == known
            yield Finding(name, "ok" if same else "changed", "" if same else "its hash differs")


def _prediction(case: Case) -> Iterator[Finding]:
    known = case.record.provenance.files_sha256.get("case.json")
    if prediction_sha256(case.raw) != known:
        yield Finding("case.json", "changed", "the prediction's part does not match its hash")
        return
    text = json.dumps(jsonable(case.raw), indent=1, ensure_ascii=False) + "\n"
    if text.encode() != (case.path / "case.json").read_bytes():
        yield Finding("case.json", "changed", "not laid out as it was written")
        return
    yield Finding("case.json", "ok")


def _chains(case: Case) -> Iterator[Finding]:
    for path in journals(case.path):
        name = f"review/{path.name}"
        try:
            lines = Journal(path).read()
            Replayer(case).replay(lines, path.name.removesuffix(".jsonl"))
        except TmtvError as error:
            yield Finding(name, "changed", error.what)
            continue
        torn = not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
        yield Finding(name, "ok", "a torn last line, which is no decision" if torn else "")


def _review(case: Case) -> Iterator[Finding]:
    """The review part against the replay of the journal up to the line that it was taken at."""
    record, what = case.raw, "case.json (review)"
    review = record["review"]
    if review["head"] is None:
        same = record["totals"] == record["predicted_totals"] and review["status"] == "todo"
        waiting = any(Journal(path).read() for path in journals(case.path)) if same else False
        yield Finding(what, "behind" if waiting else "ok" if same else "changed")
        return
    if review.get("sha256") != review_sha256(record):
        yield Finding(what, "changed", "the review part does not match its hash")
        return
    try:
        journal = Journal(case.path / "review" / f"{review['of_record']}.jsonl")
        hashes = [line.hash for line in journal.read()]
        if review["head"] not in hashes:
            yield Finding(what, "changed", "its head is in no journal: a chain was cut")
            return
        upto = hashes.index(review["head"]) + 1
        reading = Replayer(case).replay(journal.lines[:upto], journal.reader)
        same = _equal(_derived(with_review(case, reviewed_record(case, reading))), _derived(record))
    except CaseError as error:
        yield Finding(what, "changed", error.what)
        return
    if not same:
        yield Finding(what, "changed", "it is not what the journal replays to")
    else:
        late = len(hashes) - upto
        yield Finding(what, "behind" if late else "ok", f"{late} lines later" if late else "")


def _derived(record: dict[str, Any]) -> dict[str, Any]:
    review = {k: v for k, v in record["review"].items() if k not in ("sha256", "readers", "heads")}
    return {k: record[k] for k in ("lesions", "totals", "warnings")} | {"review": review}


def _equal(a: Any, b: Any) -> bool:
    """Equal, sums over many voxels up to what another machine's order of adding makes of them."""
    if isinstance(a, dict) and isinstance(b, dict):
        return all(_equal(a.get(k), b.get(k)) for k in a.keys() | b.keys())  # null is as absent
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return bool(a == b)


def _inputs(case: Case) -> Iterator[Finding]:
    known = case.record.provenance.inputs_sha256
    paths = [Path(p) for p in case.source().get("inputs", [])]
    if known is None or not paths:
        yield Finding("inputs", "unverified", "no input was hashed")
        return
    if not all(path.is_file() for path in paths):
        yield Finding("inputs", "unverified", "they are no longer where they were")
        return
    from tmtv_engine.files import inputs_sha256

    same = inputs_sha256(paths) == known
    yield Finding("inputs", "ok" if same else "changed", "" if same else "their hash differs")
