"""A reader in tmux, who knows the truth and has only the keys and the screen: names, accept and
reject, add, erase; after each decision the totals on the screen are an independent sum.

A cursor is walked with the arrows, each step a key, where a hand would click.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tests.support.tally import Place, Tally, dice
from tests.support.tmux import Tmux
from tmtv_engine.case.folder import read_case

CUT = 4.0
TOTAL = re.compile(r"(\S+) +(\d+\.\d) → +(\d+\.\d)")
ROW = re.compile(r"(?:accepted|candidate|rejected|[+x?])!? +(\d+)(?: |$)")
RADII_MM = (4, 6, 8, 10, 13, 17, 22)
REACHES_MM = (1, 4, 6, 8, 10, 15, 25, 40, 60)
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Told:
    """What a case took: Dice above SUV 4.0 as predicted, with accept and reject alone, with
    repairs; keys, decisions, repairs, steps of a cursor among the keys, seconds."""

    case: str
    dice: tuple[float, float, float]
    keys: int
    steps: int
    decisions: int
    repairs: int
    seconds: float


def tally_of(folder: Path) -> Tally:
    """The prediction of a case: SUV and label map from its files, the rest counted here."""
    import SimpleITK

    case = read_case(folder)
    image = case.image()
    assert image is not None
    volume = image.volume()
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "lesions.nii.gz")))
    record = json.loads((folder / "case.json").read_text())
    status = {row["id"]: row["status"] for row in record["lesions"]}
    return Tally.of(volume.array, volume.grid.spacing_mm, labels, status)


class Reader:
    """At one open case of a tmux; ``truth`` (z, y, x) is what should count."""

    def __init__(self, tmux: Tmux, folder: Path, truth: Mask) -> None:
        self.tmux, self.folder = tmux, folder
        self.tally = tally_of(folder)
        self.methods = list(json.loads((folder / "case.json").read_text())["predicted_totals"])
        self.affine = read_case(folder).voxels().grid.affine
        hot = self.tally.suv.reshape(-1) > CUT
        self.truth = truth.reshape(-1) & hot
        self.hot, self.steps, self.repairs, self.decisions = hot, 0, 0, 0
        self.decided: set[int] = set()
        self.at: Place = (0, 0, 0)

    def read(self, repairs: int) -> Told:
        """Settle it: names, every lesion, what is spilled and missed; then sign."""
        begun, keys = time.monotonic(), self.tmux.keys
        self.same()
        steps = [self.dice()]
        self.names()
        self.settle()
        steps.append(self.dice())
        self.repair(repairs)
        steps.append(self.dice())
        self.tmux.press("S")
        self.tmux.until("Enter: do it")
        self.tmux.press("Enter")
        self.tmux.until("SIGNED")
        took, pressed = time.monotonic() - begun, self.tmux.keys - keys
        made = (pressed, self.steps, self.decisions, self.repairs, took)
        return Told(self.folder.name, tuple(steps), *made)  # type: ignore[arg-type]

    def take_back(self) -> None:
        """Re-open, then undo one by one; the totals are each time what they were."""
        self.tmux.press("S")
        self.tmux.until("Re-open")
        self.tmux.press("Enter")
        self.tmux.until(lambda text: "SIGNED" not in text and "Re-open" not in text)
        while self.tally.past:
            self.tally.undo()
            self.tmux.press("u")
            self.same()

    def dice(self) -> float:
        """Of what counts above SUV 4.0 and the truth."""
        return dice(self.tally.counted(CUT), self.truth)

    def same(self) -> None:
        """Wait until the screen's totals are the sums here, by every method."""
        expected = {method: self.tally.ml(method) for method in self.methods}

        def holds(text: str) -> bool:
            seen = {m[0]: float(m[2]) for m in TOTAL.findall(text)}
            return all(abs(seen.get(k, -1.0) - ml) < 0.0501 for k, ml in expected.items())

        try:
            self.tmux.until(holds)
        except AssertionError as error:
            raise AssertionError(f"{self.folder.name}: not {expected}: {error}") from error

    def lines(self) -> list[dict[str, object]]:
        """The journal's decisions."""
        path = self.folder / "review" / "AB.jsonl"
        found = [json.loads(line) for line in path.read_text().splitlines()]
        return [line for line in found if line["action"] not in ("open", "close")]

    def names(self) -> None:
        """Reject by name what is named physiologic; the journal tells which those were."""
        before = len(self.lines()) if (self.folder / "review").exists() else 0
        self.tmux.press("N")
        said = self.tmux.until(lambda t: "Reject what is named" in t or "nothing undecided" in t)
        if "nothing undecided" in said:
            return
        self.tmux.press("Enter")
        self.tmux.until(lambda t: "Reject what is named" not in t)
        count = -1
        while count != len(self.lines()):
            count = len(self.lines())
            time.sleep(0.5)
        for line in self.lines()[before:]:
            numbers = line["lesions"]
            assert line["action"] == "reject"
            assert isinstance(numbers, list)
            self.took(numbers, "rejected")
        self.same()

    def took(self, numbers: list[int], status: str) -> None:
        self.tally.decide(numbers, status)
        self.decided |= set(numbers)
        self.decisions += 1

    def true(self, number: int) -> bool:
        """Whether more than half of a lesion above 4.0 is true."""
        own = self.tally.voxels[number]
        own = own[self.hot[own]]
        return len(own) > 0 and 2 * int(self.truth[own].sum()) > len(own)

    def settle(self) -> None:
        """Every lesion that nobody decided, the largest first; then what a name hid."""
        while left := set(self.tally.status) - self.decided:
            if self.chosen() not in left:
                self.tmux.press("n")
                self.tmux.until(lambda _, left=left: self.chosen() in left)  # type: ignore[misc]
            self.verdict(self.chosen())
        for number in sorted(self.tally.status):
            if self.true(number) and self.tally.status[number] == "rejected":
                self.go(number)
                self.verdict(number)

    def verdict(self, number: int) -> None:
        """Accept what is true, reject what is not."""
        right = self.true(number)
        self.tmux.press("a" if right else "x")
        self.took([number], "accepted" if right else "rejected")
        self.acknowledged()

    def acknowledged(self) -> None:
        """The decision is on disk and on the screen."""
        end = time.monotonic() + 120
        while len(self.lines()) < self.decisions:
            assert time.monotonic() < end, f"only {len(self.lines())} of {self.decisions} lines"
            time.sleep(0.02)
        self.same()

    def chosen(self) -> int:
        """The lesion under the list's cursor, 0 on the line of the named ones."""
        found = (ROW.search(line) for line in self.tmux.reversed_text())
        return next((int(row[1]) for row in found if row), 0)

    def go(self, number: int, folded: bool = True) -> None:
        """The list's cursor to a lesion, line by line; folded ones are shown first."""
        for turn in ("k", "j"):
            last = -1
            while (now := self.chosen()) != number and now != last:
                last = now
                self.tmux.press(turn)
                self._still(now)
            if self.chosen() == number:
                return
            if turn == "k" and self.chosen() == 0:
                self.tmux.press("j")
        assert folded, f"lesion {number} is not in the list"
        self.tmux.press("z")
        time.sleep(0.5)
        self.go(number, False)

    def _still(self, before: int) -> None:
        """Until the cursor moved, or for long enough to know that it is at an end."""
        end = time.monotonic() + 2.0
        while self.chosen() == before and time.monotonic() < end:
            time.sleep(0.02)

    def repair(self, limit: int) -> None:
        """What brings most, again and again: a sphere out of a lesion, or a lesion more."""
        self.tmux.press("i")
        self.tmux.until("axial ")
        while "▸  4.0" not in self.tmux.text():
            before = self.tmux.text()
            self.tmux.press("m")
            self.tmux.until(lambda t, before=before: t != before)  # type: ignore[misc]
        while self.repairs < limit:
            best = max([*self.spills(), *self.missed()], key=lambda way: way[0], default=None)
            if best is None or best[0] < 1:
                return
            _, number, at, size = best
            self.repairs += 1
            self.decisions += 1
            if number:
                self.erase(number, at, size)
            else:
                self.add(at, size)

    def spills(self) -> Iterator[tuple[int, int, Place, int]]:
        """Gain in voxels, lesion, centre and radius of spheres that hold what should not count."""
        for number, own in self.tally.voxels.items():
            if self.tally.status[number] != "accepted":
                continue
            own = own[self.hot[own]]
            worth = np.where(self.truth[own], -1, 1)
            index = np.stack(np.unravel_index(own, self.tally.suv.shape), axis=-1)
            false = index[worth > 0]
            for centre in false[:: max(1, len(false) // 40)]:
                far = np.sqrt((((index - centre) * self.tally.mm) ** 2).sum(axis=1))
                for radius in RADII_MM:
                    gain = int(worth[far <= radius].sum())
                    if (far > radius).any():
                        yield gain, number, _place(centre), radius

    def missed(self) -> Iterator[tuple[int, int, Place, int]]:
        """As `spills`, of what should count and does not: around its hottest voxel, how far."""
        counted = self.tally.counted(CUT)
        gone = (self.truth & ~counted).reshape(self.tally.suv.shape)
        pieces, count = ndimage.label(gone, np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.reshape(-1), minlength=count + 1)[1:]
        for piece in (np.argsort(-sizes) + 1)[:3]:
            own = np.flatnonzero(pieces.reshape(-1) == piece)
            top = own[np.argmax(self.tally.suv.reshape(-1)[own])]
            at = _place(np.array(np.unravel_index(top, self.tally.suv.shape)))
            for reach in REACHES_MM:
                new = self.tally.reached(at, CUT, reach)
                yield 2 * int(self.truth[new].sum()) - len(new), 0, at, reach

    def erase(self, number: int, at: Place, radius: int) -> None:
        """`E` at a place, the radius by plus and minus."""
        self.go(number)
        self.on_peak(number)
        self.walk(at)
        self.tmux.press("E")
        self.tmux.until("radius 10 mm")
        self.tmux.press("+" if radius > 10 else "-", abs(radius - 10))
        self.confirm(f"radius {radius} mm")
        self.tally.erase(number, at, radius)
        self.after(number)

    def add(self, at: Place, reach: int) -> None:
        """`g` at a place, the reach by brackets."""
        if (number := self.chosen()) == 0:
            self.go(number := next(iter(self.tally.voxels)))
        self.on_peak(number)
        self.walk(at)
        self.tmux.press("g")
        self.tmux.until("within 60 mm")
        self.tmux.press("[", (60 - max(reach, 10)) // 5 + max(0, 10 - reach))
        self.confirm(f"within {reach} mm")
        number = self.tally.add(at, CUT, reach)
        self.decided.add(number)
        self.after(number)

    def confirm(self, words: str) -> None:
        """Enter once the preview of what was asked for is there."""
        self.tmux.until(lambda t: words in t and "before" in t)
        time.sleep(0.3)
        self.tmux.until(lambda t: words in t and "before" in t)
        self.tmux.press("Enter")

    def after(self, number: int) -> None:
        self.acknowledged()
        self.tmux.until(lambda _: self.chosen() == number)

    def on_peak(self, number: int) -> None:
        """Choosing a lesion put the cursor on its maximum, the first of several."""
        own = self.tally.voxels[number]
        top = own[np.argmax(self.tally.suv.reshape(-1)[own])]
        self.at = _place(np.array(np.unravel_index(top, self.tally.suv.shape)))

    def walk(self, to: Place) -> None:
        """The cursor to another voxel: right, down and to the feet are x, y and -z in LPS."""
        keys = ((2, 0, "Right", "Left"), (1, 1, "Down", "Up"), (0, 2, "<", ">"))
        for axis, mm, forth, back in keys:
            by = (to[axis] - self.at[axis]) * (1 if self.affine[mm, axis] > 0 else -1)
            self.tmux.press(forth if by > 0 else back, abs(by))
            self.steps += abs(by)
        self.at = to
        self.tmux.until(f"SUV {self.tally.suv[to]:.2f}")


def _place(index: npt.NDArray[np.integer]) -> Place:
    z, y, x = (int(n) for n in index)
    return z, y, x
