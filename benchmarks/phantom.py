"""Digital patients a second: on the grid of the bundled network's training and of a scanner.

    python benchmarks/phantom.py [--patients 8] [--device cpu]

Beside the drawing alone: the same patients written as DICOM PET, CT and RTSTRUCT, as
`tmtv phantom` does. One thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import torch

from tmtv_engine.phantom.draw import draw_tensors
from tmtv_engine.phantom.write import write_drawn

FIRST = 3000


def main() -> None:
    """Print seconds a patient and patients a second at 8 and 4 mm, and with DICOM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    draw_tensors(FIRST - 1, spacing_mm=8.0, device=given.device)
    drawn = {mm: _seconds(given.patients, mm, given.device) for mm in (8.0, 4.0)}
    for mm, each in drawn.items():
        print(f"{mm:.0f} mm, {given.device}: {each:.2f} s a patient, {1 / each:.2f} a second")
    each = _written(max(1, given.patients // 4))
    print(f"4 mm, written as DICOM: {each:.2f} s, {each / drawn[4.0]:.2f} times the drawing")


def _seconds(patients: int, spacing_mm: float, device: str) -> float:
    start = time.perf_counter()
    for seed in range(FIRST, FIRST + patients):
        drawn = draw_tensors(seed, spacing_mm=spacing_mm, device=device)
        drawn.suv.sum().item()  # waits for a GPU
    return (time.perf_counter() - start) / patients


def _written(patients: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        for seed in range(FIRST, FIRST + patients):
            folder = Path(name) / str(seed)
            folder.mkdir()
            write_drawn(folder, seed, "dicom")
        return (time.perf_counter() - start) / patients


if __name__ == "__main__":
    main()
