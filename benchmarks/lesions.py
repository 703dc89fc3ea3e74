"""Components, watershed, three cuts and measures of 200 lesions in 14 million voxels.

    python benchmarks/lesions.py [--small]

Against a plain implementation, which scans the volume for every label and is the tests' oracle:
under 0.5 s and at least 20 times as fast.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from tmtv_engine.image.volume import Array, Grid, Unit, Volume
from tmtv_engine.lesion.find import SEED_DISTANCE_MM, SPLIT_OVER_ML, find_lesions
from tmtv_engine.lesion.lists import SPHERE_RADIUS_MM
from tmtv_engine.lesion.measures import measure, suv_max, suv_peak
from tmtv_engine.lesion.methods import DEFAULT_METHODS, parse_method
from tmtv_engine.lesion.thresholds import kept

SHAPE, SMALL = (360, 200, 200), (120, 66, 66)
SPACING_MM = (2.0, 4.07, 4.07)
LESIONS = 210
Table = npt.NDArray[np.float64]
NEIGHBOURS = np.ones((3, 3, 3), bool)


def scene(
    shape: tuple[int, int, int], spacing_mm: tuple[float, float, float], lesions: int, seed: int = 0
) -> tuple[Volume, Volume]:
    """A noisy body with round lesions (one in fifteen bulky, some touching): mask and SUV."""
    rng = np.random.default_rng(seed)
    grid = Grid.axial(shape, spacing_mm)
    suv = np.abs(rng.normal(1.0, 0.3, shape)).astype(np.float32)
    mask = np.zeros(shape, bool)
    for number in range(lesions):
        radius_mm = rng.uniform(20.0, 32.0) if number % 15 == 0 else rng.uniform(4.0, 15.0)
        reach = np.ceil(radius_mm / np.array(spacing_mm)).astype(int)
        middle = [int(rng.integers(n)) for n in shape]
        low = [max(m - r, 0) for m, r in zip(middle, reach, strict=True)]
        box = tuple(slice(a, m + r + 1) for a, m, r in zip(low, middle, reach, strict=True))
        index = np.indices(mask[box].shape) + (np.array(low) - middle)[:, None, None, None]
        far = np.sqrt(((index * np.array(spacing_mm)[:, None, None, None]) ** 2).sum(axis=0))
        inside = far <= radius_mm
        bump = 8.0 * np.exp(-((far / radius_mm) ** 2)) + rng.normal(0, 0.5, far.shape)
        suv[box] += np.where(inside, bump, 0).astype(np.float32)
        mask[box] |= inside
    return Volume(mask, grid, Unit.LABEL), Volume(suv, grid, Unit.SUV)


def fast(mask: Volume, suv: Volume) -> Table:
    """A row a lesion: component, voxels, SUVmax, SUVpeak, then voxels and SUVmean of each cut."""
    lesions = find_lesions(mask, suv)
    columns: list[Any] = [lesions.components, lesions.counts, suv_max(lesions), suv_peak(lesions)]
    for key in DEFAULT_METHODS:
        cut = measure(lesions, kept(lesions, parse_method(key)))
        columns += [cut.voxels, cut.suv_mean]
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def plain(mask: Volume, suv: Volume) -> Table:
    """The same table by scanning the whole volume for every label, with SciPy and scikit-image."""
    from scipy import ndimage

    image = suv.array.astype(np.float64)
    labels, count = ndimage.label(mask.array, NEIGHBOURS)
    sphere = _sphere(suv.grid.spacing_mm)
    peaks = ndimage.convolve(image, sphere, mode="constant")
    peaks /= ndimage.convolve(np.ones_like(image), sphere, mode="constant")
    rows = []
    for number in range(1, count + 1):
        component = labels == number
        parts = [component]
        if component.sum() * suv.grid.voxel_ml > SPLIT_OVER_ML:
            parts = _watershed(component, image, np.array(suv.grid.spacing_mm))
        rows += [[number, *_row(part, image, peaks)] for part in parts]
    return np.array(rows, dtype=np.float64)


def _row(part: Array, image: Array, peaks: Array) -> list[float]:
    highest = image[part].max()
    row = [part.sum(), highest, peaks[part].max()]
    for above in (0.41 * highest, 2.5, 4.0):
        cut = part & (image > above)
        row += [cut.sum(), image[cut].mean() if cut.any() else np.nan]
    return row


def _watershed(component: Array, image: Array, spacing_mm: Table) -> list[Array]:
    from scipy import ndimage
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    height = np.where(component, image, -1.0)
    plateaus, count = ndimage.label(local_maxima(height, connectivity=3), NEIGHBOURS)
    first = [tuple(np.argwhere(plateaus == k)[0]) for k in range(1, count + 1)]
    chosen: list[tuple[int, ...]] = []
    for place in sorted(first, key=lambda p: (-height[p], p)):
        away = [np.linalg.norm((np.array(place) - c) * spacing_mm) for c in chosen]
        if all(far >= SEED_DISTANCE_MM for far in away):
            chosen.append(place)
    markers = np.zeros(image.shape, np.int32)
    for number, place in enumerate(chosen, start=1):
        markers[place] = number
    flooded = watershed(-height, markers, mask=component, connectivity=NEIGHBOURS)
    parts = [flooded == number for number in range(1, len(chosen) + 1)]
    return sorted(parts, key=lambda part: int(np.argmax(np.where(part, height, -1.0))))


def _sphere(spacing_mm: tuple[float, float, float]) -> Table:
    reach = [int(SPHERE_RADIUS_MM // step) for step in spacing_mm]
    index = np.indices([2 * n + 1 for n in reach]) - np.array(reach)[:, None, None, None]
    far = ((index * np.array(spacing_mm)[:, None, None, None]) ** 2).sum(axis=0)
    return np.asarray(far <= SPHERE_RADIUS_MM**2, dtype=np.float64)


def main() -> int:
    """Print both times; non-zero where the fast one is too slow or wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a twenty-seventh: see that it runs")
    small = parser.parse_args().small
    mask, suv = scene(SMALL, SPACING_MM, 12) if small else scene(SHAPE, SPACING_MM, LESIONS)
    fast(mask, suv)  # imports
    times = []
    for _ in range(3):
        start = time.perf_counter()
        table = fast(mask, suv)
        times.append(time.perf_counter() - start)
    start = time.perf_counter()
    oracle = plain(mask, suv)
    slow = time.perf_counter() - start
    np.testing.assert_allclose(table, oracle, rtol=1e-5)
    took = sorted(times)[1]
    components = len(np.unique(table[:, 0]))
    print(
        f"{mask.array.size / 1e6:.1f} million voxels, {components} components, {len(table)} lesions"
    )
    print(f"{took:.3f} s (< 0.5), plain {slow:.1f} s, {slow / took:.0f} times as fast (≥ 20)")
    return 0 if small or (took < 0.5 and slow / took >= 20) else 1


if __name__ == "__main__":
    sys.exit(main())
