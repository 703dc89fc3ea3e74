"""Digital patients without end: drawn by worker processes while the network learns."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, Full
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

AHEAD = 6
PATIENCE_S = 120.0
ORPHAN_S = 2.0


@dataclass(frozen=True, eq=False)
class Sample:
    """One patient for training: SUV, CT in HU and TMTVprob, each (z, y, x) float16."""

    seed: int
    suv: npt.NDArray[np.float16]
    ct: npt.NDArray[np.float16]
    prob: npt.NDArray[np.float16]


def sample_of(seed: int, spacing_mm: float = 8.0) -> Sample:
    """Draw the patient of ``seed`` for training."""
    from tmtv_engine.phantom.draw import draw_tensors

    drawn = draw_tensors(seed, spacing_mm=spacing_mm)
    arrays = [t.cpu().numpy().astype(np.float16) for t in (drawn.suv, drawn.ct, drawn.prob)]
    return Sample(seed, *arrays)


def stream(first_seed: int, *, workers: int = 1, spacing_mm: float = 8.0) -> Iterator[Sample]:
    """The patients of ``first_seed``, ``first_seed`` + 1 …, in that order, without end.

    Each of ``workers`` processes draws every so-manieth, a few ahead; without workers they are
    drawn here. The processes end with the iterator.
    """
    if workers < 1:
        seed = first_seed
        while True:
            yield sample_of(seed, spacing_mm)
            seed += 1
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(AHEAD) for _ in range(workers)]
    drawers = [
        context.Process(
            target=_draw_on, args=(queue, first_seed + k, workers, spacing_mm), daemon=True
        )
        for k, queue in enumerate(queues)
    ]
    for drawer in drawers:
        drawer.start()
    try:
        while True:
            for queue, drawer in zip(queues, drawers, strict=True):
                yield _next(queue, drawer)
    finally:
        for drawer in drawers:
            drawer.terminate()


def _next(queue: Queue[Sample], drawer: multiprocessing.process.BaseProcess) -> Sample:
    while True:
        try:
            return queue.get(timeout=PATIENCE_S)
        except Empty:
            if not drawer.is_alive():
                raise RuntimeError("a process that draws patients has died") from None


def _draw_on(queue: Queue[Sample], seed: int, step: int, spacing_mm: float) -> None:
    import torch

    torch.set_num_threads(1)
    queue.cancel_join_thread()  # whoever would read the rest is gone when this ends
    while _handed_over(queue, sample_of(seed, spacing_mm)):
        seed += step


def _handed_over(queue: Queue[Sample], sample: Sample) -> bool:
    """Wait until there is room for ``sample``; False when the training was killed meanwhile."""
    trainer = multiprocessing.parent_process()
    while trainer is None or trainer.is_alive():
        try:
            queue.put(sample, timeout=ORPHAN_S)
            return True
        except Full:
            continue
    return False
