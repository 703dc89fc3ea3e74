"""What a terminal answers is no key: replies are taken out of the input before it is parsed.

A reply (device attributes, status, cursor position, modes, colours, kitty flags, graphics) may
come seconds late and in pieces; Textual's own parser hands what it cannot place on as keys, and
one key decides here. So this filter hands on whole sequences that are known to be keys, mouse,
focus, paste or resize, drops every other, and waits for the rest of what has begun.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

ESC = "\x1b"
ESCAPE_S = 0.1  # an ESC with nothing behind it for this long is the Escape key
LATE_S = 3.0  # a bracket so soon after an Escape may be the rest of a reply
BRACKET_S = 0.3  # and is held this long
REST_S = 10.0  # silence within a sequence after which its rest is given up
LONGEST = 4096
PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"
STRINGS = {"P": "0123456789>|$+!", "]": "0123456789lLI", "_": "G"}
EIGHT_BIT = {0x90: "P", 0x9B: "[", 0x9D: "]", 0x9E: "^", 0x9F: "_", 0x8F: "O"}
WANTED = re.compile(
    r"\x1b\[(?:"
    r"<\d+;-?\d+;-?\d+[Mm]|M...|"  # mouse
    r"[IO]|20[01]~|"  # focus, paste
    r"48;\d+(?::[^;t]*)?;\d+(?::[^;t]*)?;\d+(?::[^;t]*)?;\d+(?::[^;t]*)?t|"  # resize
    r"\?(?:2026|2048);\d\$y|"  # the two modes that Textual asks for
    r"\d{1,7}(?::\d*)*(?:;[\d:]*){0,2}u|"  # kitty's keys
    r"(?:\d{1,3}(?:;[\d:]*){0,2})?[A-HPQSZ~]"  # cursor and function keys; R is a position
    r")\Z",
    re.DOTALL,
)


class Escape(Enum):
    """The Escape key, told apart from the start of a sequence."""

    KEY = "escape"


Token = str | Escape


class Replies:
    """Feed characters, get what is to be parsed; `tick` when time has passed.

    ``known`` says whether a short sequence (ESC and one letter, SS3) is a key.
    """

    def __init__(self, known: Callable[[str], bool] = lambda _: False) -> None:
        self._known = known
        self._held = ""
        self._since = 0.0
        self._escaped = -LATE_S
        self._late = False  # the held bracket came without its ESC
        self._pasting = False

    @property
    def waits(self) -> bool:
        """Whether silence will decide something."""
        return bool(self._held)

    def feed(self, text: str, now: float) -> list[Token]:
        """Characters that arrived at ``now`` (s); the tokens that are complete by them."""
        found = self.tick(now)
        for character in text:
            code = ord(character)
            if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
                code -= 0xDC00
            if code in EIGHT_BIT and not self._pasting:
                found += self._take(ESC, now)
                character = EIGHT_BIT[code]
            elif 0x80 <= code <= 0x9F or 0xD800 <= ord(character) <= 0xDFFF:
                character = "\x07" if code == 0x9C else ""
            if character:
                found += self._take(character, now)
            self._since = now
        return found

    def tick(self, now: float) -> list[Token]:
        """What silence until ``now`` has decided."""
        waited = now - self._since
        if self._held == ESC and waited >= ESCAPE_S:
            self._held, self._escaped = "", self._since
            return [Escape.KEY]
        if self._late and len(self._held) == 2 and waited >= BRACKET_S:
            held, self._held, self._late = self._held[1:], "", False
            return [held]
        broken_off = len(self._held) > 1 and self._held.endswith(ESC) and waited >= ESCAPE_S
        if broken_off or (self._held and waited >= REST_S):
            self._held, self._late = "", False
            self._escaped = self._since if broken_off else -LATE_S
        return []

    def _take(self, character: str, now: float) -> list[Token]:
        if self._pasting:
            return self._paste(character)
        if not self._held:
            if character == ESC:
                self._held = ESC
                return []
            if character in "[]P_O" and now - self._escaped < LATE_S:
                self._held, self._late = ESC + character, True
                return []
            ends = character == "\\" and now - self._escaped < LATE_S  # the rest of a string's end
            self._escaped = -LATE_S
            return [] if ends else [character]
        kind = self._held[1:2]
        if character == ESC and kind not in STRINGS:
            first = self._held == ESC
            self._held, self._late = ESC, False
            return [Escape.KEY] if first else []
        if not kind:
            return self._second(character)
        if kind in STRINGS or kind == "^":
            return self._string(character)
        return self._sequence(character)

    def _second(self, character: str) -> list[Token]:
        """After ESC: what kind of sequence this is."""
        if character in "[O^" or character in STRINGS:
            self._held += character
            return []
        held, self._held = self._held + character, ""
        return [held] if self._known(held) else []

    def _string(self, character: str) -> list[Token]:
        """DCS, OSC, APC: dropped to their end; what cannot be one was an Alt key and more."""
        kind, before = self._held[1], self._held
        self._held += character
        if len(before) == 2 and kind in STRINGS and character not in STRINGS[kind]:
            late, self._held, self._late = self._late, "", False
            self._held = ESC if character == ESC else ""
            return [*([kind] if late else []), *([] if character == ESC else [character])]
        if character == "\x07" or (before.endswith(ESC) and character == "\\"):
            self._held, self._late = "", False
        elif before.endswith(ESC):  # ESC and something else breaks a string off
            self._held, self._late = ESC, False
            return self._second(character) if character != ESC else [Escape.KEY]
        elif len(self._held) > LONGEST:
            self._held = self._held[:3]
        return []

    def _sequence(self, character: str) -> list[Token]:
        """CSI and SS3: whole, then handed on if known."""
        self._held += character
        held = self._held
        late = self._late
        if held[1] == "O":
            done = character not in "0123456789;"
        else:
            mouse = held.startswith("\x1b[M")
            done = len(held) == 6 if mouse else "@" <= character <= "~" and held != "\x1b[["
            done = done and not (len(held) == 3 and character == "M")
        if not done:
            if len(held) > LONGEST:
                self._held = held[:3]
            return []
        self._held, self._late = "", False
        if held == PASTE_START:
            self._pasting = True
            return []
        if held[1] == "O":
            return [held] if self._known(held) else ([*held[1:]] if late else [])
        return [held] if WANTED.match(held) else []

    def _paste(self, character: str) -> list[Token]:
        self._held += character
        if not self._held.endswith(PASTE_END):
            return []
        text = self._held.removesuffix(PASTE_END)
        self._held, self._pasting = "", False
        return [
            PASTE_START + "".join(c for c in text if c.isprintable() or c in "\n\t") + PASTE_END
        ]


__all__ = ["Escape", "Replies", "Token"]
