"""Work for Dask's workers, in a module that costs them nothing to import."""

from __future__ import annotations

from tmtv_engine.errors import InputError


def answer(number: int) -> int:
    """Work that refuses 5, takes its worker with it at 7 and is slow at first."""
    import os
    import time

    if number == 0:
        time.sleep(1.0)
    if number == 5:
        raise InputError("five: is no number", "Take another.")
    if number == 7:
        os._exit(1)
    return number * number


def new_pages(number: int) -> int:
    """How many pages the system gave for ``number`` arrays of 1 MiB, one after the other."""
    import resource

    import numpy as np

    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(number):
        np.ones(2**20, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
