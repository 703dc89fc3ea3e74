"""Masks to polygons along voxel edges, so that filling them gives the mask back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# A step leaves a corner in one of four directions: east, south, west, north.
_STEP = ((0, 1), (1, 0), (0, -1), (-1, 0))


def trace(mask: npt.NDArray[np.bool_]) -> list[FloatArray]:
    """The closed polygons around the pixels of ``mask`` (rows, columns), holes included.

    Each is (n, 2) in index coordinates (row, column): corners lie half a pixel from the centres,
    the last joins the first, straight runs have no points between their ends. Pixels that touch
    at a corner only get polygons of their own.
    """
    edges = _edges(mask)
    polygons = []
    while edges:
        start, directions = next(iter(edges.items()))
        polygons.append(_walk(edges, start, directions[0]))
    return polygons


def _edges(mask: npt.NDArray[np.bool_]) -> dict[tuple[int, int], list[int]]:
    """Directed pixel edges by the corner they leave, the inside on their right hand."""
    padded = np.pad(np.asarray(mask, bool), 1)
    inside = padded[1:-1, 1:-1]
    found: dict[tuple[int, int], list[int]] = {}
    sides = (
        (inside & ~padded[:-2, 1:-1], (0, 0), 0),  # top edge, eastwards
        (inside & ~padded[1:-1, 2:], (0, 1), 1),  # right edge, southwards
        (inside & ~padded[2:, 1:-1], (1, 1), 2),  # bottom edge, westwards
        (inside & ~padded[1:-1, :-2], (1, 0), 3),  # left edge, northwards
    )
    for open_side, (down, right), direction in sides:
        for row, column in np.argwhere(open_side):
            found.setdefault((int(row) + down, int(column) + right), []).append(direction)
    return found


def _walk(
    edges: dict[tuple[int, int], list[int]], start: tuple[int, int], direction: int
) -> FloatArray:
    """One closed polygon, its edges taken out; right turns first, so that diagonals stay apart."""
    corner, heading = start, direction
    points: list[tuple[int, int]] = []
    while True:
        leaving = edges[corner]
        wanted = [(heading + turn) % 4 for turn in (1, 0, 3)]
        chosen = next(d for d in (*wanted, heading) if d in leaving) if points else heading
        if not points or chosen != heading:
            points.append(corner)
        leaving.remove(chosen)
        if not leaving:
            del edges[corner]
        heading = chosen
        corner = (corner[0] + _STEP[chosen][0], corner[1] + _STEP[chosen][1])
        if corner == start and not _goes_on(edges, corner, heading, direction):
            break
    return _straightened(points)


def _goes_on(
    edges: dict[tuple[int, int], list[int]], corner: tuple[int, int], heading: int, first: int
) -> bool:
    """Whether the way back at the start turns into another edge before the first one."""
    leaving = edges.get(corner, [])
    for turn in (1, 0, 3):
        direction = (heading + turn) % 4
        if direction == first:
            return False
        if direction in leaving:
            return True
    return False


def _straightened(points: list[tuple[int, int]]) -> FloatArray:
    """Corners without those on a straight run, in index coordinates."""
    corners = np.array(points, dtype=np.float64)
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    a, b = corners - before, after - corners
    turning = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] != 0
    return np.asarray(corners[turning] - 0.5)
