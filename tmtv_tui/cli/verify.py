"""``tmtv verify``: whether results and journals are still what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from tmtv_tui.cli import console, options


def verify(
    out: Path = typer.Argument(..., metavar="OUT", help="A folder of cases, or one case."),
    heads: Path | None = typer.Option(
        None,
        "--heads",
        metavar="FILE",
        help="Keep the journals' heads in FILE: written where absent, compared.",
    ),
    signers: Path | None = typer.Option(
        None, "--allowed-signers", metavar="FILE", help="OpenSSH's file of whose key is whose."
    ),
    as_json: bool = options.JSON,
    quiet: bool = options.QUIET,
) -> int:
    """Check that results and journals are as written.

    Hashes of inputs and results, every journal's chain, signatures; exit status 1 if a byte was
    changed.
    """
    from tmtv_engine.errors import UsageError
    from tmtv_engine.review.verify import verify_all

    console.VOICE.quiet = quiet
    if signers is not None and not signers.is_file():
        raise UsageError(f"--allowed-signers {signers}: there is no such file")
    known = _known(heads)
    cases = dict(verify_all(out, signers))
    if not cases and not known:
        raise UsageError(f"there is no case in {out}", "Give a folder that tmtv predict wrote.")
    _compare(heads, known, cases, whole=out not in cases)
    failed = 0
    rows: list[list[str]] = []
    for folder, found in cases.items():
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


def _known(heads: Path | None) -> dict[str, dict[str, tuple[int, str]]]:
    from tmtv_engine.review.heads import read_heads

    return read_heads(heads) if heads is not None and heads.exists() else {}


def _compare(
    heads: Path | None,
    known: dict[str, dict[str, tuple[int, str]]],
    cases: dict[Path, list[Any]],
    whole: bool,
) -> None:
    """Add what became of the known heads to each case's findings; write them where absent."""
    from tmtv_engine.review.heads import compare_heads, write_heads

    if heads is None:
        return
    if not heads.exists():
        write_heads(heads, list(cases))
        console.say(f"the heads are kept in {heads}: put it where nobody who reads can write")
        return
    by_name = {folder.name: folder for folder in cases}
    for name, finding in compare_heads(known, list(cases), whole):
        cases.setdefault(by_name.get(name, Path(name)), []).append(finding)
