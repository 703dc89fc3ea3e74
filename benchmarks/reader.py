"""A scripted reader in tmux settles ten digital patients and, where it is there, the GE scan.

    python benchmarks/reader.py --folder kept      # drawn and predicted once, read again and again

It reads as `tests/support/reader.py` tells: it knows the truth, and has only keys and screen. TMTV
on the screen is compared with an independent sum after each decision; then a fresh process replays
the journal, `tmtv verify` looks at it, and all is undone with `u` to the prediction. Seconds are
those of the script on this machine, a person thinks.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.reader import CUT, Mask, Reader, Told
from tests.support.tmux import Tmux
from tmtv_engine.case.folder import read_case
from tmtv_engine.image.nifti import read_nifti
from tmtv_engine.image.volume import Unit
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import refresh
from tmtv_engine.review.verify import verify
from tmtv_tui.cli.app import main as tmtv

GE = Path(__file__).resolve().parents[2] / "shared/data/ge_wholebody_STS_001_raw"


def sit(out: Path, name: str, socket: Path, size: tuple[int, int]) -> Tmux:
    """A tmux with one case of a folder open."""
    tmux = Tmux(out, socket, "--reader", "AB", size=size, TMTV_ADVANCE="false")
    at = sorted(p.parent.name for p in out.glob("*/case.json")).index(name)
    tmux.until(lambda text: name in text and "reading" not in text)
    tmux.press("j", at)
    tmux.press("Enter")
    tmux.until("TLG g")
    return tmux


def read(out: Path, name: str, truth: Mask, repairs: int, size: tuple[int, int]) -> Told:
    """Read a case, hold it against a replay, and take all of it back."""
    folder = out / name
    if (folder / "review").exists():  # of a run before
        shutil.rmtree(folder / "review")
        refresh(read_case(folder))
    with tempfile.TemporaryDirectory() as home:
        tmux = sit(out, name, Path(home) / "one", size)
        try:
            reader = Reader(tmux, folder, truth)
            told = reader.read(repairs)
        finally:
            tmux.end()
        hold(folder, reader)
        tmux = sit(out, name, Path(home) / "two", size)
        try:
            reader.tmux = tmux
            reader.take_back()
        finally:
            tmux.end()
    record = refresh(read_case(folder)).record
    again = reading_of(read_case(folder), "AB")
    base = read_case(folder).voxels()
    if record.totals != record.predicted_totals or again.lesions is base:
        raise SystemExit(f"{name}: undone it is not the prediction")
    if again.lesions.voxels.tobytes() != base.voxels.tobytes():
        raise SystemExit(f"{name}: undone it holds other voxels")
    return told


def hold(folder: Path, reader: Reader) -> None:
    """Replayed anew it is what was counted beside it, to the bit, and so are the totals."""
    case = read_case(folder)
    replayed = reading_of(case, "AB")
    if {n: str(s) for n, s in replayed.status.items()} != reader.tally.status:
        raise SystemExit(f"{case.name}: the replay has another status")
    if not np.array_equal(replayed.lesions.labels().array, reader.tally.labels()):
        raise SystemExit(f"{case.name}: the replay is another label map")
    record = refresh(case).record
    for method, total in record.totals.items():
        if abs(total.tmtv_ml - reader.tally.ml(method)) > 1e-6 * max(total.tmtv_ml, 1):
            raise SystemExit(f"{case.name}: case.json has another total by {method}")
    if any(f.failed for f in verify(folder)):
        raise SystemExit(f"{case.name}: verify finds what was not changed")


def patients(home: Path, count: int, seed: int) -> Iterator[tuple[Path, str, Mask]]:
    """Digital patients, drawn and predicted: folder of cases, name, truth (z, y, x)."""
    drawn, out = home / "patients", home / "out"
    wanted = ["-n", str(count), "--seed", str(seed), "--format", "nifti", "-q"]
    if not (drawn / "manifest.csv").exists() and tmtv(["phantom", str(drawn), *wanted]):
        raise SystemExit(1)
    if not (out / "summary.csv").exists():
        predicted = ["-o", str(out), "--model", "vnet", "-q"]
        if tmtv(["predict", str(drawn / "manifest.csv"), *predicted]):
            raise SystemExit(1)
    for folder in sorted(p for p in drawn.iterdir() if p.is_dir()):
        yield out, folder.name, read_nifti(folder / "rois.nii.gz", Unit.LABEL).array > 0


def scan(home: Path) -> Iterator[tuple[Path, str, Mask]]:
    """The GE scan with what was drawn of its tumour."""
    from tmtv_engine.study.rois import read_rois

    if not GE.is_dir():
        print("the GE scan is left out: no ../shared/data beside this checkout")
        return
    out = home / "ge"
    if not (out / "summary.csv").exists() and tmtv(
        ["predict", str(GE / "image"), "-o", str(out), "--model", "vnet", "-q"]
    ):
        raise SystemExit(1)
    (folder,) = (p.parent for p in out.glob("*/case.json"))
    grid = read_case(folder).voxels().grid
    rois = read_rois(GE / "mask" / "1-1.dcm", grid, names=["GTV_Mass"])
    yield out, folder.name, rois.labels.array > 0


def main() -> None:
    """Read them, and say what each took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--repairs", type=int, default=8, help="at most, a patient")
    parser.add_argument("--size", default="100x50", help="columns x lines")
    parser.add_argument("--folder", type=Path, help="keep patients and cases there, for a rerun")
    given = parser.parse_args()
    wide, high = map(int, given.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        home = given.folder or Path(name)
        found = []
        print(f"case                 Dice above {CUT}: predicted, read, repaired | keys, seconds")
        for out, case, truth in [*scan(home), *patients(home, given.n, given.seed)]:
            told = read(out, case, truth, given.repairs, (wide, high))
            found.append(told)
            dice = "  ".join(f"{d:.3f}" for d in told.dice)
            did = f"{told.keys} keys ({told.steps} steps of the cursor), {told.decisions} decisions"
            print(f"{case:<20} {dice} | {did}, {told.repairs} repairs, {told.seconds:.0f} s")
            sys.stdout.flush()
    keys = statistics.median(told.keys for told in found)
    seconds = statistics.median(told.seconds for told in found)
    print(f"{len(found)} cases: median {keys:.0f} keys, {seconds:.0f} s; every total was the sum")


if __name__ == "__main__":
    main()
