"""What changed on the screen, in few bytes: exact cells, and only the colours that differ.

Textual's own partial update repeats the line from the start of the segment that a change lies in,
for every run of cells, says each segment's style in full, and writes cells that are there already.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.cells import get_character_cell_size
from rich.color import Color, ColorSystem
from rich.console import Console
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from tmtv_tui.review.glyphs import TURNED

Codes = tuple[str, str, str]
Cell = tuple[str, Codes]
PLAIN: Codes = ("", "39", "49")
GAP = 4  # so many cells of one colour are written again sooner than jumped over


class Shown:
    """What the terminal shows: cells by line, as far as they are known."""

    def __init__(self) -> None:
        self._lines: dict[int, list[Cell | None]] = {}

    def forget(self) -> None:
        """The next updates are written in full."""
        self._lines.clear()

    def line(self, y: int, end: int) -> list[Cell | None]:
        """The cells of a line, at least up to ``end``."""
        found = self._lines.setdefault(y, [])
        found += [None] * (end - len(found))
        return found


class Exact(CompositorUpdate):
    """An update of Textual's less what is shown already; what it writes is made out once."""

    _text: str | None = None

    def render_segments(self, console: Console) -> str:
        """For the terminal; "" where it shows all of it."""
        if self._text is None:
            self._text = self._made(console)
        return self._text

    def _made(self, console: Console) -> str:
        raise NotImplementedError


class ExactUpdate(Exact):
    """A partial update of Textual's, less what ``shown`` has already."""

    def __init__(self, update: ChopsUpdate, shown: Shown) -> None:
        self.update, self.shown = update, shown
        self.written: list[tuple[int, int, int]] = []

    def _made(self, console: Console) -> str:
        """Leaves the runs (line, first, last + 1) in ``written``."""
        system = _system(console)
        pen = Pen()
        written = self.written = []
        for y, x1, x2 in self.update.spans:
            there = self.shown.line(y, x2)
            ends, chops = self.update.chop_ends[y], self.update.chops[y]
            for end, (x, strip) in zip(ends, chops.items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                first, last = max(x1, x), min(x2, end)
                cells = list(_cells(strip.crop(first - x, last - x), system))
                for low, high in _changed(cells, there[first:last]):
                    pen.move(y, first + low)
                    pen.write(cells[low:high])
                    written.append((y, first + low, first + high))
                there[first : first + len(cells)] = cells
        return pen.done()


class ExactLayout(Exact):
    """The whole screen: lines that ``shown`` does not know from their first cell, of the others
    what differs."""

    def __init__(self, update: LayoutUpdate, shown: Shown) -> None:
        self.update, self.shown = update, shown
        self.written = None

    def _made(self, console: Console) -> str:
        system = _system(console)
        pen = Pen()
        left = self.update.region.x
        for y, line in enumerate(self.update.strips, self.update.region.y):
            strip = Strip.join(line)
            there = self.shown.line(y, left + strip.cell_length)
            cells = list(_cells(strip, system))
            for low, high in _changed(cells, there[left : left + len(cells)]):
                pen.move(y, left + low)
                pen.write(cells[low:high])
            there[left : left + len(cells)] = cells
        return pen.done()


class Pen:
    """Writes cells; says a colour only where it is another than before."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._codes = PLAIN
        self._at: tuple[int, int] | None = None

    def move(self, y: int, x: int) -> None:
        """To a cell, unless that is where it is."""
        if self._at == (y, x):
            return
        line, column = self._at or (-1, 0)
        on = x - column
        near = line == y and on > 0
        self._parts.append(f"\x1b[{on if on > 1 else ''}C" if near else f"\x1b[{y + 1};{x + 1}H")
        self._at = y, x

    def write(self, cells: Iterable[Cell]) -> None:
        """Cells from here to the right."""
        if self._at is None:
            return
        y, x = self._at
        for text, codes in cells:
            self._parts.append(text if codes is self._codes else self._dip(text, codes))
            x += 1
        self._at = y, x

    def done(self) -> str:
        """All that was written, the colours put back."""
        return "".join(self._parts) + ("" if self._codes == PLAIN else "\x1b[0m")

    def _dip(self, text: str, wanted: Codes) -> str:
        """Take the colours that ``text`` needs; returns what is to be written with them, which may
        be the other half of a block in the colours turned about."""
        pen = self._codes
        plain = wanted if wanted[0] else _free(text, wanted, pen)
        if text in TURNED and (other := _turned(text, wanted)):
            turned = _free(TURNED[text], other, pen)
            less = _said(turned, pen) < _said(plain, pen)
            text, plain = (TURNED[text], turned) if less else (text, plain)
        wanted = plain
        if wanted == pen:
            return text
        if wanted[0] != pen[0]:
            self._parts.append(f"\x1b[{';'.join(c for c in ('0', *wanted) if c)}m")
        else:
            changed = [new for new, old in zip(wanted, pen, strict=True) if new != old]
            self._parts.append(f"\x1b[{';'.join(changed)}m")
        self._codes = wanted
        return text


def _free(text: str, wanted: Codes, pen: Codes) -> Codes:
    """A space has no foreground, a full block no background."""
    if text == " ":
        return wanted[0], pen[1], wanted[2]
    return (wanted[0], wanted[1], pen[2]) if text == "█" else wanted


def _said(wanted: Codes, pen: Codes) -> int:
    """How many letters it takes to change colours; attributes are the same nowhere but here."""
    return sum(len(new) + 1 for new, old in zip(wanted, pen, strict=True) if new != old)


@lru_cache(maxsize=8192)
def _turned(text: str, codes: Codes) -> Codes | None:
    """Foreground for background; None where that cannot be said or, as a space, is no picture's."""
    attributes, fore, back = codes
    if (
        attributes
        or fore[:3] != "38;"
        or back[:3] != "48;"
        or (text == " " and fore[1:] != back[1:])
    ):
        return None
    return "", f"3{back[1:]}", f"4{fore[1:]}"


def _cells(strip: Strip, system: ColorSystem | None) -> Iterable[Cell]:
    """One entry a cell; the second half of a wide character is empty."""
    for text, style, _ in strip:
        codes = PLAIN if style is None else _codes(style, system)
        if text.isascii():
            yield from ((c, codes) for c in text)
            continue
        held = ""
        for c in text:
            wide = get_character_cell_size(c)
            if wide and held:
                yield held, codes
                held = ""
            held += c  # an accent joins the character before it
            if wide > 1:
                yield held, codes
                yield "", codes
                held = ""
        if held:
            yield held, codes


def _changed(new: list[Cell], old: list[Cell | None]) -> Iterable[tuple[int, int]]:
    """Runs (first, last + 1) of cells that differ, with small gaps of one colour between them."""
    first = last = -1
    for k, cell in enumerate(new):
        if cell == old[k] if k < len(old) else False:
            continue
        if first >= 0 and (k - last > GAP or any(c[1] != new[last - 1][1] for c in new[last:k])):
            yield first, last
            first = -1
        if first < 0:
            first = k - 1 if k and not cell[0] else k  # never from within a wide character
        last = k + 1
    if first >= 0:
        yield first, last


def _system(console: Console) -> ColorSystem | None:
    return console._color_system


@lru_cache(maxsize=8192)
def _codes(style: Style, system: ColorSystem | None) -> Codes:
    """Attributes, foreground and background as SGR parameters."""
    if system is None:
        return style.without_color._make_ansi_codes(ColorSystem.STANDARD), "39", "49"
    attributes = style.without_color._make_ansi_codes(system)
    fore = ";".join(_colour(style.color, system, True)) if style.color else "39"
    back = ";".join(_colour(style.bgcolor, system, False)) if style.bgcolor else "49"
    return attributes, fore, back


LEVELS = (0, 95, 135, 175, 215, 255)


def _colour(colour: Color, system: ColorSystem, foreground: bool) -> tuple[str, ...]:
    """A colour that the 256 have exactly is said in eight characters, not fifteen."""
    if system is ColorSystem.TRUECOLOR and colour.triplet is not None:
        number = _number(*colour.triplet)
        if number is not None:
            return ("38" if foreground else "48", "5", str(number))
    return colour.downgrade(system).get_ansi_codes(foreground)


def _number(red: int, green: int, blue: int) -> int | None:
    """The number of a colour among xterm's 256 (greys and cube), None where it is not one."""
    step = (red - 8) // 10
    if red == green == blue == 8 + 10 * step and 0 <= step < 24:
        return 232 + step
    if {red, green, blue} <= set(LEVELS):
        return 16 + 36 * LEVELS.index(red) + 6 * LEVELS.index(green) + LEVELS.index(blue)
    return None
