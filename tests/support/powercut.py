"""A power cut, from the system calls of a real process: what is on the disk, and what is lost.

The model is stricter than any file system: a file's bytes are there once the file was synced, its
name once the folder that holds it was. Whatever was not is gone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLS = (
    "open,openat,creat,write,pwrite64,writev,ftruncate,truncate,fsync,fdatasync,"
    "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,link,linkat,symlink"
)
BY_HANDLE = {"write", "pwrite64", "writev", "ftruncate", "fsync", "fdatasync"}
LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
PLACE = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>)(?:, "([^"]*)")?|"([^"]*)"')

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None
    or subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0,
    reason="strace is not installed, or may not trace here",
)


@dataclass
class Node:
    """A file or folder as processes see it, and as much of it as is on the disk."""

    folder: bool = False
    entries: dict[str, Node] = field(default_factory=dict)
    kept: dict[str, Node] = field(default_factory=dict)
    size: int = 0
    kept_size: int = 0
    changed: bool = False

    @property
    def whole(self) -> bool:
        """Whether a file's bytes are on the disk."""
        return self.folder or not self.changed

    def cut(self, size: int) -> None:
        """The file ends there from now on."""
        self.size, self.kept_size, self.changed = size, min(size, self.kept_size), True


@dataclass
class Disk:
    """What lies below ``root``, which is there from the start."""

    root: Path
    top: Node = field(default_factory=lambda: Node(folder=True))

    def apply(self, name: str, places: list[str], flags: str, result: int) -> None:
        """One call that succeeded."""
        first = places[0] if places else ""
        node = self.find(first)
        if name in ("open", "openat", "creat"):
            if node is None and ("O_CREAT" in flags or name == "creat"):
                self._put(first, Node(changed=True))
            elif node is not None and "O_TRUNC" in flags:
                node.cut(0)
        elif name in ("write", "pwrite64", "writev") and node is not None:
            node.size, node.changed = node.size + result, True
        elif name in ("ftruncate", "truncate") and node is not None:
            node.cut(int(flags.rsplit(",", 1)[-1]))
        elif name in ("fsync", "fdatasync") and node is not None:
            node.kept, node.kept_size, node.changed = dict(node.entries), node.size, False
        elif name.startswith("rename") and node is not None:
            self._drop(first)
            self._put(places[1], node)
        elif name.startswith("mkdir"):
            self._put(first, Node(folder=True))
        elif name.startswith(("unlink", "rmdir")):
            self._drop(first)

    def find(self, path: str | Path, kept: bool = False) -> Node | None:
        """What is at ``path``: as processes see it, or ``kept`` on the disk."""
        here: Node | None = self.top
        for part in self._parts(path) if self._inside(path) else ["", ""]:
            here = (here.kept if kept else here.entries).get(part) if here else None
        return here

    def survives(self, path: Path) -> bool:
        """Whether the file at ``path`` is on the disk, name and bytes."""
        seen, node = self.find(path), self.find(path, kept=True)
        return node is not None and node is seen and node.whole

    def _inside(self, path: str | Path) -> bool:
        return Path(path).is_relative_to(self.root)

    def _parts(self, path: str | Path) -> tuple[str, ...]:
        return Path(path).relative_to(self.root).parts

    def _put(self, path: str, node: Node) -> None:
        parent = self.find(Path(path).parent)
        if parent is not None and self._inside(path):
            parent.entries[Path(path).name] = node

    def _drop(self, path: str) -> None:
        parent = self.find(Path(path).parent)
        if parent is not None and self._inside(path):
            parent.entries.pop(Path(path).name, None)


def traced(code: str, root: Path, *arguments: object) -> Iterator[tuple[Disk, str]]:
    """Run a script; after each of its calls the disk, and what it has printed by then."""
    trace, script = root.parent / "trace.txt", root.parent / "script.py"
    script.write_text(code, "utf-8")
    command = ["strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace)]
    done = subprocess.run(
        [*command, sys.executable, "-B", str(script), *map(str, arguments)],
        stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    disk, printed = Disk(root), ""
    for name, rest, result in _calls(trace):
        places = [str(Path(a) / b) if b else a or c for a, b, c in PLACE.findall(rest)]
        if name in BY_HANDLE:
            places = [re.findall(r"^\d+<([^>]*)>", rest)[0]]
        if name == "write" and rest.startswith("1<pipe"):
            printed += re.findall(r'"(.*)"', rest)[0].replace("\\n", "\n")
        disk.apply(name, places, rest, result)
        yield disk, printed
    assert printed == done.stdout


def _calls(trace: Path) -> Iterator[tuple[str, str, int]]:
    begun: dict[str, str] = {}
    for line in trace.read_text("utf-8", "replace").splitlines():
        pid = line.split(" ", 1)[0]
        if "<unfinished ...>" in line:
            begun[pid] = line.replace(" <unfinished ...>", "")
            continue
        if "resumed>" in line:
            line = begun.pop(pid) + line.split("resumed>", 1)[1]
        found = LINE.match(line)
        if found and not found[4].startswith("-"):
            yield found[2], found[3], int(found[4])
