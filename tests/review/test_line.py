"""One line of a journal: every value that none of ours has is refused by its key, edges are taken.

Each line here has the right hash: whoever wrote it knew how, and is believed no further.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tmtv_engine.errors import CaseError
from tmtv_engine.review.line import Action, Line, parse_line

HASH = "0123456789abcdef" * 4
BOUND: dict[str, Any] = {
    "seq": 3, "at": "2024-03-15T08:15:00.123456Z", "reader": "AB", "host": "pc", "case": "case-1",
    "prediction": HASH, "action": "accept", "lesions": [1, 2], "target": None, "reason": None,
    "text": None, "parameters": None, "prev": HASH,
}  # fmt: skip
BEFORE = {k: v for k, v in BOUND.items() if k not in ("case", "prediction", "parameters")}
BEFORE["labels_sha256"] = HASH


def raw(fields: dict[str, Any]) -> bytes:
    """A line as any program with SHA-256 and JSON would write it."""
    sealed = {**fields, "hash": hashlib.sha256(_canonical(fields)).hexdigest()}
    return _canonical(sealed)


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read(**changed: Any) -> Line:
    return parse_line(raw({**BOUND, **changed}), "line 4")


def test_a_line_is_read_as_it_stands() -> None:
    line = read()
    assert (line.seq, line.at, line.action, line.lesions) == (3, BOUND["at"], Action.ACCEPT, (1, 2))
    assert (line.case, line.prediction, line.prev, line.bound) == ("case-1", HASH, HASH, True)
    assert line.time.isoformat() == "2024-03-15T08:15:00.123456+00:00"
    assert raw({k: v for k, v in line.fields().items() if k != "hash"}) == raw(BOUND)


def test_a_line_of_before_is_read_as_it_stands() -> None:
    line = parse_line(raw(BEFORE), "line 4")
    assert (line.case, line.prediction, line.parameters) == (None, None, None)
    assert (line.labels_sha256, line.bound) == (HASH, False)
    assert set(line.fields()) == {*BEFORE, "hash"}
    for wrong in (None, "", HASH[:63], HASH.upper()):
        with pytest.raises(CaseError, match="line 4: labels_sha256 is none that is written"):
            parse_line(raw({**BEFORE, "labels_sha256": wrong}), "line 4")


WRONG: dict[str, tuple[Any, ...]] = {
    "seq": (-1, 2**31, 1.0, True, "1", None),
    "at": (
        *(5, None, "", "2024-03-15T08:15:00", "2024-03-15 08:15:00Z", "2024-13-15T08:15:00Z"),
        *("2024-03-15T24:15:00Z", "2024-03-15T08:15:00.1234567Z", "2024-03-15T08:15:00.Z"),
    ),
    "prev": (None, HASH[:63], HASH.upper(), HASH + "0", 5),
    "action": ("accepted", "", 5, None, ["accept"]),
    "lesions": (None, 5, "1", [-1], [1, -1], [-1, 1], [True], ["1"], [1.0], [2**31], {"1": 1}),
    "target": (-1, 2**31, "1", True, 1.0, []),
    "prediction": (None, "", HASH[:63], HASH.upper(), 5),
    "parameters": ([], "a", 5, True),
    "reader": (None, 5, "A\x1b[31mB", "A\nB", "A\u202eB", "A\u2028B", "A\u2029B", "A\x7f"),
    "host": (None, 5, "pc\x00"),
    "reason": (5, [], "heart\t", "\u200b"),
    "text": (5, {}, "a\rb"),
    "case": (None, 5, []),
}


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, all_ in WRONG.items() for v in all_])
def test_a_value_that_none_of_ours_has_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(CaseError, match=f"^line 4: {key} is none that is written") as caught:
        read(**{key: value})
    assert caught.value.remedy == "The journal was changed."


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seq", 0), ("seq", 2**31 - 1), ("at", "2024-02-29T23:59:59Z"),
        ("at", "2024-03-15T08:15:00.1Z"), ("prev", ""), ("lesions", []),
        ("lesions", [0, 2**31 - 1]), ("target", 0), ("target", 2**31 - 1), ("parameters", {}),
        ("reader", ""), ("reason", "Herz, groß 心"), ("text", ""), ("case", ""),
    ],
)  # fmt: skip
def test_what_lies_at_the_edge_is_taken(key: str, value: Any) -> None:
    found = getattr(read(**{key: value}), key)
    assert found == (tuple(value) if key == "lesions" else value)


@pytest.mark.parametrize("action", list(Action))
def test_every_action_is_read_back(action: Action) -> None:
    assert read(action=action.value).action is action


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (raw({**BOUND, "parameters": {"x": float("nan")}}), "is no JSON"),
        (b"[]", "is not as it was written"),
        (b"5", "is not as it was written"),
        (raw({**BOUND, "more": 1}), "is not as it was written"),
        (raw({k: v for k, v in BOUND.items() if k != "host"}), "is not as it was written"),
        (raw({**BOUND, "labels_sha256": HASH}), "is not as it was written"),
        (raw(BOUND).replace(b'"pc"', b'"PC"'), "is not as it was written"),
        (raw(BOUND).replace(b",", b", ", 1), "is not as it was written"),
        (raw(BOUND)[:-1] + b',"seq":3}', "is not as it was written"),
    ],
)
def test_what_is_no_line_is_told_with_its_place(text: bytes, told: str) -> None:
    with pytest.raises(CaseError, match=f"^line 4 {told}"):
        parse_line(text, "line 4")
