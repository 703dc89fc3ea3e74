"""Real scans: what a model accepts of each tumour and organ, and how far that moves.

    python benchmarks/real_scans.py [--model vnet|RUN|nnunet:DIR] [--steady] [--no-ct]
        [--data ../shared/data]

The whole-body GE scan (a sarcoma of the thigh, no CT), a GE scan of the chest (ACRIN042, a hilar
tumour that nobody drew), and ten IBSI crops round sarcomas; no lymphoma is among them. Each is
predicted as it is and changed (`changes`), the accepted mask brought back to the scan as it was.
``found``: the share of the tumour above SUV 4.0, of the scan as it was, that is accepted;
``other``: accepted mL above 4.0 whose uptake touches no tumour. ``--steady`` tells neither: only
how far the answer moves (Dice with the answer to the scan as it is, mL accepted, mL named
physiologic), which needs no truth and may be looked at while one develops.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.find import components, find_lesions
from tmtv_engine.lesion.rules import paper_rule, vote
from tmtv_engine.model import registry
from tmtv_engine.model.naming import Naming
from tmtv_engine.model.segmenter import Segmenter
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.study.rois import read_rois

Mask = npt.NDArray[np.bool_]
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WHOLE = "GE whole body"
HOT_SUV = 4.0
ORGANS_MM = {  # from z to z, LPS, of the uptake above SUV 4 that is no tumour: drawn once
    "brain": (-120.0, 0.0),
    "heart": (-360.0, -250.0),
    "kidney": (-530.0, -400.0),
    "ureter": (-640.0, -590.0),
    "bladder": (-700.0, -650.0),
}
URINARY = {"kidney", "ureter", "bladder"}  # neighbours whose border is anyone's guess


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan, its CT and the tumour that others drew, if they did."""

    name: str
    suv: Volume
    ct: Volume | None
    tumour: Mask

    def elsewhere(self) -> Mask:
        """Uptake above SUV 4 whose component touches no tumour."""
        hot = components(self.suv.array > HOT_SUV)
        touched = np.unique(hot[self.tumour])
        return (hot > 0) & ~np.isin(hot, touched[touched > 0])


@dataclass(frozen=True, eq=False)
class Change:
    """A changed scan, and the way of a mask or label map of it back to the scan as it was.

    ``moved`` (4×4, mm) takes a place of the body to where it lies now: its CT moves along.
    """

    name: str
    suv: Volume
    back: Callable[[Volume], Volume]
    seen: Mask | bool = True
    moved: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(4))

    def ct(self, ct: Volume | None) -> Volume | None:
        """The scan's CT as it lies beside the changed PET."""
        if ct is None:
            return None
        return Volume(ct.array, Grid(ct.grid.shape, self.moved @ ct.grid.affine), ct.unit)


def scans(data: Path, only: str = "") -> Iterator[Scan]:
    """The whole-body scan, the chest, then the crops; those whose name holds ``only``."""
    folder = data / "ge_wholebody_STS_001_raw"
    if only in WHOLE:
        yield _scan(WHOLE, folder / "image", folder / "mask" / "1-1.dcm", "GTV_Mass")
    if only in (chest := "ACRIN042"):
        yield _scan(chest, data / "ge_petct_ACRIN042" / "pet_ac")
    with (data / "reference_ibsi.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            folder = data / "ibsi_gml" / row["patient"]
            (roi,) = (folder / "PET" / "mask").iterdir()
            if only in (name := f"IBSI {row['patient']}"):
                yield _scan(name, folder, roi, row["rois"])


def _scan(name: str, images: Path, roi: Path | None = None, label: str = "") -> Scan:
    (study,) = (found for found in find_studies(images) if isinstance(found, Study))
    loaded = load_study(study)
    tumour = np.zeros(loaded.suv.grid.shape, bool)
    if roi is not None:
        tumour = read_rois(roi, loaded.suv.grid, names=[label]).labels.array > 0
    return Scan(name, loaded.suv, loaded.ct, tumour)


def changes(suv: Volume) -> Iterator[Change]:
    """The scan as it is, then changed in each way that must not matter."""
    same = _onto(suv.grid)
    array = np.asarray(suv.array, np.float32)
    noise = np.random.default_rng(0).normal(0, 0.15, array.shape).astype(np.float32)
    yield Change("as it is", suv, same)
    for gain in (0.7, 1.4):
        yield Change(f"SUV × {gain}", suv.with_array(array * gain), same)
    yield Change("noise", suv.with_array(np.maximum(array + noise * np.sqrt(array), 0)), same)
    flipped = suv.with_array(np.ascontiguousarray(array[:, :, ::-1]))
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = 2 * suv.grid.to_mm((np.array(suv.grid.shape) - 1) / 2)[0]

    def flipped_back(v: Volume) -> Volume:
        return suv.with_array(v.array[:, :, ::-1], v.unit)

    yield Change("mirrored", flipped, flipped_back, moved=mirror)
    yield _padded("64 mm of air above", suv, (0, round(64 / suv.grid.spacing_mm[0])), (0, 0))
    yield _padded("air round it", suv, (3, 5), (7, 12))
    length = array.shape[0] * suv.grid.spacing_mm[0]
    for name, kept in (("top", slice(None, -100)), ("bottom", slice(round(length / 3), None))):
        cut = _cut(suv, kept)
        seen = np.broadcast_to(cut[:, None, None], array.shape)
        shown = _part(suv, cut)
        yield Change(f"{name} cut off", shown, same, seen)
    yield _turned("shifted 3.7 mm", suv, 0.0, 3.7)
    yield _turned("turned 5°", suv, 5.0, 0.0)
    for mm in (2.0, 7.0):
        yield Change(f"voxels of {mm:.0f} mm", resample(suv, _cubes(suv.grid, mm)), same)


def _onto(grid: Grid) -> Callable[[Volume], Volume]:
    return lambda volume: resample(volume, grid, order=0)


def _padded(name: str, suv: Volume, z: tuple[int, int], across: tuple[int, int]) -> Change:
    array = np.pad(np.asarray(suv.array), (z, across, across))
    affine = suv.grid.affine.copy()
    affine[:3, 3] = suv.grid.to_mm([-z[0], -across[0], -across[0]])
    return Change(name, Volume(array, Grid(array.shape, affine), suv.unit), _onto(suv.grid))


def _cut(suv: Volume, kept_mm: slice) -> Mask:
    step, count = suv.grid.spacing_mm[0], suv.grid.shape[0]
    kept = np.zeros(count, bool)
    ends = [None if e is None else round(e / step) for e in (kept_mm.start, kept_mm.stop)]
    kept[slice(*ends)] = True
    return kept


def _part(suv: Volume, kept: Mask) -> Volume:
    first = int(np.flatnonzero(kept)[0])
    affine = suv.grid.affine.copy()
    affine[:3, 3] = suv.grid.to_mm([first, 0, 0])
    array = np.ascontiguousarray(suv.array[kept])
    return Volume(array, Grid(array.shape, affine), suv.unit)


def _turned(name: str, suv: Volume, degrees: float, shift_mm: float) -> Change:
    """The body turned about z and x and shifted along every axis, on the grid as it was."""
    a, middle = np.deg2rad(degrees), suv.grid.to_mm((np.array(suv.grid.shape) - 1) / 2)
    c, s = np.cos(a), np.sin(a)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
        [[1, 0, 0], [0, c, -s], [0, s, c]]
    )
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = turn, middle - turn @ middle + shift_mm
    there = Grid(suv.grid.shape, np.linalg.inv(move) @ suv.grid.affine)
    shown = Volume(resample(suv, there).array, suv.grid, suv.unit)

    def back(volume: Volume) -> Volume:
        return resample(Volume(volume.array, there, volume.unit), suv.grid, order=0)

    return Change(name, shown, back, moved=move)


def _cubes(grid: Grid, mm: float) -> Grid:
    size = [int(np.ceil(n * s / mm)) for n, s in zip(grid.shape, grid.spacing_mm, strict=True)]
    affine = grid.affine.copy()
    affine[:3, :3] = grid.affine[:3, :3] / grid.spacing_mm * mm
    corner = grid.to_mm([-0.5, -0.5, -0.5])
    affine[:3, 3] = corner + affine[:3, :3] @ [0.5, 0.5, 0.5]
    return Grid((size[0], size[1], size[2]), affine)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model said of one changed scan, on the scan as it was: accepted by rule, and names."""

    change: str
    seen: Mask | bool
    accepted: dict[str, Mask]
    names: npt.NDArray[np.str_] | None


def answers(scan: Scan, segment: Segmenter) -> Iterator[Answer]:
    """The model's answer to each change of a scan."""
    for change in changes(scan.suv):
        found = segment(change.suv, change.ct(scan.ct))
        masks = {
            "paper": paper_rule(found.probability),
            "vote": vote(found.probability, change.suv),
        }
        kept = {
            rule: change.back(_accepted(mask, change.suv, found.naming)).array > 0
            for rule, mask in masks.items()
        }
        names = None
        if found.naming is not None:
            labels = _labels(found.naming, change.suv.grid)
            names = np.array(("", *found.naming.names))[change.back(labels).array.astype(int)]
        yield Answer(change.name, change.seen, kept, names)


def _accepted(mask: Volume, suv: Volume, naming: Naming | None) -> Volume:
    """The mask of the lesions that start accepted: not of those that are named physiologic."""
    if naming is None:
        return mask
    lesions = find_lesions(mask, suv)
    rows = [k for k, name in enumerate(naming.of(lesions)) if not name.physiologic]
    return mask.with_array(lesions.take(rows).labels().array > 0)


def _labels(naming: Naming, grid: Grid) -> Volume:
    """One more than the likeliest structure's row, 0 beyond where anything is named."""
    labels = naming.probabilities.argmax(axis=0).astype(np.int32) + 1
    return resample(Volume(labels, naming.grid, Unit.LABEL), grid, order=0)


def steady(scan: Scan, told: list[Answer]) -> list[list[str]]:
    """How far each answer lies from the first, where the changed scan shows the place."""
    first, voxel_ml, rows = told[0], scan.suv.grid.voxel_ml, []
    hot = scan.suv.array > HOT_SUV
    for one in told:
        a, b = first.accepted["paper"] & one.seen, one.accepted["paper"] & one.seen
        size = a.sum() + b.sum()
        agreed = 2 * (a & b).sum() / size if size else 1.0
        cells = [f"{a.sum() * voxel_ml:.0f} → {b.sum() * voxel_ml:.0f}", f"{agreed:.2f}"]
        if one.names is not None and first.names is not None:
            there = hot & one.seen
            same = (one.names == first.names)[there].mean() if there.any() else 1.0
            cells.append(f"{same:.2f}")
        rows.append([scan.name, one.change, *cells])
    return rows


def judged(scan: Scan, told: list[Answer]) -> list[list[str]]:
    """The tumour's share that is found and other uptake accepted, by rule and change."""
    hot, voxel_ml = scan.tumour & (scan.suv.array > HOT_SUV), scan.suv.grid.voxel_ml
    other, rows = scan.elsewhere(), []
    for one in told:
        for rule, mask in one.accepted.items():
            core = hot & one.seen
            found = f"{(mask & core).sum() / core.sum():.2f}" if core.any() else "–"
            ml = float((mask & other & one.seen).sum() * voxel_ml)
            rows.append([scan.name, one.change, rule, found, f"{ml:.1f}"])
    return rows


def organs(scan: Scan, told: list[Answer]) -> list[list[str]]:
    """Of each organ of the whole-body scan above SUV 4: mL, mL accepted, the share named so."""
    index = np.arange(scan.suv.grid.shape[0])
    z = scan.suv.grid.to_mm(np.stack([index, 0 * index, 0 * index], axis=1))[:, 2]
    hot, voxel_ml, rows = scan.elsewhere(), scan.suv.grid.voxel_ml, []
    for one in told:
        cells = []
        for organ, (low, high) in ORGANS_MM.items():
            there = hot & ((z > low) & (z < high))[:, None, None] & one.seen
            cell = f"{(one.accepted['paper'] & there).sum() * voxel_ml:.1f} of "
            cell += f"{there.sum() * voxel_ml:.0f}"
            if one.names is not None and there.any():
                names = one.names[there]
                right = np.isin(names, list(URINARY)) if organ in URINARY else names == organ
                cell += f", {(names == organ).mean():.2f} ({right.mean():.2f})"
            cells.append(cell)
        rows.append([one.change, *cells])
    return rows


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Predict every scan, changed in every way, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vnet")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--steady", action="store_true", help="look at no tumour and no organ")
    parser.add_argument("--no-ct", action="store_true", help="show it no CT")
    parser.add_argument("--only", default="", metavar="WORD", help="scans whose name holds it")
    given = parser.parse_args()
    segment = registry.load(given.model, given.device).segment
    if segment is None:
        parser.error("hotspot is no network")
    moved, found, whole = [], [], []
    for scan in scans(given.data, given.only):
        told = list(answers(replace(scan, ct=None) if given.no_ct else scan, segment))
        moved += steady(scan, told)
        if not given.steady:
            found += judged(scan, told)
            whole += organs(scan, told) if scan.name == WHOLE else []
    print(markdown(["scan", "change", "accepted mL", "Dice", "same names above 4"], moved))
    if not given.steady:
        print()
        print(markdown(["scan", "change", "rule", "tumour found > 4.0", "other mL > 4"], found))
        print("\nGE whole body, mL above SUV 4 accepted, share named so (named urinary):\n")
        print(markdown(["change", *ORGANS_MM], whole))


if __name__ == "__main__":
    main()
