"""A process whose engine has one line more in one file, and no second edit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGER = """
import importlib.util, sys
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader

class Longer(SourceFileLoader):
    def get_code(self, name):
        source = self.get_source(name)
        assert source.count({before!r}) == 1, {before!r}
        longer = source.replace({before!r}, {line!r} + {before!r})
        return compile(longer, self.path, "exec", dont_inherit=True)

class Here(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            loader = Longer(name, {path!r})
            return importlib.util.spec_from_file_location(name, {path!r}, loader=loader)

sys.meta_path.insert(0, Here())
"""


def with_line(path: str, before: str, line: str, script: str, *args: object) -> str:
    """What ``script`` prints where the engine's ``path`` has ``line`` before what is ``before``."""
    module = path.removesuffix(".py").replace("/", ".")
    start = LONGER.format(module=module, path=str(ROOT / path), before=before, line=line)
    done = subprocess.run(
        [sys.executable, "-c", start + script, *map(str, args)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
