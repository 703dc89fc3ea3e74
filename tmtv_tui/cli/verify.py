"""``tmtv verify``: whether results and journals are still what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from tmtv_tui.cli import console, options


def verify(
    out: Path = typer.Argument(..., metavar="OUT", help="A folder of cases, or one case."),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Check hashes of inputs and results and every journal's chain; 1 if a byte was changed."""
    from tmtv_engine.case.folder import find_cases
    from tmtv_engine.errors import UsageError
    from tmtv_engine.review.verify import verify as check

    console.VOICE.quiet = quiet
    cases = find_cases(out)
    if not cases:
        raise UsageError(f"there is no case in {out}", "Give a folder that tmtv predict wrote.")
    failed = 0
    rows: list[list[str]] = []
    for folder in cases:
        found = check(folder)
        bad = [f for f in found if f.failed]
        failed += bool(bad)
        if as_json:
            console.out_json(_record(folder, found))
            continue
        for f in found:
            if f.state == "behind":
                console.say(f"{folder.name}: {f.what}: later lines are not in case.json yet")
        shown = bad or [f for f in found if f.state == "unverified"]
        rows += [[folder.name, f.what, f.state, f.detail] for f in shown]
        if not shown:
            rows.append([folder.name, f"{len(found)} checks", "ok", ""])
    if not as_json:
        console.table(("case", "what", "state", "detail"), rows)
    console.say(f"{len(cases) - failed} of {len(cases)} cases are as they were written")
    return 1 if failed else 0


def _record(folder: Path, found: list[Any]) -> dict[str, Any]:
    checks = [{"what": f.what, "state": f.state, "detail": f.detail} for f in found]
    return {"case": folder.name, "ok": not any(f.failed for f in found), "checks": checks}
