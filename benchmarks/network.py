"""The paper's network forward at 256×128×128: bf16 channels-last against plain float32.

    python benchmarks/network.py [--threads 2] [--small]

Same weights, same input, one run; prints seconds, the ratio (goal: 2.5 on two cores with AMX or
AVX-512 bf16) and the largest difference in probability (goal: under 0.01).
"""

from __future__ import annotations

import argparse
import time

import torch
from torch import Tensor

from tmtv_engine.infer import scaled
from tmtv_engine.vnet import PAPER, VNet


def timed(net: VNet, image: Tensor, *, bf16: bool) -> tuple[float, Tensor]:
    """Seconds and probability of one forward pass."""
    started = time.perf_counter()
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        logits = net(image)
    return time.perf_counter() - started, torch.sigmoid(logits.float())


def main() -> None:
    """Time both forms and compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--small", action="store_true", help="an eighth of the volume")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    shape = (128, 64, 64) if given.small else (256, 128, 128)
    net = VNet(PAPER).eval()
    suv = scaled(torch.rand(1, 2, *shape) * 12, "linear")
    plain, expected = timed(net, suv, bf16=False)
    last = torch.channels_last_3d
    net = net.to(memory_format=last)  # type: ignore[call-overload]
    fast, got = timed(net, suv.contiguous(memory_format=last), bf16=True)
    apart = float((got - expected).abs().max())
    print(f"float32 {plain:.2f} s, bf16 channels-last {fast:.2f} s: {plain / fast:.2f} times")
    print(f"largest difference in probability {apart:.4f} (of an untrained network)")


if __name__ == "__main__":
    main()
