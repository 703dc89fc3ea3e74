"""Reading line by line: exact words, the same journal, hostile text, nothing that ends it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.review.test_session import two_peaks
from tests.support.cases import copied_case, tmtv_ml
from tests.tui.review.test_names import KNOWN
from tmtv_engine.case.folder import read_case
from tmtv_engine.review.journal import Journal
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.verify import verify
from tmtv_tui.review.plain import COMMANDS, Plain

ROOT = Path(__file__).resolve().parents[3]


def spoken(out: Path, *lines: str, read_only: bool = False, blind: bool = False) -> list[str]:
    said: list[str] = []
    Plain(out, "AB", said.append, read_only=read_only, blind=blind).run(lines)
    return said


def ml(*labels: int) -> str:
    return f"{tmtv_ml(list(labels), '41'):.1f}"


def test_a_reading_in_words(tmp_path: Path) -> None:
    case = copied_case(tmp_path, known=KNOWN)
    said = spoken(tmp_path, "open 1", "names", "undo", "accept 1", "totals", "sign yes", "reject 1")
    first = f"lesion 1, accepted, undecided, lesion 93 percent, left neck, {ml(1)} mL by 41"
    assert said[:4] == [
        f"case 1: case-1, todo, 1 lesion, 2 candidates, {ml(1)} mL by 41",
        "help lists the commands.",
        "case-1 is open.",
        f"{first}, SUV max 9.0",
    ]
    assert said[6] == f"3 lesions. TMTV by 41: {ml(1)} mL in 1 lesion; predicted {ml(1)} mL."
    assert (
        f"lesion 2, rejected, bladder 97 percent, pelvis, midline, {ml(2)} mL by 41, "
        "SUV max 6.0, because bladder"
    ) in said
    assert "UNDECIDED: 0 that count, 1 candidate not counted (1 named physiologic)." in said
    assert said[-2:] == ["error: case-1 is signed by AB", "Re-open it first (unsign)."]
    reading = reading_of(case, "AB")
    assert reading.status == {1: "accepted", 2: "rejected", 3: "candidate"}
    assert reading.signed
    assert read_case(case.path).record.review.status == "done"
    actions = [x.action for x in Journal(case.path / "review/AB.jsonl").read()]
    assert actions == ["open", "reject", "reject", "undo", "accept", "sign", "close"]
    assert not [f for f in verify(case.path) if f.failed]


def test_every_command_is_heard_and_none_ends_it(tmp_path: Path) -> None:
    copied_case(tmp_path, "a", known=KNOWN)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "voxels.npz").write_bytes(b"no")
    for name in sorted(set(COMMANDS) - {"quit"}):
        said = spoken(
            tmp_path, name, "open 2", name, "open 1", name, f"{name} x", f"{name} 9", "help"
        )
        assert said[-1] == "quit: leave", name
        assert not any("Traceback" in x for x in said)
    said = spoken(tmp_path, "open 1", "rule ml<1000", "rest", "split 1", "quit", "accept 1")
    assert said[-1].startswith(("error: lesion 1", "Reject or accept"))
    assert spoken(tmp_path, "", "  ", "\x1b[31m", "nonsense")[-2:] == [
        "error: there is no command 'nonsense'",
        "help lists them.",
    ]


def test_a_split_tells_of_a_background_that_is_lost(tmp_path: Path) -> None:
    two_peaks(tmp_path)
    lost = "the background of 2 lesions (2, 3) is unknown, A50P keeps nothing there: a50p lacks"
    assert spoken(tmp_path, "open 1", "method a50p", "split 1")[-1].startswith(lost)
    assert not any("A50P" in x for x in spoken(tmp_path, "open 1", "undo", "split 1"))


def test_read_only_records_nothing_and_blind_names_nobody(tmp_path: Path) -> None:
    copied_case(tmp_path, "SMITH_ANNA", known=KNOWN)
    said = spoken(tmp_path, "open 1", "accept 1", "note x", read_only=True)
    assert [x for x in said if "error" in x] == ["error: read only: nothing is recorded"] * 2
    assert not list((tmp_path / "SMITH_ANNA").glob("review/*"))
    (tmp_path / "SMITH_ANNA" / "voxels.npz").write_bytes(b"no")
    said = spoken(tmp_path, "open 1", "list", "warnings", blind=True)
    assert not [x for x in said if "SMITH" in x or "P1" in x]


@pytest.mark.parametrize("text", ["[/nope]", "\x1b[2J", "\u202eabc", "a\x9b31m", "\x00"])
def test_hostile_words_are_said_clean(tmp_path: Path, text: str) -> None:
    copied_case(tmp_path)
    said = spoken(tmp_path, "open 1", f"reject 1 {text}", f"note {text} x", "log", f"rule {text}")
    assert not [x for x in said if not x.isprintable()]
    if text == "[/nope]":
        assert any("because [/nope]" in x for x in said)


def test_without_a_terminal_from_the_command_line(tmp_path: Path) -> None:
    copied_case(tmp_path, known=KNOWN)
    command = [
        sys.executable,
        "-c",
        "from tmtv_tui.cli.app import main; import sys; sys.exit(main())",
    ]
    env = {**os.environ, "TERM": "dumb", "PYTHONIOENCODING": "latin-1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "review", str(tmp_path), "--plain", "--reader", "AB"],
        input=b"next\nnames\nquit\n", capture_output=True, cwd=ROOT, env=env, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"because bladder" in done.stdout
    assert b"\x1b" not in done.stdout
    assert reading_of(read_case(tmp_path / "case-1"), "AB").reasons[2] == "bladder"
    bare = subprocess.run(
        [*command, "review", str(tmp_path)], input=b"", capture_output=True, cwd=ROOT, env=env
    )
    assert (bare.returncode, bare.stdout) == (2, b"")
    assert b"is no terminal" in bare.stderr
    assert b"--plain" in bare.stderr
