"""A run's `metrics.csv` as a picture: loss and validation Dice over the epochs."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from tmtv_engine.files import aside


def read_metrics(path: Path) -> dict[str, list[float]]:
    """The columns of a `metrics.csv`, each one number an epoch, NaN where none is told."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name] or "nan") for row in rows] for name in (rows[0] if rows else {})}


def write_curve(metrics: Path, path: Path) -> bool:
    """Draw ``metrics`` into the PNG ``path``; False where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:  # training itself needs torch and numbers only
        return False
    found = read_metrics(metrics)
    figure = Figure(figsize=(6.4, 3.6), dpi=100, layout="constrained")
    loss = figure.subplots()
    loss.plot(found["epoch"], found["loss"], ".-", color="#4c72b0", label="training loss")
    loss.set(xlabel="epoch", ylabel="training loss")
    loss.locator_params(axis="x", integer=True)
    lines = loss.get_lines()
    if not all(math.isnan(v) for v in found["val_dice"]):
        score = loss.twinx()
        score.plot(found["epoch"], found["val_dice"], ".--", color="#c44e52", label="val Dice")
        score.set(ylabel="soft Dice, validation")
        lines = [*lines, *score.get_lines()]
    loss.legend(handles=lines, loc="center right", frameon=False)
    with aside(path) as part:
        figure.savefig(part, format="png", metadata={"Software": None})
    return True
