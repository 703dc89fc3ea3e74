"""Journals as `verify` reads them: the chain, whom and what it is about, signatures, clocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from msgspec import UNSET, to_builtins

from tmtv_engine.case.cuts import Cuts
from tmtv_engine.case.folder import Case
from tmtv_engine.errors import TmtvError, UsageError
from tmtv_engine.files import jsonable, open_own
from tmtv_engine.review.findings import Finding, State, equal
from tmtv_engine.review.journal import JOURNAL_LIMIT, Journal, journals
from tmtv_engine.review.line import Action, Line
from tmtv_engine.review.reading import Replayer
from tmtv_engine.review.session import totals_sha256
from tmtv_engine.review.sign import check, read_signature
from tmtv_engine.text import clean, safe_name

SLACK = timedelta(minutes=1)  # what clocks of two machines may be apart
SIGNINGS = 20  # the last ones of a journal are replayed


def chains(case: Case, allowed: Path | None) -> Iterator[Finding]:
    """Every journal, those too that `case.json` names and that are not there."""
    replayer = Replayer(case)
    there = journals(case.path)
    for path in there:
        yield from _chain(case, replayer, path, allowed)
    review, names = case.record.review, {path.name.removesuffix(".jsonl") for path in there}
    known = set(review.readers) | ({review.of_record} if review.of_record is not UNSET else set())
    for reader in sorted(known - names):
        yield Finding(
            f"review/{clean(reader)}.jsonl", "missing", "case.json names this reader: it is gone"
        )
    for path in sorted((case.path / "review").glob("*.sig")):
        if path.name.removesuffix(".sig") not in names:
            yield Finding(f"review/{clean(path.name)}", "changed", "a signature without a journal")


def _chain(case: Case, replayer: Replayer, path: Path, allowed: Path | None) -> Iterator[Finding]:
    reader, name = path.name.removesuffix(".jsonl"), f"review/{clean(path.name)}"
    if safe_name(reader) != reader:
        yield Finding(name, "changed", "no reader has such a name")
        return
    try:
        journal = Journal(path)
        lines = journal.read()
        replayer.replay(lines, reader)
        bad = _clocks(lines) or _signings(case, replayer, lines) or _cut(case, journal)
        if bad:
            yield Finding(name, "changed", bad)
            return
        unbound = sum(not line.bound for line in lines)
        if unbound:
            told = f"{unbound} lines are unbound: written before lines named case and prediction"
            yield Finding(name, "unverified", told)
        else:
            yield Finding(name, "ok", _tail(path, lines))
        yield from _signature(case.path, reader, lines, allowed)
    except TmtvError as error:
        yield Finding(name, "changed", error.what)
    except Exception as error:  # whatever a line from elsewhere makes the replay stumble over
        yield Finding(name, "changed", f"{type(error).__name__}: {clean(error, 200)}")


def _cut(case: Case, journal: Journal) -> str | None:
    """Whether lines are gone that `case.json` has seen."""
    review = case.record.review
    head = None if review.heads is UNSET else review.heads.get(journal.reader)
    if head and head not in {line.hash for line in journal.lines}:
        return "lines are gone: case.json has seen a later head"
    if not journal.lines and journal.reader in review.readers:
        return "it is empty, and case.json names this reader"
    return None


def _clocks(lines: Sequence[Line]) -> str | None:
    for before, line in pairwise(lines):
        if before.time - line.time > SLACK:
            back = (before.time - line.time).total_seconds()
            return f"line {line.seq} is dated {back:.0f} s before the line above it"
    if lines and lines[-1].time > datetime.now(UTC) + SLACK:
        return f"line {lines[-1].seq} is dated in the future: {lines[-1].at}"
    return None


def _signings(case: Case, replayer: Replayer, lines: Sequence[Line]) -> str | None:
    """The first of the signatures whose totals are not those of the replay at its line."""
    for line in [x for x in lines if x.action == Action.SIGN][-SIGNINGS:]:
        reading = replayer.replay(lines[: line.seq - 1], line.reader)
        told: Any = (line.parameters or {}).get("totals")
        keys = None if told is None else [str(key) for key in told]
        cuts = Cuts.of_record(case.record, reading.lesions, reading.around, keys)
        if told is not None:
            named = [str(key) for key in (line.parameters or {}).get("methods", [])]
            if sorted(told) != sorted(named) or totals_sha256(told) != line.text:
                return f"line {line.seq}: the signature's totals are not those that it hashes"
        found = jsonable(to_builtins(cuts.totals(reading.accepted)))
        same = equal(told, found) if told is not None else totals_sha256(found) == line.text
        if not same:
            return f"line {line.seq}: the signature's totals are not those of the reading"
    return None


def _tail(path: Path, lines: Sequence[Line]) -> str:
    with open_own(path) as stream:
        raw: bytes = stream.read(JOURNAL_LIMIT)
    if raw and not raw.endswith(b"\n"):
        return "a torn last line, which is no decision"
    return "" if lines else "it is empty"


def _signature(
    case: Path, reader: str, lines: Sequence[Line], allowed: Path | None
) -> Iterator[Finding]:
    """As `_signed_by`; where there is no OpenSSH it cannot be told."""
    try:
        yield from _signed_by(case, reader, lines, allowed)
    except UsageError as error:
        yield Finding(f"review/{reader}.sig", "unverified", error.what)


def _signed_by(
    case: Path, reader: str, lines: Sequence[Line], allowed: Path | None
) -> Iterator[Finding]:
    """The SSH signature beside a journal, if there is one, or that a signed reading has none."""
    text, name = read_signature(case, reader), f"review/{reader}.sig"
    signings = [line for line in lines if line.action == Action.SIGN]
    standing = next((x for x in reversed(lines) if x.action in (Action.SIGN, Action.UNSIGN)), None)
    if text is None:
        if standing is not None and standing.action == Action.SIGN and allowed is not None:
            yield Finding(name, "unverified", "the reading is signed without a key")
        return
    for line in reversed(signings[-SIGNINGS:]):
        answer = check(text, line.hash, reader, None, line.time)
        if not answer.good:
            continue
        if allowed is not None:
            answer = check(text, line.hash, reader, allowed, line.time)
            if not answer.good:
                yield Finding(name, "changed", f"not by a key of {reader}: {answer.detail}")
                return
        late = "" if line is standing else f" of line {line.seq}, which no longer stands"
        state: State = "ok" if allowed is not None and not late else "unverified"
        yield Finding(name, state, f"signed by {answer.detail}{late}")
        return
    yield Finding(name, "changed", "it is of no signature in the journal")
