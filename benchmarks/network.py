"""bf16 channels-last against plain float32, same weights and input, one run.

    python benchmarks/network.py [--threads 2] [--small]

The paper's network forward at 256×128×128 for the time (its weights are random: none that are
trained exist; goal 2.5 times as fast on two cores with AMX or AVX-512 bf16), and the bundled one
on a drawn patient, by the way that `tmtv predict` goes, for time, probabilities and lesions. The
bundled one runs in float32: what it would say in bf16 tells why. Each form is called twice and
the second call counts.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from tmtv_engine.image.volume import Grid, Volume
from tmtv_engine.lesion.find import find_lesions
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.rules import paper_rule
from tmtv_engine.model.channels import channels_of, grid_for, on_grid
from tmtv_engine.model.infer import NetworkSegmenter, load_model
from tmtv_engine.model.plans import PAPER
from tmtv_engine.model.recipes import THE_PAPERS
from tmtv_engine.model.vnet import VNet
from tmtv_engine.phantom.draw import Patient, draw_patient

SEED = 1
LARGE_ML = 5.0


def image_of(drawn: Patient, *, small: bool) -> Tensor:
    """The image (1, 2, z, y, x) of a drawn patient on the paper's grid."""
    grid = grid_for(drawn.suv, THE_PAPERS)
    suv, hu = (torch.from_numpy(on_grid(v, grid, THE_PAPERS)) for v in (drawn.suv, drawn.ct))
    image = channels_of(suv, hu, THE_PAPERS)[None]
    return (image[:, :, 96:160, 48:80, 48:80] if small else image).float().contiguous()


def timed(net: VNet, image: Tensor, *, bf16: bool) -> tuple[float, Tensor]:
    """Seconds and probability of the second of two forward passes."""
    for _ in range(2):
        started = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            logits = net(image)
        seconds = time.perf_counter() - started
    return seconds, torch.sigmoid(logits.float())[0, 0]


def middle(suv: Volume) -> Volume:
    """The middle fifth of a body's slices."""
    count = suv.grid.shape[0]
    first = 2 * count // 5
    array = np.ascontiguousarray(suv.array[first : 3 * count // 5])
    affine = suv.grid.affine.copy()
    affine[:3, 3] = suv.grid.to_mm([first, 0, 0])
    return Volume(array, Grid(array.shape, affine), suv.unit)


def lesions_of(probability: Volume, suv: Volume) -> Lesions:
    """The lesions by the paper's rule."""
    return find_lesions(paper_rule(probability), suv)


def apart(one: Lesions, two: Lesions) -> tuple[float, int]:
    """The largest relative difference in volume of lesions over 5 mL, and how many there are.

    A lesion's partner is the one that shares most of its voxels.
    """
    theirs = two.labels().array.reshape(-1)
    large = [k for k in range(len(one)) if one.counts[k] * one.grid.voxel_ml > LARGE_ML]
    most = 0.0
    for k in large:
        shared = np.bincount(theirs[one.voxels[one.span(k)]], minlength=2)[1:]
        size = int((theirs == 1 + shared.argmax()).sum()) if shared.any() else 0
        most = max(most, abs(size / int(one.counts[k]) - 1))
    return most, len(large)


def both(net: VNet, image: Tensor) -> tuple[float, float, Tensor, Tensor]:
    """Seconds and probability in float32 and in bf16 channels-last."""
    plain, expected = timed(net.to(memory_format=torch.contiguous_format), image, bf16=False)  # type: ignore[call-overload]
    last = torch.channels_last_3d
    fast, got = timed(net.to(memory_format=last), image.contiguous(memory_format=last), bf16=True)  # type: ignore[call-overload]
    return plain, fast, expected, got


def predicted(model: NetworkSegmenter, suv: Volume, *, bf16: bool) -> tuple[float, Volume]:
    """Seconds and probability, not redrawn, of the second of two predictions."""
    recipe = replace(model.recipe, bf16=bf16)
    record = {**model.record, "structures": model.names}
    segment = NetworkSegmenter(model.net, recipe, record, model.device)
    for _ in range(2):
        started = time.perf_counter()
        probability = segment.plain(suv).probability
        seconds = time.perf_counter() - started
    return seconds, probability


def bundled(suv: Volume) -> None:
    """Compare time, probabilities and lesions of the bundled network in both forms."""
    model = load_model("vnet", "cpu")
    (plain, expected), (fast, got) = (predicted(model, suv, bf16=bf16) for bf16 in (False, True))
    print(f"bundled network: float32 {plain:.2f} s, bf16 (where the CPU has it) {fast:.2f} s")
    off = np.abs(got.array - expected.array)
    print(f"  largest difference in probability {float(off.max()):.4f}")
    print(f"  99.9 % of the voxels within {float(np.quantile(off, 0.999)):.4f}")
    two = [lesions_of(probability, suv) for probability in (expected, got)]
    ml = [int(some.counts.sum()) * suv.grid.voxel_ml for some in two]
    most, count = apart(*two)
    print(f"  {len(two[0])} and {len(two[1])} lesions, {ml[0]:.2f} and {ml[1]:.2f} mL")
    print(f"  largest difference in volume of {count} lesions over {LARGE_ML:.0f} mL: {most:.2%}")


def main() -> None:
    """Time the paper's network in both forms; compare what the bundled one says in both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="a small part of each volume")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    drawn = draw_patient(SEED)
    plain, fast, expected, got = both(VNet(PAPER).eval(), image_of(drawn, small=given.small))
    print(f"float32 {plain:.2f} s, bf16 channels-last {fast:.2f} s: {plain / fast:.2f} times")
    off = float((got - expected).abs().max())
    print(f"largest difference in probability {off:.4f} (of an untrained network)")
    bundled(middle(drawn.suv) if given.small else drawn.suv)


if __name__ == "__main__":
    main()
