"""What the `tmtv` script calls: Ctrl-C while everything is still being imported ends it quietly."""

from __future__ import annotations

import sys


def main() -> int:
    """Import the command line and run it; returns its exit status."""
    try:
        from tmtv_tui.cli.app import main as run
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; nothing was left half-written\n")
        return 130
    return run()
