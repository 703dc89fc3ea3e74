"""Whether a case folder is still what was written: files, prediction, review, journals, inputs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import UNSET

from tmtv_engine.case.folder import Case, find_cases, prediction_sha256, read_case, with_review
from tmtv_engine.errors import CaseError, TmtvError
from tmtv_engine.files import jsonable, open_own
from tmtv_engine.review.bound import bound_of
from tmtv_engine.review.chains import chains
from tmtv_engine.review.findings import Finding, equal
from tmtv_engine.review.journal import Journal, journals
from tmtv_engine.review.reading import Replayer
from tmtv_engine.review.session import review_sha256, reviewed_record
from tmtv_engine.study.inputs import inputs_sha256
from tmtv_engine.text import clean

FOREIGN = ("/proc", "/sys", "/dev")
MUST = ("lesions.nii.gz", "voxels.npz")


def verify(folder: Path, allowed: Path | None = None) -> list[Finding]:
    """Check one case folder; never raises for what is wrong in it.

    ``allowed``: an allowed-signers file of OpenSSH, by which SSH signatures are checked.
    """
    try:
        case = read_case(folder)
        parts = (_name, _files, _prediction, partial(chains, allowed=allowed), _review, _inputs)
        return [finding for part in parts for finding in _safely(part, case)]
    except Exception as error:
        return [Finding("case.json", "changed", _told(error))]


def verify_all(out: Path, allowed: Path | None = None) -> Iterator[tuple[Path, list[Finding]]]:
    """Every case of a folder, those too that lack a `case.json`, with what was found."""
    folders = find_cases(out)
    homes: dict[str, list[str]] = {}
    for folder in folders:
        with contextlib.suppress(TmtvError):
            homes.setdefault(read_case(folder).name, []).append(folder.name)
    for folder in folders:
        found = verify(folder, allowed)
        for name in (name for name, where in homes.items() if folder.name in where):
            if name != folder.name and name in homes[name]:
                found.append(Finding("folder", "changed", f"it holds a copy of the case {name}"))
        yield folder, found
    for folder in _headless(out, folders):
        yield folder, [Finding("case.json", "missing", "the rest of a case is here")]


def _headless(out: Path, folders: list[Path]) -> list[Path]:
    if out in folders or not out.is_dir():
        return []
    rest = [p for p in sorted(out.iterdir()) if p.is_dir() and p not in folders]
    rest = [p for p in rest if not p.name.startswith(".") and p.name not in ("aside", "runs")]
    return [p for p in rest if any(os.path.lexists(p / name) for name in (*MUST, "review"))]


def _safely(part: Callable[[Case], Iterable[Finding]], case: Case) -> Iterator[Finding]:
    """What one part finds; what it stumbles over is a finding too."""
    try:
        yield from part(case)
    except Exception as error:
        yield Finding("case", "changed", _told(error))


def _told(error: Exception) -> str:
    return error.what if isinstance(error, TmtvError) else f"{type(error).__name__}: {error}"


def _name(case: Case) -> Iterator[Finding]:
    """A case is called as its folder, one in ``aside`` with the time after it."""
    folder = case.path.absolute().name
    if folder != case.name and not folder.startswith(f"{case.name}."):
        yield Finding("folder", "unverified", f"it is the case {case.name}, called {clean(folder)}")


def _files(case: Case) -> Iterator[Finding]:
    known = case.record.provenance.files_sha256
    for name in (name for name in MUST if name not in known):
        yield Finding(name, "changed", "case.json does not hash it")
    for name, digest in known.items():
        if name == "case.json":
            continue
        path = case.path / name
        if Path(name).name != name:
            yield Finding(clean(name), "changed", "it does not lie in the case folder")
        elif not os.path.lexists(path):
            yield Finding(name, "missing")
        else:
            try:
                with open_own(path) as stream:
                    same = hashlib.file_digest(stream, "sha256").hexdigest() == digest
                yield Finding(name, "ok" if same else "changed", "" if same else "its hash differs")
            except PermissionError:
                yield Finding(name, "unverified", "it is readable by its owner only")
            except OSError as error:
                yield Finding(name, "changed", error.strerror or "it is no file of the case")


def _prediction(case: Case) -> Iterator[Finding]:
    known = case.record.provenance.files_sha256.get("case.json")
    if prediction_sha256(case.raw) != known:
        yield Finding("case.json", "changed", "the prediction's part does not match its hash")
        return
    text = json.dumps(jsonable(case.raw), indent=1, ensure_ascii=False) + "\n"
    if text.encode() != (case.path / "case.json").read_bytes():
        yield Finding("case.json", "changed", "not laid out as it was written")
        return
    told = case.record.provenance.prediction_sha256
    if told is not UNSET and told != bound_of(case).prediction:
        yield Finding("case.json", "changed", "lesions.nii.gz is another prediction's")
        return
    yield Finding("case.json", "ok", "" if told is not UNSET else "of before 0.2: unbound")


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
        same = equal(_derived(with_review(case, reviewed_record(case, reading))), _derived(record))
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


def _inputs(case: Case) -> Iterator[Finding]:
    """The images that `source.json` names, where they still lie there."""
    known = case.record.provenance.inputs_sha256
    named = case.source().get("inputs", [])
    paths = [Path(str(p)) for p in named] if isinstance(named, list) else []
    if known is None or not paths:
        yield Finding("inputs", "unverified", "no input was hashed")
        return
    where = clean(paths[0].parent, 200)
    if any(str(path.absolute()).startswith(FOREIGN) for path in paths):
        yield Finding("inputs", "changed", f"no image lies in {where}")
    elif not all(path.is_file() for path in paths):
        yield Finding("inputs", "unverified", "they are no longer where they were")
    else:
        same = inputs_sha256(paths) == known
        yield Finding("inputs", "ok" if same else "changed", "" if same else f"in {where}")
