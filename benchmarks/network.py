"""bf16 channels-last against plain float32, same weights and input, one run.

    python benchmarks/network.py [--threads 2] [--small]

The paper's network forward at 256×128×128 for the time (its weights are random: none that are
trained exist; goal 2.5 times as fast on two cores with AMX or AVX-512 bf16) and the bundled one on
a drawn patient for what becomes of probabilities (goal: within 0.01) and lesions (volumes within
1 %). Each form is called twice and the second call counts.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import Tensor

from tmtv_engine.image.resample import model_grid, resample
from tmtv_engine.image.volume import Unit, Volume
from tmtv_engine.lesion.find import find_lesions
from tmtv_engine.lesion.lists import Lesions
from tmtv_engine.lesion.rules import paper_rule
from tmtv_engine.model.channels import scaled, scaled_hu
from tmtv_engine.model.infer import load_model
from tmtv_engine.model.vnet import PAPER, VNet
from tmtv_engine.phantom.draw import draw_patient

SEED = 1
LARGE_ML = 5.0
SHAPE = (256, 128, 128)


def patient_of(*, small: bool) -> Tensor:
    """The image (1, 2, z, y, x) of a drawn patient on the paper's grid."""
    drawn = draw_patient(SEED)
    grid = model_grid(drawn.suv, 4.0, SHAPE)
    suv = scaled(torch.tensor(resample(drawn.suv, grid).array), "linear")
    image = torch.stack([suv, scaled_hu(torch.tensor(resample(drawn.ct, grid).array))])[None]
    return (image[:, :, 64:192, 32:96, 32:96] if small else image).float().contiguous()


def timed(net: VNet, image: Tensor, *, bf16: bool) -> tuple[float, Tensor]:
    """Seconds and probability of the second of two forward passes."""
    for _ in range(2):
        started = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            logits = net(image)
        seconds = time.perf_counter() - started
    return seconds, torch.sigmoid(logits.float())[0, 0]


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


def bundled() -> None:
    """Compare probabilities and lesions of the bundled network in both forms."""
    drawn = draw_patient(SEED)
    model = load_model("vnet", "cpu")
    recipe = model.recipe
    grid = model_grid(drawn.suv, recipe.spacing_mm, recipe.shape, 2**recipe.architecture.levels)
    seen = torch.tensor(np.array(resample(drawn.suv, grid).array))
    image = scaled(seen, recipe.scaling)[None, None]
    _, _, expected, got = both(model.net, image)
    off = (got - expected).abs()
    print(f"bundled network: largest difference in probability {float(off.max()):.4f}")
    print(f"  99.9 % of the voxels within {float(off.flatten().quantile(0.999)):.4f}")
    two = [
        lesions_of(resample(Volume(p.numpy(), grid, Unit.PROBABILITY), drawn.suv.grid), drawn.suv)
        for p in (expected, got)
    ]
    ml = [int(some.counts.sum()) * drawn.suv.grid.voxel_ml for some in two]
    most, count = apart(*two)
    print(f"  {len(two[0])} and {len(two[1])} lesions, {ml[0]:.2f} and {ml[1]:.2f} mL")
    print(f"  largest difference in volume of {count} lesions over {LARGE_ML:.0f} mL: {most:.2%}")


def main() -> None:
    """Time the paper's network in both forms; compare what the bundled one says in both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="an eighth of the volume")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    plain, fast, expected, got = both(VNet(PAPER).eval(), patient_of(small=given.small))
    print(f"float32 {plain:.2f} s, bf16 channels-last {fast:.2f} s: {plain / fast:.2f} times")
    off = float((got - expected).abs().max())
    print(f"largest difference in probability {off:.4f} (of an untrained network)")
    bundled()


if __name__ == "__main__":
    main()
