"""Which threshold and which agreement of a network's two answers finds most: on digital patients.

    python -m benchmarks.choose_threshold MODEL --anatomies FOLDER [--first-seed 10] [--patients 24]

Patients are drawn on cubes of 4 mm in anatomies that no training sees, predicted once, and made
lesions by every threshold and agreement (`RULES`): ``organs`` leaves what is an organ that is hot
by nature to it whatever the tumour's answer is; ``doubt`` takes from it the share that the
tumour's own probability, not brought to one half, has, ``some`` that with 0.3 brought to one half
(`Recipe.yielding`); ``all`` shares organs like tissue.
Dice is that of accepted lesions before a cut; ``low`` and ``named`` tell of the lesions that were
missed how many had no voxel above the threshold, and how many had but were named physiologic.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from benchmarks.digital_table import accepted, truth_map
from tmtv_engine.image.resample import resample
from tmtv_engine.image.volume import Grid, Unit, Volume
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.redraw import redraw
from tmtv_engine.lesion.rules import paper_rule
from tmtv_engine.model.infer import load_model, recentred
from tmtv_engine.model.naming import Naming, agreed
from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.draw import Patient, draw_patient
from tmtv_engine.report.agreement import detection, dice

Float = npt.NDArray[np.float32]
Row = dict[str, float]
SIZES_ML = (1, 2, 10)
HEAD = (
    *("rule", "threshold", "mean Dice", "found", "<1 mL", "1-2", "2-10", ">10"),
    *("false", "false mL", "rho", "low", "named"),
)
RULES: dict[str, Callable[[Float, Float], Float]] = {
    "organs": lambda raw, chance: np.zeros_like(raw),
    "doubt": lambda raw, chance: raw,
    "some": lambda raw, chance: recentred(raw, 0.3),
    "all": lambda raw, chance: chance,
}


@dataclass(frozen=True, eq=False)
class Answer:
    """A network's two answers (1 + S, z, y, x) on its grid."""

    values: Float
    grid: Grid
    names: tuple[str, ...]

    def on(self, grid: Grid, chance: Float) -> Volume:
        """``chance`` of the network's grid on another."""
        return resample(Volume(chance, self.grid, Unit.PROBABILITY), grid)


def judge(patient: Patient, answer: Answer, t: float, rule: str) -> Row:
    """One patient's figures by one threshold and rule."""
    truth = from_labels(patient.rois, patient.suv)
    raw, voxel_ml = answer.values[0], patient.suv.grid.voxel_ml
    chance = recentred(raw, t)
    joint = agreed(chance, answer.values[1:], answer.names, RULES[rule](raw, chance))
    own = np.minimum(chance, 1 - Naming(joint, answer.names, answer.grid).physiologic())
    naming = Naming(joint, answer.names, answer.grid, claimed=own > 0.5)
    plain = answer.on(patient.suv.grid, own)
    found = accepted(paper_rule(redraw(plain, patient.suv)), patient.suv, naming).labels().array
    drawn = truth.labels().array
    hits = detection(found, drawn, voxel_ml)
    missed = np.isin(truth.ids, hits.missed)
    flat = answer.on(patient.suv.grid, chance).array.reshape(-1)
    low = np.array([flat[truth.voxels[a:b]].max() < 0.5 for a, b in pairwise(truth.starts)], bool)
    score = dice(found > 0, truth_map(patient, truth).array >= 0.5)
    size = np.digitize(truth.counts * voxel_ml, SIZES_ML)
    sizes = range(len(SIZES_ML) + 1)
    return {
        "dice": score if score is not None else np.nan,
        "lesions": len(truth),
        "missed": int(missed.sum()),
        "false": len(hits.false),
        "false_ml": hits.false_ml,
        "low": int((missed & low).sum()),
        "named": int((missed & ~low).sum()),
        "ml": float((found > 0).sum() * voxel_ml),
        "true": float((drawn > 0).sum() * voxel_ml),
        **{f"n{k}": int((size == k).sum()) for k in sizes},
        **{f"f{k}": int(((size == k) & ~missed).sum()) for k in sizes},
    }


def cells(some: list[Row]) -> list[str]:
    """Some patients' figures, in the order of `HEAD`."""
    total = {k: sum(r[k] for r in some) for k in some[0]}
    found = 1 - total["missed"] / max(1, total["lesions"])
    sizes = [f"{total[f'f{k}']:.0f}/{total[f'n{k}']:.0f}" for k in range(len(SIZES_ML) + 1)]
    false = [f"{total['false'] / len(some):.1f}", f"{total['false_ml'] / len(some):.0f}"]
    rho = spearmanr([r["ml"] for r in some], [r["true"] for r in some])[0]
    missed = [f"{total['low']:.0f}", f"{total['named']:.0f}"]
    return [
        f"{np.nanmean([r['dice'] for r in some]):.3f}",
        f"{found:.2f}",
        *sizes,
        *false,
        f"{rho:.2f}",
        *missed,
    ]


def main() -> None:
    """Draw, predict once, judge by each, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--anatomies", required=True)
    parser.add_argument("--first-seed", type=int, default=10)
    parser.add_argument("--patients", type=int, default=24)
    parser.add_argument("--thresholds", type=float, nargs="+", default=[0.1, 0.2, 0.3, 0.5])
    parser.add_argument("--rules", nargs="+", default=list(RULES))
    parser.add_argument("--spacing-mm", type=float, default=4.0, help="edge of the drawn voxels")
    given = parser.parse_args()
    segment = load_model(given.model, "cpu")
    anatomies = Anatomies.load(given.anatomies)
    rows: dict[tuple[str, float], list[Row]] = defaultdict(list)
    for seed in range(given.first_seed, given.first_seed + given.patients):
        patient = draw_patient(seed, spacing_mm=given.spacing_mm, anatomies=anatomies)
        values, grid, _ = segment.answers(patient.suv)
        answer = Answer(values, grid, segment.names)
        for rule in given.rules:
            for t in given.thresholds:
                rows[rule, t].append(judge(patient, answer, t, rule))
        print(seed, end=" ", flush=True)
    print(f"\n| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
    for (rule, t), some in rows.items():
        print(f"| {rule} | {t} | {' | '.join(cells(some))} |")


if __name__ == "__main__":
    main()
