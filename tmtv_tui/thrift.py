"""What changed on the screen, in few bytes: exact cells, and only the colours that differ.

Textual's own partial update repeats the line from the start of the segment that a change lies in,
for every run of cells, and says each segment's style in full.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby

from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate

Codes = tuple[str, str, str]
PLAIN: Codes = ("", "39", "49")


class ExactUpdate(ChopsUpdate):
    """The same cells as the update that it is made of."""

    @classmethod
    def of(cls, update: ChopsUpdate) -> ExactUpdate:
        """From Textual's."""
        return cls(update.chops, update.spans, update.chop_ends)

    def render_segments(self, console: Console) -> str:
        """For the terminal."""
        system = _system(console)
        parts: list[str] = []
        pen = PLAIN
        for y, x1, x2 in self.spans:
            at = None  # where the terminal's cursor is
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                first, last = max(x1, x), min(x2, end)
                if at != first:
                    parts.append(f"\x1b[{y + 1};{first + 1}H")
                cells = strip.crop(first - x, last - x)
                pen = _draw(list(cells), pen, system, parts)
                at = first + cells.cell_length
        return "".join(parts) + ("" if pen == PLAIN else "\x1b[0m")


def _draw(
    segments: list[Segment], pen: Codes, system: ColorSystem | None, parts: list[str]
) -> Codes:
    for style, some in groupby(segments, key=lambda s: s.style):
        text = "".join(s.text for s in some)
        wanted = PLAIN if style is None else _codes(style, system)
        if text.isspace() and not wanted[0]:
            wanted = ("", pen[1], wanted[2])  # a space has no foreground
        if wanted[0] != pen[0]:
            parts.append(f"\x1b[{';'.join(c for c in ('0', *wanted) if c)}m")
        else:
            changed = [new for new, old in zip(wanted, pen, strict=True) if new != old]
            if changed:
                parts.append(f"\x1b[{';'.join(changed)}m")
        pen = wanted
        parts.append(text)
    return pen


def _system(console: Console) -> ColorSystem | None:
    return console._color_system


@lru_cache(maxsize=8192)
def _codes(style: Style, system: ColorSystem | None) -> Codes:
    """Attributes, foreground and background as SGR parameters."""
    if system is None:
        return style.without_color._make_ansi_codes(ColorSystem.STANDARD), "39", "49"
    attributes = style.without_color._make_ansi_codes(system)
    fore = style.color.downgrade(system).get_ansi_codes(True) if style.color else ("39",)
    back = style.bgcolor.downgrade(system).get_ansi_codes(False) if style.bgcolor else ("49",)
    return attributes, ";".join(fore), ";".join(back)
