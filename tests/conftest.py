"""Fixtures for every room, and what `make long` does more than CI.

CI runs a twentieth of each count that is fixed with `count`, with fixed seeds; ``TMTV_LONG=1``
(set by `make long`) runs all of it, twenty times the examples of each law, and what is marked
``only_long``. How often each was done stands at the end of the output.

Tests run beside each other, so each process computes in one thread: with one a core for every
worker torch takes twice the processor's time. A worker and what it starts inherit that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads numpy or torch

import pytest
from hypothesis import is_hypothesis_test, settings

LONG = os.environ.get("TMTV_LONG") == "1"
SHARE = 20

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("long", deadline=None, print_blob=True)
settings.load_profile("long" if LONG else "ci")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans beside the checkout; a test that needs it skips without it."""
    for parent in Path(__file__).resolve().parents[1:3]:
        folder = parent / "shared" / "data"
        if folder.is_dir():
            return folder
    pytest.skip("no real scans beside this checkout (../shared/data)")


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[int, str], int]:
    """``count(1000, "kills")``: how often to do it, all under `make long`, else a twentieth."""

    def some(full: int, what: str) -> int:
        often = full if LONG else max(1, full // SHARE)
        request.node.user_properties.append(("count", f"{often} of {full} {what}"))
        return often

    return some


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Laws get more examples under `make long`; what only that runs is skipped elsewhere."""
    for item in items:
        law: Any = getattr(item, "obj", None)
        if is_hypothesis_test(law):
            item.add_marker(pytest.mark.long)
            if LONG:
                given = law._hypothesis_internal_use_settings
                more = settings(given, max_examples=SHARE * given.max_examples)
                law._hypothesis_internal_use_settings = more
        if item.get_closest_marker("only_long"):
            item.add_marker(pytest.mark.long)
            if not LONG:
                item.add_marker(pytest.mark.skip(reason="runs under make long"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how often the counted tests did what they do."""
    told = list(_counts(terminalreporter.stats))
    if told:
        terminalreporter.section("counts")
    for line in told:
        terminalreporter.write_line(line)


def _counts(stats: dict[str, list[Any]]) -> Iterator[str]:
    for outcome in ("passed", "failed"):
        for report in stats.get(outcome, []):
            for key, value in getattr(report, "user_properties", ()):
                if key == "count" and report.when == "call":
                    yield f"{report.nodeid}: {value}, {outcome} in {report.duration:.1f} s"
