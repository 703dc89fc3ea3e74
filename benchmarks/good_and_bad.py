"""Three good and three bad digital patients: projections with the truth and the prediction.

    python benchmarks/digital_table.py --patients 100 --json rows.json
    python -m benchmarks.good_and_bad rows.json docs/images/good-and-bad.png

The paper's Figure 4, of the default rule: by Dice before the cut, the best and the worst of the
patients with disease. Blue: the truth (TMTVprob ≥ 0.5); red: what is predicted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.digital_table import truth_map
from tmtv_engine.image.volume import Array
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.lesion.rules import paper_rule
from tmtv_engine.model.infer import load_model
from tmtv_engine.phantom.draw import draw_patient

EACH = 3
TOP_SUV = 10.0


def chosen(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The best and the worst rows of the paper's rule, best first, the worst last."""
    own = [r for r in rows if r["arm"] == "paper" and r["subtype"] and r["prob"] is not None]
    ranked = sorted(own, key=lambda r: -r["prob"])
    return ranked[:EACH] + ranked[-EACH:]


def show(axes: Any, row: dict[str, Any], model: str, device: str) -> None:
    """The front and the side projection of one patient with both masks' outlines."""
    patient = draw_patient(row["seed"])
    truth = truth_map(patient, from_labels(patient.rois, patient.suv)).array >= 0.5
    chance = load_model(model, device)(patient.suv, patient.ct).probability
    mask = paper_rule(chance).array > 0
    for axis, along in zip(axes, (1, 2), strict=True):
        axis.imshow(_up(patient.suv.array.max(along)), cmap="gray_r", vmin=0, vmax=TOP_SUV)
        for found, colour in ((truth, "#1f6fd1"), (mask, "#d1262f")):
            flat = _up(np.asarray(found.any(along)))
            if flat.any():
                axis.contour(flat, [0.5], colors=colour, linewidths=0.7)
        axis.set_axis_off()
    ours, real = row["4.0 ml"]
    said = f"{row['subtype']}, seed {row['seed']}\nDice {row['prob']:.2f}\n4.0: {ours:.0f} of "
    axes[0].set_title(f"{said}{real:.0f} mL", fontsize=7, loc="left")


def _up(image: Array) -> Array:
    return image[::-1]  # head end on top


def main() -> None:
    """Draw the six patients anew, predict them and write the picture."""
    from matplotlib.figure import Figure

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path, help="what digital_table.py --json wrote")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--model", default="vnet")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    cases = chosen(json.loads(given.rows.read_text("utf-8")))
    figure = Figure(figsize=(9.5, 7.6), facecolor="white")
    axes = figure.subplots(2, 2 * EACH).ravel()
    for k, row in enumerate(cases):
        show(axes[2 * k : 2 * k + 2], row, given.model, given.device)
    figure.subplots_adjust(0.005, 0.01, 0.995, 0.93, wspace=0.02, hspace=0.18)
    figure.savefig(given.picture, dpi=90, metadata={"Software": "tmtv"})


if __name__ == "__main__":
    main()
