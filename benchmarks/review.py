"""The review app: bytes and time of a toggle, opening a case, a long worklist.

Run: ``python benchmarks/review.py``; prints one line a measure. Bytes are what the compositor
hands to a 100 × 50 terminal of 256 colours; the fsync is included in the times.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["TEXTUAL_ANIMATIONS"] = "none"

from rich.console import ColorSystem  # type: ignore[attr-defined]
from textual.app import App
from textual.screen import Screen

from tests import cases
from tmtv_engine.finders import Finder, Found
from tmtv_engine.lesions import from_labels
from tmtv_engine.volume import Grid, Unit, Volume
from tmtv_tui.app import ReviewApp
from tmtv_tui.config import Config
from tmtv_tui.screens.case import CaseScreen

WRITTEN = [0]
COUNT = 200


def volume() -> tuple[Volume, Volume]:
    """A body-sized volume of 4 mm with 200 lesions."""
    shape = (250, 100, 140)
    suv = np.ones(shape, np.float32)
    labels = np.zeros(shape, np.uint16)
    place = np.random.default_rng(1).permutation(24 * 8 * 12)[:COUNT]
    for number, at in enumerate(place, start=1):
        z, y, x = (int(v) * 10 + 5 for v in np.unravel_index(at, (24, 8, 12)))
        size = 1 + number % 4
        box = tuple(slice(c - size, c + size) for c in (z, y, x))
        suv[box], labels[box] = 3 + number % 9, number
    grid = Grid.axial(shape, (4.0, 4.0, 4.0), (-280, -200, -500), "1.2.3")
    return Volume(suv, grid, Unit.SUV), Volume(labels, grid, Unit.LABEL)


async def toggles(out: Path) -> None:
    """Median of 100 rejects and accepts of one lesion: decision to idle screen, and bytes."""
    app = ReviewApp(out, reader="bench", config=Config(advance=False))
    async with app.run_test(size=(100, 50)) as pilot:
        app.console._color_system = ColorSystem.EIGHT_BIT
        await pilot.pause(0.5)
        start = time.perf_counter()
        await pilot.press("enter")
        while not (isinstance(app.screen, CaseScreen) and app.screen.opened):
            await pilot.pause(0.005)
        await pilot.pause()
        print(f"open a case of {COUNT} lesions: {time.perf_counter() - start:.3f} s")
        screen = app.screen
        await pilot.pause(1.0)
        times, waits, sizes = [], [], []
        for k in range(100):
            WRITTEN[0] = 0
            start = time.perf_counter()
            screen.action_decide("reject" if k % 2 else "accept")
            decided = time.perf_counter()
            await pilot.pause()
            waits.append(decided - start)
            times.append(time.perf_counter() - start)
            sizes.append(WRITTEN[0])
        print(
            f"toggle: on disk and handled in {statistics.median(waits) * 1000:.1f} ms, "
            f"screen idle after {statistics.median(times) * 1000:.1f} ms, median of 100; "
            f"{statistics.median(sizes):.0f} bytes (largest {max(sizes)})"
        )
    app.finish()


async def worklist(out: Path) -> None:
    """First rows, and all, of 1,000 cases."""
    app = ReviewApp(out, reader="bench")
    start = time.perf_counter()
    async with app.run_test(size=(100, 50)) as pilot:
        while not app.worklist.shown:
            await pilot.pause(0.005)
        first = time.perf_counter() - start
        while len(app.worklist.shown) < 1000:
            await pilot.pause(0.01)
        print(f"1,000 cases: first rows {first:.2f} s, all {time.perf_counter() - start:.2f} s")


def count(self: App[None], screen: Screen[None], renderable: object) -> None:
    """What would go to the terminal."""
    if screen is not self.screen:
        return
    render = getattr(renderable, "render_segments", None)
    WRITTEN[0] += len(render(self.console).encode()) if render else 0


def main() -> None:
    """Measure."""
    App._display = count  # type: ignore[method-assign,assignment]
    with tempfile.TemporaryDirectory() as folder:
        many = Path(folder) / "many"
        case = cases.make_case(many)
        for k in range(999):
            name = f"c{k:04d}"
            (many / name).mkdir()
            text = (case.path / "case.json").read_text()
            (many / name / "case.json").write_text(text.replace('"case-1"', f'"{name}"'))
        asyncio.run(worklist(many))
        shutil.rmtree(many)
        cases.make_volume = volume
        cases._finder = finder
        cases.make_case(Path(folder) / "one")
        asyncio.run(toggles(Path(folder) / "one"))


def finder(labels: Volume, hotspots: bool) -> Finder:
    """Every label an accepted lesion."""

    def find(suv: Volume, ct: Volume | None) -> Found:
        lesions = from_labels(labels, suv)
        return Found(lesions, tuple({"source": "model"} for _ in lesions.ids))

    return Finder(find, {"name": "vnet"})


if __name__ == "__main__":
    main()
