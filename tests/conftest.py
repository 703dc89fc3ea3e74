"""Fixtures for every room."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans beside the checkout; a test that needs it skips without it."""
    for parent in Path(__file__).resolve().parents[1:3]:
        folder = parent / "shared" / "data"
        if folder.is_dir():
            return folder
    pytest.skip("no real scans beside this checkout (../shared/data)")
