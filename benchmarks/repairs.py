"""How near a reader gets to the truth: the prediction, accept and reject alone, and with repairs.

    python benchmarks/repairs.py -n 10 --seed 0 --model vnet

Digital patients with their true ROIs are drawn, predicted and read by a script that knows the
truth and may do what a reader can: accept, reject, erase a sphere, add around a point and cap what
was added. A lesion is accepted where more than half of it (above 4.0) is true. Then, at most
``--repairs`` times, the repair that brings most mL: a sphere round a voxel that counts and should
not, or a lesion added at the hottest voxel that is missed, less what of it is hotter than tumour
is there (two repairs). Dice is of all voxels above SUV 4.0.
Every case is then replayed from its journal, verified, and undone to the start.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import UsageError
from tmtv_engine.image.nifti import read_nifti
from tmtv_engine.image.volume import Unit
from tmtv_engine.lesion.find import components
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.repairs import add, erase
from tmtv_engine.review.session import Session, refresh
from tmtv_engine.review.verify import verify
from tmtv_tui.cli.app import main as tmtv

CUT = 4.0
REACHES_MM = (1.0, 4.0, 6.0, 8.0, 10.0, 15.0, 25.0, 40.0, 60.0)
CAPS = (4.2, 4.4, 4.7, 5.0, 6.0, 8.0)
RADII_MM = (4.0, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 30.0)
Mask = npt.NDArray[np.bool_]
Choice = tuple[int, tuple[Decision, ...]]
"""Voxels gained, and the decisions that it takes."""


@dataclass(frozen=True)
class Row:
    """One patient: Dice and mL after each step, and what the reader did."""

    case: str
    dice: tuple[float, float, float]
    ml: tuple[float, float, float, float]
    decisions: int
    repairs: int
    seconds: float


class Oracle:
    """A reader who knows the truth; ``truth`` is flat, over the whole image."""

    def __init__(self, case: Case, truth: Mask, limit: int) -> None:
        self.session = Session(case, "oracle")
        self.suv = self.session.replayer.pet.volume()
        self.hot = self.suv.array.reshape(-1) > CUT
        self.truth, self.limit = truth & self.hot, limit
        self.grid = self.suv.grid

    @property
    def reading(self) -> Reading:
        """What it has made of the case."""
        return self.session.reading

    def counted(self) -> Mask:
        """The voxels above the cut that count."""
        found = np.zeros(len(self.truth), bool)
        found[self.reading.lesions.take(self.reading.accepted).voxels] = True
        return found & self.hot

    def dice(self) -> float:
        """Of what counts and the truth; 1 where both are empty."""
        found = self.counted()
        both = int(found.sum()) + int(self.truth.sum())
        return 2 * int((found & self.truth).sum()) / both if both else 1.0

    def take_back(self) -> None:
        """Undo everything."""
        while self.reading.decisions:
            self.session.decide(Decision("undo"))

    def settle(self) -> None:
        """Accept what is more than half true, reject the rest."""
        lesions, status = self.reading.lesions, dict(self.reading.status)
        for row, number in enumerate(int(i) for i in lesions.ids):
            own = lesions.voxels[lesions.span(row)]
            own = own[self.hot[own]]
            true = len(own) > 0 and 2 * int(self.truth[own].sum()) > len(own)
            if true != (status[number] == "accepted"):
                self.session.decide(Decision("accept" if true else "reject", (number,)))

    def repair(self) -> int:
        """The best repair, again and again; how many there were."""
        done = 0
        while done < self.limit:
            some = (choice for choice in self._choices() if len(choice[1]) <= self.limit - done)
            best = max(some, key=lambda choice: choice[0], default=None)
            if best is None or best[0] < 1:
                return done
            for what in best[1]:
                self._do(what)
            done += len(best[1])
        return self.limit

    def _do(self, what: Decision) -> None:
        try:
            self.session.decide(what)
        except UsageError as error:  # nothing would be left: reject it
            if "reject" not in error.remedy.lower():
                raise
            self.session.decide(Decision("reject", what.lesions))

    def _choices(self) -> Iterator[Choice]:
        yield from self._spheres()
        missed = (self.truth & ~self.counted()).reshape(self.grid.shape)
        pieces = components(missed).reshape(-1)
        sizes = np.bincount(pieces)
        sizes[0] = 0
        for piece in np.argsort(-sizes)[:3]:
            if sizes[piece]:
                yield from self._adding(np.flatnonzero(pieces == piece))

    def _spheres(self) -> Iterator[Choice]:
        """For each lesion the sphere that takes most false voxels for the fewest true ones."""
        lesions = self.reading.lesions
        for row in self.reading.accepted:
            span = lesions.span(row)
            own = lesions.voxels[span]
            index = lesions.index(row)[self.hot[own]]
            own = own[self.hot[own]]
            worth = np.where(self.truth[own], -1, 1)
            if not (worth > 0).any():
                continue
            places = self.grid.to_mm(index)
            false = places[worth > 0]
            for centre in false[:: max(1, len(false) // 40)]:
                far = np.linalg.norm(places - centre, axis=1)
                for radius in RADII_MM:
                    gain = int(worth[far <= radius].sum())
                    sphere = (*(float(v) for v in centre), radius)
                    cut = erase(int(lesions.ids[row]), [sphere])  # type: ignore[list-item]
                    yield gain, (cut,)

    def _adding(self, missed: npt.NDArray[np.int64]) -> Iterator[Choice]:
        """A lesion around the hottest missed voxel, as far as brings most, whole or capped."""
        top = missed[np.argmax(self.suv.array.reshape(-1)[missed])]
        point = self.grid.to_mm(np.array(np.unravel_index(int(top), self.grid.shape)))
        place = (float(point[0]), float(point[1]), float(point[2]))
        counted = self.counted()
        for reach in REACHES_MM:
            what = add(self.session.replayer.pet, place, CUT, reach)
            after = self.session.preview(what)
            new = np.zeros(len(counted), bool)
            new[after.lesions.take(after.accepted).voxels] = True
            new &= self.hot & ~counted
            yield self._gain(new), (what,)
            number = int(after.lines[-1].lesions[0])
            for cap in CAPS:
                cold = new & ~(self.suv.array.reshape(-1) > cap)
                if 0 < cold.sum() < new.sum():
                    yield self._gain(cold), (what, erase(number, above=cap))

    def _gain(self, new: Mask) -> int:
        return int((new & self.truth).sum()) - int((new & ~self.truth).sum())


def read_patient(folder: Path, rois: Path, limit: int) -> Row:
    """Read one case as the oracle does, verify it, and take all of it back."""
    case = read_case(folder)
    truth = read_nifti(rois, Unit.LABEL).array.reshape(-1) > 0
    oracle = Oracle(case, truth, limit)
    oracle.take_back()
    begun, steps = time.perf_counter(), [oracle.dice()]
    ml = [oracle.counted().sum()]
    oracle.settle()
    steps.append(oracle.dice())
    ml.append(oracle.counted().sum())
    repairs = oracle.repair()
    steps.append(oracle.dice())
    ml += [oracle.counted().sum(), oracle.truth.sum()]
    took = time.perf_counter() - begun
    decisions = oracle.reading.decisions
    _hold(case, oracle)
    volumes = tuple(float(n) * oracle.grid.voxel_ml for n in ml)
    return Row(case.name, tuple(steps), volumes, decisions, repairs, took)  # type: ignore[arg-type]


def _hold(case: Case, oracle: Oracle) -> None:
    """Totals are an independent sum, replay is the state, undone it is the prediction."""
    record = refresh(case).record
    expected = int(oracle.counted().sum()) * oracle.grid.voxel_ml
    if abs(record.totals["4.0"].tmtv_ml - expected) > 1e-6 * max(expected, 1):
        raise SystemExit(f"{case.name}: totals are not what counts")
    again = Session(read_case(case.path), "oracle").reading
    if again.lesions.voxels.tobytes() != oracle.reading.lesions.voxels.tobytes():
        raise SystemExit(f"{case.name}: the replay is another state")
    if any(f.failed for f in verify(case.path)):
        raise SystemExit(f"{case.name}: verify finds what was not changed")
    oracle.take_back()
    if refresh(read_case(case.path)).record.totals != record.predicted_totals:
        raise SystemExit(f"{case.name}: undone it is not the prediction")


def main() -> None:
    """Draw, predict, read, and say how near each step came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="vnet")
    parser.add_argument("--repairs", type=int, default=20, help="at most, a patient")
    parser.add_argument("--anatomies", help="as of tmtv phantom")
    parser.add_argument("--spacing-mm", type=float, default=4.0, help="as of tmtv phantom")
    parser.add_argument("--folder", type=Path, help="keep patients and cases there, for a rerun")
    given = parser.parse_args()
    more = ["--anatomies", given.anatomies] if given.anatomies else []
    more += ["--spacing-mm", str(given.spacing_mm)]
    with tempfile.TemporaryDirectory() as name:
        home = given.folder or Path(name)
        drawn, out = home / "patients", home / "out"
        wanted = ["-n", str(given.n), "--seed", str(given.seed), "--format", "nifti", "-q", *more]
        predicted = ["-o", str(out), "--model", given.model, "-q"]
        there = (drawn / "manifest.csv").exists() and (out / "summary.csv").exists()
        if not there and (
            tmtv(["phantom", str(drawn), *wanted])
            or tmtv(["predict", str(drawn / "manifest.csv"), *predicted])
        ):
            raise SystemExit(1)
        print("case                Dice 4.0: predicted  read  repaired | mL of true | decisions")
        rows = []
        for folder in sorted(p for p in drawn.iterdir() if p.is_dir()):
            row = read_patient(out / folder.name, folder / "rois.nii.gz", given.repairs)
            rows.append(row)
            dice = "  ".join(f"{d:.3f}" for d in row.dice)
            told = f"{row.ml[0]:.0f} {row.ml[1]:.0f} {row.ml[2]:.0f} of {row.ml[3]:.0f}"
            did = f"{row.decisions} ({row.repairs} repairs, {row.seconds:.1f} s)"
            print(f"{row.case:<24} {dice} | {told} | {did}", flush=True)
    sick = [row for row in rows if row.ml[3] > 0]
    for k, step in enumerate(("predicted", "accept and reject", "with repairs")):
        found = np.array([row.dice[k] for row in sick])
        least, below = found.min(), int((found < 0.97).sum())
        print(f"{step:>18}: mean {found.mean():.3f}, least {least:.3f}, {below} below 0.97")


if __name__ == "__main__":
    main()
