"""The keys of a case, in the order in which help lists them."""

from __future__ import annotations

from functools import partial

from textual.binding import Binding, BindingType

DIGITS = "1234567890"
Hidden = partial(Binding, show=False)

CASE_KEYS: list[BindingType] = [
    Binding("question_mark", "help", "help", key_display="?", id="help"),
    Binding("q", "leave", "back", id="back"),
    Binding("a", "decide('accept')", "accept", id="accept"),
    Binding("x", "decide('reject')", "reject", id="reject"),
    Binding("u", "step('undo')", "undo", id="undo"),
    Binding("ctrl+r", "step('redo')", "redo", id="redo"),
    Binding("p", "split", "split", id="split"),
    Binding("S", "sign", "sign", key_display="S", id="sign"),
    Binding("m", "method", "method", id="method"),
    Binding("i", "slice", "slices", id="slice"),
    Binding("r", "turn(1)", "rotate", id="rotate"),
    Binding("e", "note", "note", id="note"),
    Binding("f", "flag", "flag", id="flag"),
    Hidden("j", "move(1)", "down", id="down"),
    Hidden("k", "move(-1)", "up", id="up"),
    Hidden("tab,n", "next", "next undecided", key_display="Tab n", id="next"),
    Hidden("left_square_bracket", "patient(-1)", "previous case", key_display="[", id="previous"),
    Hidden("right_square_bracket", "patient(1)", "next case", key_display="]", id="following"),
    Hidden("space", "mark", "mark", id="mark"),
    Hidden("v", "range", "mark up to here", id="range"),
    Hidden("X", "many", "reject marked, or by rule", key_display="X", id="many"),
    Hidden("t", "type_reason", "type a reason for the last reject", id="reason"),
    Hidden("M", "type_method", "type a method", key_display="M", id="type_method"),
    Hidden("R", "turn(-1)", "rotate back", key_display="R", id="rotate_back"),
    Hidden("o", "outlines", "others' marks on or off", id="outlines"),
    Hidden("b", "views", "front, side, both; which slices", id="views"),
    Hidden("plus,equals_sign", "zoom(2)", "zoom in", key_display="+", id="zoom_in"),
    Hidden("minus", "zoom(-2)", "zoom out", key_display="-", id="zoom_out"),
    Hidden("comma", "window(-1)", "window: darker", key_display=",", id="darker"),
    Hidden("full_stop", "window(1)", "window: lighter", key_display=".", id="lighter"),
    Hidden("w", "warnings", "warnings", id="warnings"),
    Hidden("c", "compare", "compare with another reader", id="compare"),
    Hidden("l", "log", "decision log", id="log"),
    *[Hidden(d, f"reason({k})") for k, d in enumerate(DIGITS)],
    Hidden("ctrl+l", "redraw", "redraw", id="redraw"),
]
