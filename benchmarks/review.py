"""The review app on a real pty: toggles, opening, a long worklist, each beside its goal.

Run: ``python benchmarks/review.py``; six minutes, most of them waiting. Times are from the key (or
the start of the process) to the last byte of the answer, fsync included; ``cpu`` is what the app
took of a core until then, by all its threads, user and system (Linux); bytes are what the terminal
receives at 100 × 50 cells. The alternative is the whole screen painted again, as `ctrl+l` does.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support import cases
from tests.support.drive import opened, running, settle
from tests.support.terminal import Terminal, review
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.origin import Origin, Source
from tmtv_engine.model.finders import Finder, Found
from tmtv_engine.review.repairs import erase
from tmtv_tui.config import Config
from tmtv_tui.review.cursor import Cursor
from tmtv_tui.review.prints import Prints
from tmtv_tui.widgets.mip import MipView
from tmtv_tui.widgets.slices import SliceView

COUNT, MANY, TOGGLES, POLLED_S = 200, 1500, 100, 15


def volume(count: int = COUNT) -> tuple[Volume, Volume]:
    """A body-sized volume of 4 mm with so many lesions."""
    shape = (250, 100, 140)
    noise = np.random.default_rng(2).normal(1.0, 0.2, shape)  # or slices would not differ
    suv = np.asarray(np.clip(noise, 0.6, 2.0), np.float32)
    labels = np.zeros(shape, np.uint16)
    place = np.random.default_rng(1).permutation(24 * 8 * 12)[:count]
    for number, at in enumerate(place, start=1):
        z, y, x = (int(v) * 10 + 5 for v in np.unravel_index(at, (24, 8, 12)))
        size = 1 + number % 4
        box = tuple(slice(c - size, c + size) for c in (z, y, x))
        suv[box], labels[box] = 3 + number % 9, number
    grid = Grid.axial(shape, (4.0, 4.0, 4.0), (-280, -200, -500), "1.2.3")
    return Volume(suv, grid, Unit.SUV), Volume(labels, grid, Unit.LABEL)


def finder(labels: Volume, hotspots: bool) -> Finder:
    """Every label an accepted lesion."""

    def find(suv: Volume, ct: Volume | None) -> Found:
        lesions = from_labels(labels, suv)
        return Found(lesions, (Origin(Source.MODEL),) * len(lesions))

    return Finder(find, {"name": "vnet"})


class Took(NamedTuple):
    """From a key to the last byte of what it caused: ms, ms of a core, bytes."""

    ms: float
    cpu: float
    size: float


def cpu_ms(terminal: Terminal) -> float:
    """What the app has taken of a core since it began: Linux's clock of another process."""
    return time.clock_gettime((~terminal.process.pid << 3) | 2) * 1000


def answer(terminal: Terminal, key: str, quiet_s: float = 0.15) -> Took:
    """What a key took."""
    begun, start = cpu_ms(terminal), time.perf_counter()
    last, spent, size = start, begun, 0
    terminal.type(key)
    while select.select([terminal.handle], [], [], quiet_s if size else 2.0)[0]:
        size += len(os.read(terminal.handle, 1 << 16))
        last, spent = time.perf_counter(), cpu_ms(terminal)
    return Took((last - start) * 1000, spent - begun, size)


def median(values: list[Took]) -> Took:
    """The medians of each."""
    return Took(*(statistics.median(each) for each in zip(*values, strict=True)))


def say(what: str, value: float, goal: float, unit: str, more: str = "") -> None:
    """One line: the measure, its goal, their ratio."""
    print(f"{what:<46} {value:8.5g} {unit:<2}  goal {goal:g}, ratio {value / goal:.2f}{more}")


def told(what: str, took: Took, goal: float, more: str = "") -> None:
    """A key's line."""
    say(what, took.ms, goal, "ms", f"; cpu {took.cpu:.3g} ms; {took.size:.0f} B{more}")


def again(terminal: Terminal) -> list[Took]:
    """The whole screen, ten times."""
    return [answer(terminal, "\x0c", 0.5) for _ in range(10)]


def fsync_ms(folder: Path) -> float:
    """What writing a line to this disk costs at least."""
    times = []
    with (folder / "line").open("ab") as stream:
        for _ in range(50):
            start = time.perf_counter()
            stream.write(b"x" * 400)
            stream.flush()
            os.fsync(stream.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def pixels(out: Path, image: str) -> None:
    """Reject and accept with pictures in pixels, going on, median of 40."""
    with review(out, "--image", image) as terminal:
        terminal.until("case-1")
        terminal.read(1.0)
        whole = answer(terminal, "\r", 1.0).size
        keys = ["xak"[k % 3] for k in range(60)]
        found = [answer(terminal, key) for key in keys]
    took = median([took for key, took in zip(keys, found, strict=True) if key != "k"])
    told(f"toggle, --image {image}", took, 30, f", opening {whole:.0f} B")


def repairs(out: Path, count: int) -> None:
    """A preview drawn anew, and a repair recorded, at 100 × 50; medians of 20 and 10."""
    with review(out) as terminal:
        terminal.until("case-1")
        terminal.read(1.0)
        answer(terminal, "\r", 1.0)
        for name, key, step in (("erase", "E", "-+"), ("add or grow", "g", "[]")):
            answer(terminal, key, 1.0)
            took = median([answer(terminal, step[k % 2], 0.3) for k in range(20)])
            told(f"{name}, {count} lesions: a preview more", took, 100)
            answer(terminal, "\x1b", 0.5)
        found = []
        for _ in range(10):
            answer(terminal, "E", 1.0)
            found.append(answer(terminal, "\r", 0.5))
            answer(terminal, "u", 0.5)
        told(f"Enter, {count} lesions", median(found), 100)
        told("  beside it, the screen painted anew", median(again(terminal)), 100)


async def drawing(out: Path, count: int) -> None:
    """What a repair costs the screen's own thread: what changed, and all of it; medians of 10."""
    async with running(out, (100, 50)) as (app, pilot):
        screen = await opened(app, pilot)
        o = screen.opened
        assert o is not None
        changed, whole = [], []
        for number in range(1, 11):
            top = Cursor.on_peak(o.reading.lesions, number).mm
            before = o.reading
            o.session.decide(erase(number, [(*top, 6.0)]))
            start = time.thread_time()
            o._measure()
            screen.settle(before)
            changed.append(time.thread_time() - start)
            start = time.thread_time()
            o._first, o.prints = None, Prints(o.mip)
            o._measure()
            screen._show_all()
            whole.append(time.thread_time() - start)
        ours, all_of_it = (statistics.median(found) * 1000 for found in (changed, whole))
        print(f"a repair, {count} lesions: {ours:.3g} ms of a core, all drawn anew {all_of_it:.3g}")


def toggles(out: Path, colour: str, advance: bool) -> None:
    """Reject and accept at 100 × 50 with 200 lesions, median of 100; opening, median of 10."""
    with review(out, COLORTERM=colour, TMTV_ADVANCE=str(advance).lower()) as terminal:
        terminal.until("case-1")
        terminal.read(1.0)
        opens = []
        for _ in range(10):
            opens.append(answer(terminal, "\r", 0.4))
            answer(terminal, "q", 0.4)
        answer(terminal, "\r", 1.0)
        keys = "xakxak" if advance else "xa"
        found = []
        for k in range(TOGGLES * (3 if advance else 2) // 2):
            key = keys[k % len(keys)]
            took = answer(terminal, key)
            found += [took] if key != "k" else []
        whole = median(again(terminal)).size
    name = f"{colour or '256 colours'}, {'going on' if advance else 'staying'}"
    took, most = median(found), max(t.size for t in found)
    told(f"toggle, {name}", took, 30, f"; median of {len(found)}")
    repaint = f"; largest {most}; repainting all: {whole:.0f} B, {whole / took.size:.0f} times it"
    say(f"toggle, {name}: bytes", took.size, 2048, "B", repaint)
    told(f"open a case of {COUNT} lesions", median(opens), 300)


def worklist(out: Path) -> None:
    """So many cases from the start of the process, the cursor's steps among them, polling."""
    start = time.perf_counter()
    with review(out) as terminal:

        def seen(holds: Callable[[str], bool]) -> tuple[float, str]:
            while not holds(terminal.screen.text(100, 50)):
                terminal.read(0.0, 0.02)
            return time.perf_counter() - start, f"; cpu {cpu_ms(terminal) / 1000:.2f} s"

        bare, _ = seen(lambda text: "cases" in text)
        first, spent = seen(lambda text: "c0001" in text or "c0010" in text)
        more = f"{spent}; the empty screen after {bare:.2f} s"
        say(f"{MANY} cases: first rows from the start", first, 2, "s", more)
        whole, spent = seen(lambda text: f"{MANY} cases" in text and "reading" not in text)
        say(f"{MANY} cases: all from the start", whole, 4, "s", spent)
        terminal.read(1.0)
        told(
            "one step in the worklist",
            median([answer(terminal, "jjjk"[k % 4]) for k in range(40)]),
            30,
        )
        before = cpu_ms(terminal)
        time.sleep(POLLED_S)
        share = (cpu_ms(terminal) - before) / POLLED_S / 10
        say(f"polling {MANY} cases, {POLLED_S} s: of a core", share, 1, "%")


KEYS = (("scroll one", "<", ">"), ("scroll ten", "{", "}"), ("cursor", "\x1b[C", "\x1b[D"))


def slices(out: Path) -> None:
    """A key in slices at 100 × 50: three planes, one plane; median of 20."""
    with review(out, "--read-only") as terminal:
        terminal.until("case-1")
        terminal.read(1.0)
        answer(terminal, "\r", 1.0)
        answer(terminal, "i", 1.5)
        for planes in ("three planes", "axial alone"):
            for what, there, back in KEYS:  # to and fro: none of them ends at the border
                found = [answer(terminal, k) for k in (there, back) * 10]
                took, most = median(found), max(t.size for t in found)
                told(f"slices, {planes}, {what}", took, 30)
                say(f"slices, {planes}, {what}: bytes", took.size, 5000, "B", f"; largest {most}")
            answer(terminal, "b", 1.0)


async def dots(out: Path) -> None:
    """Millimetres a dot of the front view, whole body, at three sizes in every kind of block."""
    for size in ((80, 24), (100, 50), (200, 60)):
        found, axial = [], []
        for mode in ("half", "quad", "sextant", "octant"):
            asked = {"read_only": True, "config": Config(image=mode)}
            async with running(out, size, **asked) as (app, pilot):
                screen = await opened(app, pilot)
                placed = screen.query_one("#front", MipView)._placed
                assert placed is not None
                assert screen.opened is not None
                await pilot.press("i", "b")
                await settle(app, pilot)
                view = screen.query_one("#slice", SliceView)
                assert view._placed is not None
                assert view._scene is not None
                top, bottom, _, _ = view._placed.box
                fine = (bottom - top) * view._scene.plane.mm[0] / view._placed.grey.shape[0]
                axial.append(f"{mode} {fine:.1f}")
                tall = (placed.box[1] - placed.box[0]) * screen.opened.mip.pixel_mm
                found.append(f"{mode} {tall / placed.grey.shape[0]:.1f}")
        print(f"mm a dot, {size[0]} x {size[1]}, a body of {tall:.0f} mm: {', '.join(found)}")
        print(f"mm a dot, axial slice, {size[0]} x {size[1]}: {', '.join(axial)}")


def main() -> None:
    """Measure."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cores, disk = os.cpu_count(), fsync_ms(folder)
        print(f"load {os.getloadavg()[0]:.1f} on {cores} cores; an fsync takes {disk:.1f} ms")
        case = cases.make_case(folder / "many")
        text = (case.path / "case.json").read_text()
        for k in range(MANY - 1):
            (folder / "many" / f"c{k:04d}").mkdir()
            path = folder / "many" / f"c{k:04d}" / "case.json"
            path.write_text(text.replace('"case-1"', f'"c{k:04d}"'))
        worklist(folder / "many")
        cases.make_volume = volume
        cases._finder = finder
        cases.make_case(folder / "one")
        asyncio.run(dots(folder / "one"))
        slices(folder / "one")
        for colour in ("", "truecolor"):
            for advance in (False, True):
                toggles(folder / "one", colour, advance)
        for image in ("kitty", "sixel"):
            pixels(folder / "one", image)
        for count in (40, 300):
            cases.make_volume = partial(volume, count)
            cases.make_case(folder / str(count))
            repairs(folder / str(count), count)
            asyncio.run(drawing(folder / str(count), count))


if __name__ == "__main__":
    main()
