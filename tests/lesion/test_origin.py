"""Where a lesion begins: accepted or a candidate, by who found it and what it most likely is."""

from __future__ import annotations

import pytest

from tmtv_engine.lesion.origin import Source, Status, Structure, first_status

BLADDER = Structure("bladder", 0.97, "network")


@pytest.mark.parametrize(
    ("source", "model", "structure", "status"),
    [
        ("model", "vnet", None, "accepted"),
        ("model", "vnet", BLADDER, "candidate"),
        ("model", "vnet", Structure("bladder", 0.5, "organs"), "candidate"),  # half is enough
        ("model", "vnet", Structure("bladder", 0.4999, "network"), "accepted"),
        ("model", "vnet", Structure("lesion", 0.99, "network"), "accepted"),
        ("model", "vnet", Structure("lung", 0.99, "network"), "accepted"),  # no uptake of its own
        ("hotspot", "vnet", None, "candidate"),
        ("hotspot", "vnet", Structure("lesion", 0.99, "network"), "candidate"),
        ("hotspot", "hotspot", None, "accepted"),
        ("hotspot", "hotspot", BLADDER, "candidate"),
        ("roi", "roi", BLADDER, "accepted"),  # a person drew it
        ("roi", "vnet", None, "accepted"),
        ("reader", "vnet", BLADDER, "accepted"),
    ],
)
def test_the_first_status(
    source: str, model: str, structure: Structure | None, status: str
) -> None:
    assert first_status(Source(source), model, structure) is Status[status.upper()]


def test_every_status_has_a_glyph_of_its_own() -> None:
    assert len({status.glyph for status in Status}) == len(Status)
    assert all(len(status.glyph) == 1 for status in Status)
