"""Putting faults into a module: each is one change, its place is told, and its tests are asked."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.mutants import ROOMS, ROOT, faults, put

PLACES = [
    ("a > b", {"a >= b"}),
    ("a is not b and c", {"a is b and c", "a is not b or c"}),
    ("a < b <= c", {"a <= b <= c", "a < b < c"}),
    ("a in b", {"a not in b"}),
    ("not a", {"a"}),
    ("-a", {"a"}),
    ("a * b + c", {"a / b + c", "a * b - c"}),
    ("True", {"False"}),
    ("2", {"3"}),
    ("0.5", {"1.5", "0.505"}),
    ("0.0", {"1.0"}),
    ("a.max()", {"a.min()", "pass"}),
    ("min(a)", {"max(a)", "pass"}),
    ("a if b else c", {"c if b else a"}),
    ("f(a)", {"pass"}),
    ("import a.max", set()),
    ("def f(a: 'x' = b) -> (1 + 2):\n    return a", set()),
    ("'a word'", set()),
]


@pytest.mark.parametrize(("source", "expected"), PLACES)
def test_a_fault_is_one_change(source: str, expected: set[str]) -> None:
    tree = ast.parse(source)
    changed = {put(tree, fault)[0] for fault in faults(tree)}
    assert changed == expected
    assert ast.unparse(tree) == ast.unparse(ast.parse(source))  # the tree itself stays


def test_a_fault_is_told_with_its_line() -> None:
    tree = ast.parse("a = 1\n\n\nb = a > 2\n")
    told = [put(tree, fault)[1:] for fault in faults(tree)]
    assert sorted(told) == [(1, "1  →  2"), (4, "2  →  3"), (4, "a > 2  →  a >= 2")]


def test_every_module_and_its_tests_are_there() -> None:
    for module, tests in ROOMS.items():
        assert (ROOT / "tmtv_engine" / f"{module}.py").is_file()
        for name in tests:
            assert (ROOT / "tests" / f"{name}.py").is_file()


def test_a_module_s_own_tests_find_its_faults(tmp_path: Path) -> None:
    """The whole way, for two faults of `make mutants`."""
    command = [sys.executable, "-m", "benchmarks.mutants", "-n", "2", "measures"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lesion/measures: 2 of 2 found" in done.stdout
