"""One line of a journal: its keys, its hash, and reading one that anybody may have written."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tmtv_engine.errors import CaseError
from tmtv_engine.files import canonical


class Action(StrEnum):
    """What a line of a journal says was done."""

    OPEN = "open"
    ACCEPT = "accept"
    REJECT = "reject"
    SPLIT = "split"
    ADD = "add"
    GROW = "grow"
    ERASE = "erase"
    MERGE = "merge"
    NOTE = "note"
    FLAG = "flag"
    UNFLAG = "unflag"
    UNDO = "undo"
    REDO = "redo"
    SIGN = "sign"
    UNSIGN = "unsign"
    CLOSE = "close"


STEERS = frozenset(
    {Action.OPEN, Action.CLOSE, Action.UNDO, Action.REDO, Action.SIGN, Action.UNSIGN}
)
UNDOABLE = frozenset(Action) - STEERS
VISITS = frozenset({Action.OPEN, Action.CLOSE})
REPAIRS = frozenset({Action.ADD, Action.GROW, Action.ERASE, Action.MERGE})
ACTIONS = frozenset(action.value for action in Action)
BINDING = ("case", "prediction", "parameters")
_BEFORE = "labels_sha256"
_HASH = re.compile(r"[0-9a-f]{64}")
_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_STEERING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
CHANGED = "The journal was changed."


@dataclass(frozen=True)
class Line:
    """One line of a journal, as it stands in the file.

    ``case`` and ``prediction`` are None in a line of before they were written: it has
    ``labels_sha256`` then, the hash of the label map's voxels alone.
    """

    seq: int
    at: str
    reader: str
    host: str
    case: str | None
    prediction: str | None
    action: Action
    lesions: tuple[int, ...]
    target: int | None
    reason: str | None
    text: str | None
    parameters: Mapping[str, Any] | None
    labels_sha256: str | None
    prev: str
    hash: str

    @property
    def time(self) -> datetime:
        """When it was written."""
        return datetime.fromisoformat(self.at.replace("Z", "+00:00"))

    @property
    def bound(self) -> bool:
        """Whether it says which case and prediction it is about."""
        return self.prediction is not None

    def fields(self) -> dict[str, Any]:
        """What stands in the file, by key."""
        absent = (_BEFORE,) if self.bound else BINDING
        return {
            **{k: getattr(self, k) for k in Line.__dataclass_fields__ if k not in absent},
            "lesions": list(self.lesions),
        }


ALL = frozenset(Line.__dataclass_fields__)
KEYS = ALL - {_BEFORE}
OLD_KEYS = ALL - frozenset(BINDING)


def line_hash(fields: Mapping[str, Any]) -> str:
    """SHA-256 of a line's canonical JSON without its ``hash``."""
    return hashlib.sha256(canonical({k: v for k, v in fields.items() if k != "hash"})).hexdigest()


def parse_line(raw: bytes, where: str) -> Line:
    """The line that ``raw`` is, whole and with its hash; raises `CaseError` naming ``where``."""
    try:
        found = json.loads(raw, parse_constant=_refused)
        told = canonical(found) if isinstance(found, dict) else b""
    except (ValueError, RecursionError) as error:
        raise CaseError(f"{where} is no JSON", CHANGED) from error
    if told != raw or set(found) not in (KEYS, OLD_KEYS) or found["hash"] != line_hash(found):
        raise CaseError(f"{where} is not as it was written", CHANGED)
    wrong = _wrong(found)
    if wrong:
        raise CaseError(f"{where}: {wrong} is none that is written", CHANGED)
    told_as = {"lesions": tuple(found["lesions"]), "action": Action(found["action"])}
    line = {**dict.fromkeys(ALL), **found, **told_as}
    return Line(**line)


def _wrong(found: Mapping[str, Any]) -> str | None:
    """The first key whose value no journal of ours has, None where all are right."""
    bound = "prediction" in found
    rules = {
        "seq": _whole(found["seq"]),
        "at": isinstance(found["at"], str) and _is_time(found["at"]),
        "prev": found["prev"] == "" or _is_hash(found["prev"]),
        "action": isinstance(found["action"], str) and found["action"] in ACTIONS,
        "lesions": isinstance(found["lesions"], list) and all(map(_whole, found["lesions"])),
        "target": found["target"] is None or _whole(found["target"]),
        "prediction" if bound else _BEFORE: _is_hash(found["prediction" if bound else _BEFORE]),
        "parameters": isinstance(found.get("parameters"), dict | None),
        **{k: _is_text(found[k]) for k in ("reader", "host")},
        **{k: found[k] is None or _is_text(found[k]) for k in ("reason", "text")},
        "case": not bound or isinstance(found["case"], str),
    }
    return next((key for key, right in rules.items() if not right), None)


def _whole(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    """Text without what steers a terminal; new letters of a newer Unicode are let pass."""
    return isinstance(value, str) and not _STEERING & set(map(unicodedata.category, value))


def _is_time(value: str) -> bool:
    try:
        return _AT.fullmatch(value) is not None and bool(datetime.fromisoformat(value[:19]))
    except ValueError:
        return False


def _refused(word: str) -> None:
    raise ValueError(f"{word} is no number of ours")
