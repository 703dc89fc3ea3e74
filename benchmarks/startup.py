"""``tmtv --help`` against ``python -c "import typer"``: the ratio must stay below 2.5."""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

HELP = "import sys; from tmtv_tui.cli.app import main; sys.exit(main(['--help']))"


def seconds(code: str) -> float:
    """Wall time of one fresh interpreter running ``code``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> int:
    """Take both by turns, so that load falls on both, and compare medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="of each")
    runs = parser.parse_args().runs
    pairs = [(seconds(HELP), seconds("import typer")) for _ in range(runs)]
    ours, typer = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"tmtv --help {ours:.3f} s, import typer {typer:.3f} s, ratio {ours / typer:.2f} (< 2.5)")
    return 0 if ours / typer < 2.5 else 1


if __name__ == "__main__":
    sys.exit(main())
