"""No answer of a terminal becomes a key, whole or in pieces, early or late; keys stay keys."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

from tmtv_tui.terminal.replies import ESCAPE_S, REST_S, Escape, Replies, Token

REPLIES = {
    "DA1": "\x1b[?62;1;2;4;6;9;15;22;29c",
    "DA2": "\x1b[>41;390;0c",
    "DA3": "\x1bP!|7E7E5445\x1b\\",
    "DSR": "\x1b[0n",
    "CPR": "\x1b[24;80R",
    "DECXCPR": "\x1b[?24;80;1R",
    "XTVERSION": "\x1bP>|XTerm(390) aaaxxxuX\x1b\\",
    "XTGETTCAP": "\x1bP1+r544e=787465726d2d323536\x1b\\",
    "DECRQSS": "\x1bP1$r0;1m\x1b\\",
    "OSC 10, BEL": "\x1b]10;rgb:aaaa/aaaa/aaaa\x07",
    "OSC 11, ST": "\x1b]11;rgb:0a0a/1b1b/xaxa\x1b\\",
    "OSC 4": "\x1b]4;1;rgb:ffff/aaaa/0000\x07",
    "OSC 52": "\x1b]52;c;YWFhYXh4eHV1\x07",
    "title": "\x1b]lax Sign\x1b\\",
    "kitty flags": "\x1b[?25u",
    "kitty graphics": "\x1b_Gi=31;OK aaxX\x1b\\",
    "mode unknown": "\x1b[?1016;2$y",
    "window pixels": "\x1b[4;900;1600t",
    "cell pixels": "\x1b[6;18;9t",
    "8-bit DA1": "\udc9b?62;22c",
    "C1 DCS": "\x90>|aaxx\x9c",
    "sixel geometry": "\x1b[?2;0;1000;1000S",
    "in two": "\x1b[?62;22c\x1b[>1;10;0c\x1b]11;rgb:aaaa/aaaa/aaaa\x1b\\\x1b[0n",
}
KEYS = ["x", "a", "\r", "\t", " ", "é", "S", "\x1b[A", "\x1b[1;5C", "\x1b[5~", "\x1bOP", "\x1bOA"]
KEYS += ["\x1b[120;1;120u", "\x1b[97u", "\x1b[13u", "\x1b[<0;10;12M", "\x1b[I", "\x1b[Z", "\x12"]


def replies() -> Replies:
    return Replies(lambda text: text in ANSI_SEQUENCES_KEYS)


def fed(pieces: list[str], gap_s: float) -> list[Token]:
    found, now, of = [], 100.0, replies()
    for piece in pieces:
        found += of.feed(piece, now)
        steps = max(1, round(gap_s / 0.05))
        for _ in range(steps):
            now += gap_s / steps
            found += of.tick(now)
    return found


def typed(tokens: list[Token]) -> list[Token]:
    """Without what can decide nothing."""
    return [t for t in tokens if t is not Escape.KEY]


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_is_no_key_whole_or_split_anywhere(name: str) -> None:
    reply = REPLIES[name]
    assert fed([reply, "j"], 0.0) == ["j"]
    for gap_s in (0.01, 0.2, 2.0):
        for at in range(1, len(reply)):
            assert typed(fed([reply[:at], reply[at:]], gap_s)) == [], (at, gap_s)
        assert gap_s > 1 or typed(fed(list(reply), gap_s)) == [], gap_s


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*REPLIES.values()]), min_size=1, max_size=4),
    st.data(),
    st.sampled_from([0.0, 0.02, 0.25]),
)
def test_replies_in_any_pieces_then_a_key(
    some: list[str], data: st.DataObject, gap_s: float
) -> None:
    text = "".join(some)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert typed(fed([*pieces, "x"], gap_s)) == ["x"]


@pytest.mark.parametrize("key", KEYS)
def test_keys_stay_keys(key: str) -> None:
    assert fed([key, key], 0.0) == [key, key]
    if len(key) > 1 and not key.startswith("\x1b[<"):
        assert "".join(map(str, typed(fed([key[:2], key[2:], "j"], 0.05)))) == key + "j"


def test_escape_brackets_and_alt_keys() -> None:
    assert fed(["\x1b"], ESCAPE_S + 0.01) == [Escape.KEY]
    assert fed(["\x1b", "x"], 0.2) == [Escape.KEY, "x"]
    assert fed(["\x1b", "[", "x"], 0.5) == [Escape.KEY, "[", "x"]
    assert fed(["[", "]", "P", "O"], 0.0) == ["[", "]", "P", "O"]
    assert fed(["\x1bx", "a"], 0.0) == ["a"]  # Alt decides nothing
    assert fed(["\x1b]", "x"], 0.0) == ["x"]  # Alt-] is no OSC


def test_a_reply_that_never_ends_is_given_up_and_escape_ends_it_at_once() -> None:
    assert typed(fed(["\x1b]11;rgb:aaaa", "a"], REST_S + 1)) == ["a"]
    assert typed(fed(["\x1b]11;rgb:aaaa", "\x1b", "a"], 0.3)) == ["a"]
    assert fed(["\x1b[?62;", *["1;"] * 5000, "c", "a"], 0.0) == ["a"]


def test_a_paste_is_one_token_without_control_characters() -> None:
    pasted = "\x1b[200~a[?62c\x1b]0;x\x07b\n\x1b[201~"
    assert fed([pasted, "a"], 0.0) == ["\x1b[200~a[?62c]0;xb\n\x1b[201~", "a"]


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("\x1b[]PO_^\\?;>$0123456789cRnuyt~ax\x07\x9b\udc9b"), max_size=40))
def test_nothing_raises_and_escape_then_silence_always_recovers(noise: str) -> None:
    of = replies()
    of.feed(noise, 0.0)
    of.tick(REST_S)
    of.tick(2 * REST_S)
    assert of._pasting or of.feed("j", 40.0) == ["j"]
