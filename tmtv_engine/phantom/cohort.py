"""Digital patients without end: drawn by worker processes while the network learns."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from functools import partial
from queue import Empty, Full
from typing import TYPE_CHECKING

import numpy as np

from tmtv_engine.phantom.anatomies import Anatomies
from tmtv_engine.phantom.sample import Sample

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

AHEAD = 6
PATIENCE_S = 120.0
ORPHAN_S = 2.0


def sample_of(
    seed: int,
    spacing_mm: float = 8.0,
    anatomies: Anatomies | None = None,
    *,
    varied: bool = False,
    with_ct: float = 0.5,
) -> Sample:
    """Draw the patient of ``seed`` for training; the share ``with_ct`` of them has a CT.

    ``varied``: then changed by `vary`, from the same seed.
    """
    from tmtv_engine.phantom.draw import draw_tensors
    from tmtv_engine.phantom.vary import vary

    r = np.random.default_rng((seed, 4))
    has_ct = bool(r.random() < with_ct)
    drawn = draw_tensors(seed, spacing_mm=spacing_mm, anatomies=anatomies, with_ct=has_ct)
    sample = Sample(
        seed,
        drawn.suv.cpu().numpy(),
        None if drawn.ct is None else drawn.ct.cpu().numpy(),
        drawn.prob.cpu().numpy(),
        drawn.structures.cpu().numpy(),
    )
    return vary(sample, r) if varied else sample


def stream(
    first_seed: int,
    *,
    workers: int = 1,
    spacing_mm: float = 8.0,
    anatomies: Anatomies | None = None,
    varied: bool = False,
    with_ct: float = 0.5,
) -> Iterator[Sample]:
    """The patients of ``first_seed``, ``first_seed`` + 1 …, in that order, without end.

    Each of ``workers`` processes draws every so-manieth, a few ahead; without workers they are
    drawn here. The processes end with the iterator.
    """
    draw = partial(
        sample_of, spacing_mm=spacing_mm, anatomies=anatomies, varied=varied, with_ct=with_ct
    )
    if workers < 1:
        seed = first_seed
        while True:
            yield draw(seed)
            seed += 1
    context = multiprocessing.get_context("spawn")
    queues = [context.Queue(AHEAD) for _ in range(workers)]
    drawers = [
        context.Process(target=_draw_on, args=(queue, first_seed + k, workers, draw), daemon=True)
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


def _draw_on(queue: Queue[Sample], seed: int, step: int, draw: Callable[[int], Sample]) -> None:
    import torch

    torch.set_num_threads(1)
    queue.cancel_join_thread()  # whoever would read the rest is gone when this ends
    while _handed_over(queue, draw(seed)):
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
