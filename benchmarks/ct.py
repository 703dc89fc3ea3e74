"""What a CT adds: digital patients that no training has seen, predicted with theirs and without.

    python -m benchmarks.ct --anatomies FOLDER [--patients 20] [--first-seed 390] --model RUN

The same patients, network and rule, in one run: mean Dice with the truth map (of those who have
tumour), lesions found, false lesions and false mL; then for each structure the mL that the phantom
says are its own above SUV 2.5, and the share of them that is named so. The rest of the body counts
for nothing: what matters is whether hot uptake is called what it is.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.digital_table import compare, truth_map
from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.redraw import redraw
from tmtv_engine.lesion.rules import paper_rule
from tmtv_engine.lesion.structures import STRUCTURES
from tmtv_engine.model.infer import NetworkSegmenter, load_model
from tmtv_engine.model.naming import Naming
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.draw import Patient, draw_patient

HOT_SUV = 2.5
ARMS = ("without", "with CT")


def labels(naming: Naming, grid: Grid) -> np.ndarray:
    """The likeliest structure of each voxel of ``grid`` (z, y, x)."""
    likeliest = naming.probabilities.argmax(axis=0).astype(np.int32)
    return np.asarray(resample(Volume(likeliest, naming.grid, Unit.LABEL), grid, order=0).array)


def judged(
    patient: Patient, segment: NetworkSegmenter, ct: Volume | None, named: np.ndarray
) -> dict[str, Any]:
    """A patient's figures; ``named`` (2, S): hot voxels of each structure and those named right."""
    truth = from_labels(patient.rois, patient.suv)
    found = segment.plain(patient.suv, ct)
    assert found.naming is not None
    chance = found.probability
    if segment.recipe.redraw:
        chance = redraw(chance, patient.suv)
    soft = truth_map(patient, truth)
    told = compare(patient, paper_rule(chance), truth, soft, found.naming)
    hot = (np.asarray(patient.suv.array) > HOT_SUV) & (np.asarray(patient.rois.array) == 0)
    real = np.asarray(patient.structures.array)[hot]
    right = labels(found.naming, patient.suv.grid)[hot] == real
    size = len(STRUCTURES)
    named += [np.bincount(real, minlength=size), np.bincount(real[right], minlength=size)]
    return told


def main() -> None:
    """Draw, predict twice, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--anatomies", type=Path, required=True)
    parser.add_argument("--patients", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=390)
    parser.add_argument("--model", required=True, help="one that takes a CT")
    parser.add_argument("--spacing-mm", type=float, default=4.0, help="edge of the drawn voxels")
    given = parser.parse_args()
    segment, anatomies = load_model(given.model, "auto"), Anatomies.load(given.anatomies)
    if not segment.takes_ct:
        parser.error(f"--model {given.model} takes no CT")
    named = {arm: np.zeros((2, len(STRUCTURES)), np.int64) for arm in ARMS}
    rows = defaultdict(list)
    for seed in range(given.first_seed, given.first_seed + given.patients):
        patient = draw_patient(seed, spacing_mm=given.spacing_mm, anatomies=anatomies)
        for arm, ct in zip(ARMS, (None, patient.ct), strict=True):
            rows[arm].append(judged(patient, segment, ct, named[arm]))
        print(seed, patient.subtype, *(rows[arm][-1]["prob"] for arm in ARMS), flush=True)
    print("\n| | mean Dice | found | false lesions | false mL |\n|---|---|---|---|---|")
    for arm in ARMS:
        dice = [row["prob"] for row in rows[arm] if row["lesions"]]
        sums = {k: sum(row[k] for row in rows[arm]) for k in ("lesions", "missed", "false")}
        ml = np.mean([row["false_ml"] for row in rows[arm]])
        share = 1 - sums["missed"] / max(1, sums["lesions"])
        cells = (
            f"{np.mean(dice):.3f} | {share:.3f} | {sums['false'] / len(rows[arm]):.2f} | {ml:.1f}"
        )
        print(f"| {arm} | {cells} |")
    print("\n| structure | mL above 2.5 | " + " | ".join(ARMS) + " |\n|---|---|---|---|")
    voxel_ml = patient.suv.grid.voxel_ml
    for k, row in enumerate(STRUCTURES):
        count = named[ARMS[0]][0, k]
        if count:
            shares = " | ".join(f"{named[arm][1, k] / count:.2f}" for arm in ARMS)
            print(f"| {row.name} | {count * voxel_ml:.0f} | {shares} |")


if __name__ == "__main__":
    main()
