"""Real scans: how much of each tumour a model accepts, and which organs with it.

    python benchmarks/real_scans.py [--model vnet|RUN|nnunet:DIR] [--data ../shared/data]

The whole-body GE scan (a sarcoma of the thigh, no CT) and ten IBSI crops round sarcomas, with the
tumour drawn by others as RTSTRUCT; no lymphoma is among them. ``found``: the share of the tumour's
voxels above 4.0, above 2.5 and above 41 % of its maximum that the model accepts, by either rule;
``other``: accepted mL above SUV 4 that touch no tumour. The organs of the GE scan are told by
their height on the table.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Volume
from tmtv_engine.lesion.find import components
from tmtv_engine.lesion.rules import paper_rule, vote
from tmtv_engine.model import registry as models
from tmtv_engine.study.find import Study, find_studies
from tmtv_engine.study.load import load_study
from tmtv_engine.study.rois import read_rois

Mask = npt.NDArray[np.bool_]
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WHOLE = "ge_wholebody_STS_001_raw"
HOT_SUV = 4.0
ORGANS_MM = {  # from z to z, LPS, of the uptake above SUV 4 that is no tumour
    "brain": (-120.0, 0.0),
    "heart": (-360.0, -250.0),
    "kidneys": (-530.0, -400.0),
    "ureter": (-640.0, -590.0),
    "bladder": (-700.0, -650.0),
}


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan, its CT and the tumour that others drew."""

    name: str
    suv: Volume
    ct: Volume | None
    tumour: Mask

    def cuts(self) -> tuple[Mask, ...]:
        """The tumour above 4.0, above 2.5 and above 41 % of its maximum."""
        array = self.suv.array
        top = float(array[self.tumour].max())
        return tuple(self.tumour & (array > limit) for limit in (4.0, 2.5, 0.41 * top))

    def elsewhere(self) -> Mask:
        """Uptake above SUV 4 whose component touches no tumour."""
        hot = components(self.suv.array > HOT_SUV)
        touched = np.unique(hot[self.tumour])
        return (hot > 0) & ~np.isin(hot, touched[touched > 0])


def scans(data: Path) -> Iterator[Scan]:
    """The whole-body scan, then the crops."""
    folder = data / WHOLE
    yield _scan("GE whole body", folder / "image", folder / "mask" / "1-1.dcm", "GTV_Mass")
    with (data / "reference_ibsi.csv").open(encoding="utf-8") as table:
        for row in csv.DictReader(table):
            folder = data / "ibsi_gml" / row["patient"]
            (roi,) = (folder / "PET" / "mask").iterdir()
            yield _scan(f"IBSI {row['patient']}", folder, roi, row["rois"])


def _scan(name: str, images: Path, roi: Path, label: str) -> Scan:
    (study,) = find_studies(images)
    if not isinstance(study, Study):
        raise study.error
    loaded = load_study(study)
    tumour = read_rois(roi, loaded.suv.grid, names=[label]).labels.array > 0
    return Scan(name, loaded.suv, loaded.ct, tumour)


def row_of(scan: Scan, rule: str, mask: Mask) -> list[str]:
    """One line of the table: the tumour's volume above 4, shares found, other uptake."""
    cuts, voxel_ml = scan.cuts(), scan.suv.grid.voxel_ml
    found = [f"{(mask & cut).sum() / cut.sum():.2f}" for cut in cuts]
    other = float((mask & scan.elsewhere()).sum() * voxel_ml)
    return [scan.name, rule, f"{cuts[0].sum() * voxel_ml:.1f}", *found, f"{other:.1f}"]


def organs_of(scan: Scan, rule: str, mask: Mask) -> list[str]:
    """Accepted mL above SUV 4 in each organ of the whole-body scan, of how much there is."""
    index = np.arange(scan.suv.grid.shape[0])
    z = scan.suv.grid.to_mm(np.stack([index, 0 * index, 0 * index], axis=1))[:, 2]
    hot = scan.elsewhere()
    cells = []
    for low, high in ORGANS_MM.values():
        there = hot & ((z > low) & (z < high))[:, None, None]
        ml = [float(m.sum() * scan.suv.grid.voxel_ml) for m in (there & mask, there)]
        cells.append(f"{ml[0]:.1f} of {ml[1]:.0f}")
    return [rule, *cells]


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Predict every scan and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vnet")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    segment = models.load(given.model, given.device).segment
    if segment is None:
        parser.error("hotspot is no network")
    rows, organs = [], []
    for scan in scans(given.data):
        chance = segment(scan.suv, scan.ct).probability
        masks = {"paper": paper_rule(chance).array, "vote": vote(chance, scan.suv).array}
        for rule, mask in masks.items():
            rows.append(row_of(scan, rule, mask))
            if scan.name.startswith("GE"):
                organs.append(organs_of(scan, rule, mask))
    head = ["scan", "rule", "tumour mL > 4", "found > 4.0", "found > 2.5", "found > 41 %"]
    print(markdown([*head, "other mL > 4"], rows))
    print()
    print("GE whole body, mL above SUV 4 accepted:")
    print(markdown(["rule", *ORGANS_MM], organs))


if __name__ == "__main__":
    main()
