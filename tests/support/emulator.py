"""A terminal in a few lines: positions and letters; colours as they were said."""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from unicodedata import category

TOKEN = re.compile(
    r"\x1b\[(?P<at>[\d;]*)H|\x1b\[(?P<pen>[\d;]*)m"
    r"|\x1b\[(?P<on>\d*)C"
    r"|\x1b\[[?>=<]?[\d;:]*[ -/]*[@-~]|\x1b[PX^_\]].*?(?:\x1b\\|\x07)"
    r"|\x1b[ -/]+[0-~]|\x1b[^ -/\[PX^_\]]"
    r"|(?P<letter>[^\x1b])",
    re.DOTALL,
)


class Emulator:
    """Knows the sequences that the app sends, and skips those that draw nothing."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, str]] = {}
        self.at, self.pen = (0, 0), "0"
        self._held = ""
        self._decode = getincrementaldecoder("utf-8")().decode

    def feed(self, raw: str | bytes) -> None:
        """Take output in, in pieces of any size."""
        text = self._held + (raw if isinstance(raw, str) else self._decode(raw))
        end = 0
        for found in TOKEN.finditer(text):
            if found.start() != end:  # a sequence that is not whole yet
                break
            end = found.end()
            self._take(found)
        self._held = text[end:]

    def _take(self, found: re.Match[str]) -> None:
        if found["at"] is not None:
            row, col = (int(n) for n in (found["at"] or "1;1").split(";"))
            self.at = row - 1, col - 1
        elif found["pen"] is not None:
            fresh = found["pen"].split(";")[0] in ("0", "")
            self.pen = found["pen"] if fresh else f"{self.pen};{found['pen']}"
        elif found["on"] is not None:
            self.at = self.at[0], self.at[1] + int(found["on"] or 1)
        elif found["letter"]:
            self._put(found["letter"])

    def _put(self, letter: str) -> None:
        line, column = self.at
        if letter in "\r\n\b":
            moved = {"\r": (line, 0), "\n": (line + 1, column), "\b": (line, column - 1)}
            self.at = moved[letter]
        elif category(letter) == "Mn":
            text, pen = self.cells.get((line, column - 1), ("", ""))
            self.cells[line, column - 1] = text + letter, pen
        elif category(letter) not in ("Cc", "Cf"):
            self.cells[self.at] = (letter, self.pen)
            self.at = line, column + 1

    def text(self, cols: int, rows: int) -> str:
        """What is on the screen, line by line."""
        return "\n".join(
            "".join(self.cells.get((y, x), (" ", ""))[0] for x in range(cols)) for y in range(rows)
        )
