"""The own painters of pictures in cells beside `chafa.py`, on the same dots of the same projection.

    pip install chafa.py && python benchmarks/painters.py [CASE]

For each kind of block, at the size of the front picture in 100 × 50: ms of a core for the whole
picture; its bytes in 256 colours; bytes when one dot's mark changes; the share of a lesion's
uptake that its cell still shows at the maximum (median, least); millimetres a dot; lines of code
that draw. Both get the dots that `place` pooled by the maximum; "scaled by itself": chafa from the
projection's own pixels. Bytes are counted by one encoder for both: a colour is sent when it
changes. Without chafa.py only the own painters are measured.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.style import Style

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support import cases
from tmtv_engine.case.folder import Case, read_case
from tmtv_tui.review import glyphs
from tmtv_tui.review.picture import CELLS, Placed, place
from tmtv_tui.review.prints import Prints
from tmtv_tui.widgets import blocks

COLUMNS, LINES, WHITE_SUV = 41, 46, 10.0
TAGS = {"half": "VHALF HHALF", "quad": "QUAD", "sextant": "SEXTANT"}
MARK = (215, 95, 0)
Cell = tuple[str, tuple[int, ...], tuple[int, ...]]
Image = npt.NDArray[np.uint8]


def own(placed: Placed, mark: tuple[int, int] | None = None) -> list[list[Cell]]:
    """Cells as the app draws them."""
    marks = {} if mark is None else {mark: f"rgb({','.join(map(str, MARK))})"}
    base = Style.parse("rgb(0,0,0) on rgb(255,255,255)")
    lines = (blocks.draw_line(placed, k, marks, {}, base) for k in range(placed.cells[0]))
    return [[_cell(segment.text, segment.style or base) for segment in line] for line in lines]


def _cell(text: str, style: Style) -> Cell:
    front, back = style.color, style.bgcolor
    assert front is not None
    assert back is not None
    assert front.triplet is not None
    assert back.triplet is not None
    return text, tuple(front.triplet), tuple(back.triplet)


def dots_of(placed: Placed, mark: tuple[int, int] | None = None) -> Image:
    """The dots as pixels, RGB."""
    grey = np.asarray(8 + 10 * placed.grey, np.uint8)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    if mark is not None:
        rgb[mark] = MARK
    return rgb


def canvas(chafa: ModuleType, mode: str, cells: tuple[int, int]) -> Any:
    """A canvas of chafa's for one kind of block; all that an app would need of it."""
    config, symbols = chafa.CanvasConfig(), chafa.SymbolMap()
    config.height, config.width = cells
    config.canvas_mode = chafa.CanvasMode.CHAFA_CANVAS_MODE_INDEXED_240
    for tag in (*TAGS[mode].split(), "SPACE", "SOLID"):
        symbols.add_by_tags(getattr(chafa.SymbolTags, f"CHAFA_SYMBOL_TAG_{tag}"))
    config.set_symbol_map(symbols)
    return chafa.Canvas(config)


def draw(chafa: ModuleType, board: Any, rgb: Image) -> bytes:
    """A picture on a canvas; its bytes as chafa itself writes them."""
    high, wide = rgb.shape[:2]
    kind = chafa.PixelType.CHAFA_PIXEL_RGB8
    board.draw_all_pixels(kind, np.ascontiguousarray(rgb).tobytes(), wide, high, 3 * wide)
    return bytes(board.print())


def theirs(board: Any, cells: tuple[int, int]) -> list[list[Cell]]:
    """The cells of a canvas."""
    lines, columns = cells
    found = ([board[y, x] for x in range(columns)] for y in range(lines))
    return [[_inspected(cell) for cell in line] for line in found]


def _inspected(cell: Any) -> Cell:
    """A blank has one colour."""
    front, back = cell.fg_color or cell.bg_color, cell.bg_color or cell.fg_color
    return cell.char, tuple(front), tuple(back)


def size_of(now: list[list[Cell]], before: list[list[Cell]] | None = None) -> int:
    """Bytes of a picture, or of the cells that differ from the one before."""
    total = 0
    for y, line in enumerate(now):
        at, colours = -1, None
        for x, (text, *pair) in enumerate(line):
            if before is not None and before[y][x] == line[x]:
                continue
            total += len(f"\x1b[{y + 1};{x + 1}H") if x != at else 0
            total += 2 * len("38;5;240") + 4 if pair != colours else 0
            total += len(text.encode())
            at, colours = x + 1, pair
    return total


def kept(placed: Placed, drawn: list[list[Cell]], peaks: list[tuple[int, int]]) -> list[float]:
    """How much of each maximum's blackening the darker colour of its cell shows."""
    found = []
    for y, x in peaks:
        _, front, back = drawn[y // placed.cell[0]][x // placed.cell[1]]
        true = 238 - (8 + 10 * int(placed.grey[y, x]))
        if true > 30:
            found.append((238 - min(front[1], back[1])) / true)
    return found


def spent(what: Callable[[], object]) -> float:
    """Median ms of a core, of 15."""
    times = []
    for _ in range(15):
        start = time.process_time()
        what()
        times.append(time.process_time() - start)
    return statistics.median(times) * 1000


def compare(case: Case, chafa: ModuleType | None) -> None:
    """A line for each painter and kind of block."""
    mip, lesions = case.mip(), case.voxels()
    prints, suv = Prints(mip), mip.suv(0)
    for mode in ("half", "quad", "sextant", "octant"):
        placed = place(suv, prints.box(lesions), COLUMNS, LINES, WHITE_SUV, mode)
        found = (placed.spot(*peak) for peak in prints.of(lesions, 0).peaks.values())
        peaks = [spot for spot in found if spot is not None]
        mm = (placed.box[1] - placed.box[0]) * mip.pixel_mm / placed.grey.shape[0]
        ours = own(placed)
        marked = own(placed, peaks[0])
        ms = spent(partial(own, placed))
        say(mode, "own", ms, size_of(ours), size_of(marked, ours), kept(placed, ours, peaks), mm)
        if chafa is None or mode not in TAGS:
            continue
        board, whole = canvas(chafa, mode, placed.cells), canvas(chafa, mode, placed.cells)
        draw(chafa, board, rgb := dots_of(placed))
        before = theirs(board, placed.cells)
        ms = spent(partial(draw, chafa, board, rgb))
        draw(chafa, board, dots_of(placed, peaks[0]))
        after = theirs(board, placed.cells)
        contrast = kept(placed, before, peaks)
        say(mode, "chafa", ms, size_of(before), size_of(after, before), contrast, mm)
        top, bottom, left, right = placed.box
        part = 1 - np.clip(suv[top:bottom, left:right] / WHITE_SUV, 0, 1)
        grey = np.asarray(8 + 230 * part, np.uint8)
        draw(chafa, whole, np.repeat(grey[:, :, None], 3, axis=2))
        shown = theirs(whole, placed.cells)
        say(mode, "scaled by itself", 0, size_of(shown), 0, kept(placed, shown, peaks), mm)


def say(
    mode: str, who: str, ms: float, size: int, changed: int, shown: list[float], mm: float
) -> None:
    """One line."""
    middle, least = statistics.median(shown or [0]), min(shown, default=0)
    told = f"{ms:7.1f} ms {size:7} B {changed:5} B" if changed else f"{'':10} {size:7} B {'':7}"
    print(f"{mode:<8} {who:<17} {told}   {middle:5.2f} {least:5.2f} {mm:6.1f} mm")


def lines_of(*parts: Callable[..., object]) -> int:
    """Lines of source."""
    return sum(len(inspect.getsource(part).splitlines()) for part in parts)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", type=Path, help="a case's folder; else a small one")
    given = parser.parse_args()
    try:
        chafa: ModuleType | None = importlib.import_module("chafa")
    except ImportError:
        chafa = None
        print("chafa.py is not installed: the own painters alone")
    with tempfile.TemporaryDirectory() as name:
        case = read_case(given.case) if given.case else cases.make_case(Path(name))
        print(f"{'':<26} {'whole':>10} {'':>9} {'a mark':>7}   shown, least, a dot")
        compare(case, chafa)
    replaced = (glyphs._sextants, glyphs._octants, blocks._blocks)
    print(f"lines that only draw blocks: {lines_of(*replaced)}; with chafa:", end=" ")
    print(f"{lines_of(canvas, draw, theirs)}, and one dependency more")
    assert set(CELLS) >= set(TAGS)


if __name__ == "__main__":
    main()
