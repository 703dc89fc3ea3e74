"""How many small faults put into a module its own tests find.

    python -m benchmarks.mutants                      every module of the table, 30 faults each
    python -m benchmarks.mutants -n 60 --seed 5 find  one of them

A fault is one change of one place: a comparison's edge or sense, an operator, a number by one or
by one per cent, a truth value, highest for lowest, the arms of a condition, a call left out. They
are written into a copy of the tree, one at a time, and the tests named in ``ROOMS`` are run on it
until one fails; a hang counts as found. What no test sees is printed with its place. Fails where a
module's share lies below ``--least``.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[1]
ROOMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "suv/factor": ("suv/test_factor", "suv/test_times", "suv/test_edges"),
        "suv/clock": ("suv/test_clock", "suv/test_edges"),
        "suv/times": ("suv/test_times", "suv/test_starts", "suv/test_edges", "suv/test_factor"),
        "lesion/find": ("lesion/test_find",),
        "lesion/split": ("lesion/test_split", "lesion/test_find"),
        "lesion/thresholds": ("lesion/test_thresholds",),
        "lesion/measures": ("lesion/test_measures",),
        "review/journal": tuple(f"review/test_journal{x}" for x in ("_file", "_meaning", "")),
        "review/line": ("review/test_line",),
        "review/reading": ("review/test_reading", "review/test_session"),
        "review/state": tuple(
            f"review/test_{name}" for name in ("state", "reading", "repairs", "asked", "session")
        ),
        "report/stats": ("report/test_stats", "report/test_stats_edges"),
    }
)
PLUGINS = ("_hypothesis_pytestplugin", "pytest_asyncio.plugin", "pytest_timeout")
HEAVY = ("numpy", "scipy.stats", "scipy.ndimage", "skimage.segmentation", "cc3d", "hypothesis")
SWAPS: Mapping[type, type] = MappingProxyType(
    {
        ast.Gt: ast.GtE,
        ast.GtE: ast.Gt,
        ast.Lt: ast.LtE,
        ast.LtE: ast.Lt,
        ast.Eq: ast.NotEq,
        ast.NotEq: ast.Eq,
        ast.Is: ast.IsNot,
        ast.IsNot: ast.Is,
        ast.In: ast.NotIn,
        ast.NotIn: ast.In,
        ast.Add: ast.Sub,
        ast.Sub: ast.Add,
        ast.Mult: ast.Div,
        ast.Div: ast.Mult,
        ast.FloorDiv: ast.Mult,
        ast.Mod: ast.Mult,
        ast.Pow: ast.Mult,
        ast.BitAnd: ast.BitOr,
        ast.BitOr: ast.BitAnd,
        ast.And: ast.Or,
        ast.Or: ast.And,
    }
)
WORDS = {"argmax": "argmin", "max": "min", "maximum": "minimum", "any": "all", "popleft": "pop"}
WORDS |= {other: word for word, other in WORDS.items()}


@dataclass(frozen=True)
class Fault:
    """A change of the ``place``-th node of a module: what kind, and which of its operators."""

    place: int
    kind: str
    which: int = 0


def faults(tree: ast.Module) -> list[Fault]:
    """All that can be put into a module; annotations, decorators and imports are left alone."""
    return [
        Fault(place, kind, which)
        for place, node in enumerate(_nodes(tree))
        for kind, which in _kinds(node)
    ]


def _nodes(tree: ast.Module) -> list[ast.AST]:
    """The nodes of a module's own code, in an order that its copy has too."""
    skip: set[int] = set()
    for node in ast.walk(tree):
        aside: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            aside += node.decorator_list
        if isinstance(node, ast.FunctionDef):
            aside += [
                node.returns,
                *(a.annotation for a in (*node.args.args, *node.args.kwonlyargs)),
            ]
        if isinstance(node, ast.AnnAssign):
            aside.append(node.annotation)
        if isinstance(node, ast.Import | ast.ImportFrom):
            aside.append(node)
        skip.update(id(n) for part in aside if part is not None for n in ast.walk(part))
    return [node for node in ast.walk(tree) if id(node) not in skip]


def _kinds(node: ast.AST) -> Iterator[tuple[str, int]]:
    match node:
        case ast.Compare(ops=ops):
            yield from (("compare", k) for k, op in enumerate(ops) if type(op) in SWAPS)
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in SWAPS:
            yield "operator", 0
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()):
            yield "unary", 0
        case ast.Constant(value=bool()):
            yield "truth", 0
        case ast.Constant(value=int() | float() as value):
            yield "plus one", 0
            if isinstance(value, float) and value:
                yield "plus a hundredth", 0
        case ast.Attribute(attr=word) if word in WORDS:
            yield "word", 0
        case ast.Name(id=word) if word in WORDS:
            yield "name", 0
        case ast.IfExp():
            yield "arms", 0
        case ast.Expr(value=ast.Call()):
            yield "call", 0


class _Put(ast.NodeTransformer):
    """Puts one fault in; ``told`` says what became of what."""

    def __init__(self, node: ast.AST, fault: Fault) -> None:
        self.node, self.fault, self.told = node, fault, ""

    def visit(self, node: ast.AST) -> ast.AST:
        if node is not self.node:
            return self.generic_visit(node)
        before = ast.unparse(node)
        changed = self._changed(node)
        self.told = f"{before[:90]}  →  {ast.unparse(changed)[:90]}"
        return changed

    def _changed(self, node: ast.AST) -> ast.AST:
        match node:
            case ast.Compare(ops=ops):
                ops[self.fault.which] = SWAPS[type(ops[self.fault.which])]()
            case ast.BinOp(op=op) | ast.BoolOp(op=op):
                node.op = SWAPS[type(op)]()
            case ast.UnaryOp(operand=operand):
                return operand
            case ast.Constant(value=bool() as value):
                node.value = not value
            case ast.Constant(value=value) if isinstance(value, int | float):
                node.value = value + 1 if self.fault.kind == "plus one" else value * 1.01
            case ast.Attribute(attr=word):
                node.attr = WORDS[word]
            case ast.Name(id=word):
                node.id = WORDS[word]
            case ast.IfExp(body=body, orelse=orelse):
                node.body, node.orelse = orelse, body
            case ast.Expr():
                return ast.copy_location(ast.Pass(), node)
        return node


def put(tree: ast.Module, fault: Fault) -> tuple[str, int, str]:
    """The module's source with a fault in it, its line, and what was changed."""
    changed = copy.deepcopy(tree)
    node = _nodes(changed)[fault.place]
    change = _Put(node, fault)
    faulty = ast.fix_missing_locations(change.visit(changed))
    return ast.unparse(faulty), getattr(node, "lineno", 0), change.told


def passes(tree: Path, tests: tuple[str, ...], limit_s: float, *, first: bool = False) -> bool:
    """Whether the tests pass in ``tree``, in a child that has the heavy libraries already.

    The ``first``, of the module as it is, leaves the tests compiled.
    """
    child = os.fork()
    if not child:
        if not first:
            sys.dont_write_bytecode, os.environ["PYTHONDONTWRITEBYTECODE"] = True, "1"
        _run(tree, tests)
    watch = os.pidfd_open(child)
    ready, _, _ = select.select([watch], [], [], limit_s)
    if not ready:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(watch)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what its tests had started
    return bool(ready) and os.waitstatus_to_exitcode(status) == 0


def _run(tree: Path, tests: tuple[str, ...]) -> None:
    code = 1
    try:
        import hypothesis
        import pytest

        os.setpgrp()
        resource.setrlimit(resource.RLIMIT_DATA, (6 * 2**30, 6 * 2**30))
        os.chdir(tree)
        os.environ["PYTHONPATH"] = sys.path[0] = str(tree)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        short = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # nobody reads the smallest
        hypothesis.settings.register_profile(
            "mutants", derandomize=True, deadline=None, database=None, phases=short
        )
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        plugins = [part for name in PLUGINS for part in ("-p", name)]
        # a plug-in that is loaded before pytest cannot have its asserts rewritten
        ignored = [f"-Wignore::pytest.Pytest{w}Warning" for w in ("AssertRewrite", "Config")]
        options = ["-x", "-q", "-m", "not slow and not only_long", "--hypothesis-profile=mutants"]
        options += ["-k", "not sigkill"]  # they find what their own counts are for, slowly
        named = [f"tests/{name}.py" for name in tests]
        code = int(pytest.main([*plugins, *ignored, *options, *named]))
    finally:
        os._exit(code)


def tried(tree: Path, module: str, count: int, seed: int) -> tuple[int, int, int]:
    """Put ``count`` faults into a module: how many were found, how many put, how many could be."""
    path, tests = tree / "tmtv_engine" / f"{module}.py", ROOMS[module]
    tests = tuple(name for name in tests if (tree / "tests" / f"{name}.py").exists())
    source = path.read_text(encoding="utf-8")
    parsed = ast.parse(source)
    there = faults(parsed)
    random.Random(seed).shuffle(there)
    began = time.monotonic()
    if not passes(tree, tests, 600, first=True):
        raise SystemExit(f"{module}: its tests fail without a fault")
    took = time.monotonic() - began
    print(f"{module}: tests pass in {took:.0f} s", flush=True)
    found = 0
    for turn, fault in enumerate(there[:count]):
        changed, line, told = put(parsed, fault)
        path.write_text(changed, encoding="utf-8")
        os.utime(path, (turn, turn))  # no compiled file has that time
        seen = not passes(tree, tests, 60 + 4 * took)
        found += seen
        if not seen:
            print(f"  not found: tmtv_engine/{module}.py:{line}: {told}", flush=True)
    path.write_text(source, encoding="utf-8")
    return found, min(count, len(there)), len(there)


def copied(to: Path) -> Path:
    """A copy of the tree's tracked and new files, compiled."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    subprocess.run([sys.executable, "-m", "compileall", "-q", "tmtv_engine"], cwd=to, check=True)
    return to


def main() -> None:
    """Print each module's share and what was not found."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("modules", nargs="*", help="e.g. find or lesion/find; none: all")
    parser.add_argument("-n", "--count", type=int, default=30, help="faults a module")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--least", type=float, default=0.85, help="share that is to be found")
    told = parser.parse_args()
    chosen = [m for m in ROOMS if not told.modules or {m, m.split("/")[1]} & set(told.modules)]
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in HEAVY:
        __import__(name)
    shares = []
    with tempfile.TemporaryDirectory() as folder:
        tree = copied(Path(folder) / "tmtv")
        for module in chosen:
            found, put_in, could = tried(tree, module, told.count, told.seed)
            shares.append(found / put_in)
            print(f"{module}: {found} of {put_in} found ({could} could be put)", flush=True)
    if min(shares) < told.least:
        raise SystemExit(f"below {told.least:.0%}: the least share is {min(shares):.0%}")


if __name__ == "__main__":
    main()
