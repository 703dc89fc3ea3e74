"""Killed at any moment, and on a full disk: nothing acknowledged is lost, nothing is there by half.

`make long` kills 1,000 times; CI a twentieth, with fixed seeds.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset

from tests.support.cases import make_case, make_volume, snapshot
from tests.support.dicom import write_series
from tmtv_engine.case.folder import read_case
from tmtv_engine.errors import TmtvError
from tmtv_engine.export.objects import write_objects
from tmtv_engine.files import aside
from tmtv_engine.lesion.lists import from_labels
from tmtv_engine.pacs.peers import Answer, Item, parse_destination
from tmtv_engine.pacs.send import send as send_objects
from tmtv_engine.review import repairs
from tmtv_engine.review.journal import Decision, Journal, alone
from tmtv_engine.review.session import Session, add_lesions, record
from tmtv_engine.review.verify import verify_all


def decide(out: Path, chance: random.Random) -> str | None:
    case = read_case(out / chance.choice(["case-1", "case-2"]))
    action = chance.choice(["accept", "reject", "sign", "unsign", "undo", "note", "flag"])
    lesions = (chance.randrange(1, 4),) if action in ("accept", "reject") else ()
    reading = record(case, Decision(action, lesions, text="x" * chance.randrange(400)), "AB")
    return reading.head


def add(out: Path, chance: random.Random) -> str | None:
    suv, labels = make_volume()
    mask = np.zeros(suv.array.shape, np.uint16)
    mask[tuple(chance.randrange(1, int(n) - 1) for n in suv.grid.shape)] = 1
    one = from_labels(labels.with_array(mask), suv)
    return add_lesions(read_case(out / "case-1"), one, "CD").head


def repair(out: Path, chance: random.Random) -> str | None:
    """Add, grow, erase or merge, by a reader of its own who never signs."""
    session = Session(read_case(out / "case-1"), "EF")
    grid = session.reading.lesions.grid
    x, y, z = (float(v) for v in grid.to_mm([chance.randrange(n) for n in grid.shape]))
    numbers = [int(i) for i in session.reading.lesions.ids]
    number = chance.choice(numbers)
    steps: list[Callable[[], Decision]] = [
        lambda: repairs.add(session.replayer.pet, (x, y, z), 0.5, 8.0),
        lambda: repairs.add(session.replayer.pet, (x, y, z), "41%", 20.0, into=number),
        lambda: repairs.erase(number, [(x, y, z, 12.0)]),
        lambda: repairs.erase(number, below=chance.uniform(0, 6)),
        lambda: repairs.erase(number, above=chance.uniform(2, 9)),
        lambda: repairs.merge([number, chance.choice(numbers)]),
        lambda: Decision("undo"),
    ]
    return record(read_case(out / "case-1"), chance.choice(steps)(), "EF").head


class Archive:
    """A receiver that keeps a list of what it was given, on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, items: Sequence[Item]) -> None:
        """Nothing to do."""

    def store(self, item: Item, dataset: Dataset) -> Answer:
        with self.path.open("a") as stream:
            stream.write(f"{dataset.SOPInstanceUID}\n")
        return Answer("taken")

    def has(self, item: Item) -> bool:
        return item.uid in self.held()

    def held(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def close(self) -> None:
        """Nothing to do."""


def send(out: Path, chance: random.Random) -> None:
    """Seven objects more, once each; how many are on their way when it is killed varies."""
    export_pet = out / "case-1" / "export" / "pet"
    uid = f"1.2.{chance.randrange(10**6)}"
    for path in write_series(export_pet, study=uid, series=f"{uid}.4"):
        path.rename(path.with_suffix(".dcm"))
    send_objects(out / "case-1", parse_destination("A@h:1"), Archive(out / "archive.txt"))


def predict(out: Path, chance: random.Random) -> None:
    """As ``--fresh`` does: an unreviewed case is replaced, a reviewed one moved aside."""
    make_case(out, "case-2", methods=("41",))


def export(out: Path, chance: random.Random) -> None:
    write_objects(read_case(out / "case-1"), ["csv", "nifti"])


WORK = (decide, decide, add, repair, repair, predict, export, send)


def work(out: Path, seed: int, say: Callable[[bytes], object]) -> None:
    """Go on until killed; what was acknowledged is said."""
    chance = random.Random(seed)
    while True:
        try:
            head = chance.choice(WORK)(out, chance)
        except TmtvError:  # nothing to undo, signed already …
            continue
        if head:
            say(f"{head}\n".encode())


def killed(out: Path, seed: int, after_s: float) -> set[str]:
    """Let a process work and kill it; the heads that it acknowledged."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(out, seed, lambda raw: os.write(writer, raw))
        finally:
            os._exit(3)
    os.close(writer)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    with os.fdopen(reader, "rb") as stream:
        return set(stream.read().decode().splitlines())


def hashes(out: Path) -> set[str]:
    """Of every line of every journal, those of cases moved aside too."""
    paths = [*out.glob("*/review/*.jsonl"), *out.glob("aside/*/review/*.jsonl")]
    return {line.hash for path in paths for line in Journal(path).read()}


def failures(out: Path) -> list[str]:
    return [
        f"{p.name}: {f.what}: {f.detail}" for p, rows in verify_all(out) for f in rows if f.failed
    ]


@pytest.mark.long
@pytest.mark.parametrize("part", range(2))
def test_killed_at_any_moment(tmp_path: Path, count: Callable[[int, str], int], part: int) -> None:
    chance = random.Random(part)
    sure: set[str] = set()
    for turn in range(count(500, "kills")):
        out = tmp_path / str(turn // 10)
        if turn % 10 == 0:
            sure = set()
            make_case(out), make_case(out, "case-2", methods=("41",))
        sure |= killed(out, 1000 * part + turn, chance.random() * 0.4)
        assert sure <= hashes(out)
        assert failures(out) == []
        sent = Archive(out / "archive.txt").held()
        assert len(sent) == len(set(sent))
        if turn % 10 == 9:
            for step in (decide, add, repair, predict, export, send):  # the next run
                for seed in range(20):
                    try:
                        step(out, random.Random(seed))
                        break
                    except TmtvError:
                        continue
            assert [str(p) for p in out.rglob("*.part")] == []


@pytest.mark.parametrize("what", ["decide", "predict", "export"])
def test_who_holds_a_case_is_waited_for(tmp_path: Path, what: str) -> None:
    """Decisions, ``--fresh``, export and import exclude each other by one lock."""
    case = make_case(tmp_path)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with alone(case.path):
            os.write(writer, b"held")
            time.sleep(0.5)
        os._exit(0)
    assert os.read(reader, 4) == b"held"
    begun = time.monotonic()
    if what == "decide":
        record(case, Decision("reject", (1,)), "AB")
    elif what == "predict":
        make_case(tmp_path)
    else:
        write_objects(case, ["csv"])
    assert time.monotonic() - begun > 0.4
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def test_what_a_killed_writer_left_in_a_case_does_not_go_aside_with_it(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, Decision("reject", (1,)), "AB")
    child = os.fork()
    if child == 0:
        with aside(case.path / "case.json"), aside(case.path / "review" / "x"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert len(list(case.path.rglob("*.part"))) == 2
    make_case(tmp_path)
    assert (tmp_path / "aside").is_dir()
    assert [str(p) for p in tmp_path.rglob("*.part")] == []


def limited(limit: int, step: Callable[[], object]) -> int:
    """Run it where no file may be longer than ``limit`` bytes: 0 done, 1 refused in our words."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            step()
            status = 0
        except TmtvError:
            status = 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def whole(folder: Path) -> dict[str, bytes]:
    return {k: v for k, v in snapshot(folder).items() if not k.endswith(".lock")}


def test_a_full_disk_records_nothing_that_it_calls_an_error(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, Decision("reject", (1,)), "AB")
    path = case.path / "review" / "AB.jsonl"
    sizes = [f.stat().st_size for f in (path, case.path / "case.json", tmp_path / "summary.csv")]
    limits = {0, 1, 100, *(n + d for n in sizes for d in (-1, 0, 1, 200, 500)), 10**6}
    seen = set()
    for limit in sorted(limits):
        before = whole(tmp_path)
        fate = limited(
            limit, lambda: record(read_case(case.path), Decision("note", text="x"), "AB")
        )
        seen.add(fate)
        lines = len(before["case-1/review/AB.jsonl"].splitlines())
        if fate == 1:
            assert whole(tmp_path) == before
        else:
            assert (fate, len(path.read_bytes().splitlines())) == (0, lines + 1)
        assert failures(tmp_path) == []
    assert seen == {0, 1}


@pytest.mark.parametrize("limit", [0, 1, 50, 300])
def test_a_first_decision_on_a_full_disk_leaves_no_journal(tmp_path: Path, limit: int) -> None:
    case = make_case(tmp_path)
    step = lambda: record(read_case(case.path), Decision("reject", (1,)), "AB")  # noqa: E731
    before = whole(tmp_path)
    assert limited(limit, step) == 1
    assert whole(tmp_path) == before


def test_a_case_and_an_export_on_a_full_disk_leave_nothing(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    before = whole(tmp_path)
    for limit in (0, 500, 3000):
        assert limited(limit, lambda: make_case(tmp_path, "case-2")) == 1
        assert limited(limit, lambda: write_objects(read_case(case.path), ["nifti"])) in (0, 1)
    assert not (tmp_path / "case-2").exists()
    assert {k for k in whole(tmp_path) if "export/" not in k} == set(before)
    assert [str(p) for p in tmp_path.rglob("*.part")] == []
