"""Case folders from strangers: whatever was done to one, each command ends with an error of it.

Before: of 700 damaged folders 131 (`verify`), 120 (`export`) and 53 (`accept`) ended uncaught, and
links in a folder overwrote one's own files. `make long` damages as many.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import random
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import make_case
from tests.support.exports import small_case
from tmtv_engine.case.folder import prediction_sha256, read_case
from tmtv_engine.errors import TmtvError
from tmtv_engine.files import canonical, sha256_of
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import line_hash
from tmtv_engine.review.session import record, review_sha256
from tmtv_tui.cli.app import main
from tmtv_tui.review.opened import Opened
from tmtv_tui.review.rows import case_row

ABSURD: tuple[Any, ...] = (
    None, True, -1, 0, 2**31, 2**70, 1e308, -1e308, 1e-320, "", "x" * 5000, "\x1b]0;x\x07", [], {},
    [[[]]], [None] * 3, {"a": {"b": []}}, "nan", "../../../etc/passwd", "1.2.3", [1e300] * 3, "-0",
)  # fmt: skip
Chance = random.Random
ROOT = Path(__file__).resolve().parents[2]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(p for key, part in inner for p in places(part, (*path, key)))]


def absurd_json(name: str) -> Callable[[Path, Chance], None]:
    """One value of a JSON file becomes another; its hashes are made right again, mostly."""

    def change(folder: Path, chance: Chance) -> None:
        path = folder / name
        found = json.loads(path.read_text())
        place = chance.choice([p for p in places(found) if p])
        target = found
        for key in place[:-1]:
            target = target[key]
        if chance.random() < 0.2 and isinstance(target, dict):
            del target[place[-1]]
        else:
            target[place[-1]] = chance.choice(ABSURD)
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
        if chance.random() < 0.8:
            rehash(folder)

    return change


def rehash(folder: Path) -> None:
    """Make the hashes of `case.json` right again, as a stranger can."""
    path = folder / "case.json"
    try:
        found = json.loads(path.read_text())
        hashes = found["provenance"]["files_sha256"]
        for name in [n for n in hashes if n != "case.json"]:
            hashes[name] = sha256_of(folder / name)
        hashes["case.json"] = prediction_sha256(found)
        found["review"]["sha256"] = review_sha256(found)
    except (LookupError, TypeError, ValueError, AttributeError, OSError, TmtvError):
        return
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def any_file(folder: Path, chance: Chance) -> Path:
    return chance.choice(sorted(p for p in folder.rglob("*") if p.is_file()))


def flipped(folder: Path, chance: Chance) -> None:
    path = any_file(folder, chance)
    raw = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 30))):
        if raw:
            raw[chance.randrange(len(raw))] = chance.randrange(256)
    path.write_bytes(bytes(raw))


def cut(folder: Path, chance: Chance) -> None:
    path = any_file(folder, chance)
    path.write_bytes(path.read_bytes()[: chance.choice((0, 1, path.stat().st_size // 2))])


def replaced(folder: Path, chance: Chance) -> None:
    path = any_file(folder, chance)
    path.unlink()
    kind = chance.randrange(5)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        os.mkfifo(path)
    elif kind == 2:
        path.symlink_to("/dev/zero")
    elif kind == 3:
        path.symlink_to(path)


def deep(folder: Path, chance: Chance) -> None:
    name = chance.choice(["case.json", "source.json", "review/AB.jsonl"])
    text = chance.choice(['{"a":' * 50_000, "[" * 200_000, '{"schema":"tmtv.case/1"}', "9" * 10**6])
    (folder / name).write_text(text + "\n")


def arrays(folder: Path, chance: Chance) -> None:
    """An array of an npz becomes one that does not fit; the hash is right."""
    path = folder / chance.choice(["voxels.npz", "slices.npz", "mip.npz"])
    with np.load(path) as stored:
        found = dict(stored)
    key = chance.choice(sorted(found))
    value = found[key]
    found[key] = chance.choice(
        [
            np.zeros(0), np.full(3, np.nan), value[..., None], np.array("x"), -np.ones(7, np.int64),
            np.full(value.shape, 2**40, np.int64), np.zeros(2**24), np.full(value.shape, np.inf),
        ]
    )  # fmt: skip
    if chance.random() < 0.1:
        del found[key]
    stream = io.BytesIO()
    np.savez_compressed(stream, **found)
    path.write_bytes(stream.getvalue())
    rehash(folder)


def bomb(folder: Path, chance: Chance) -> None:
    if chance.random() < 0.5:
        raw = gzip.decompress((folder / "lesions.nii.gz").read_bytes())[:352]
        (folder / "lesions.nii.gz").write_bytes(gzip.compress(raw + bytes(2**28), 1))
    else:
        np.savez_compressed(folder / "voxels.npz", ids=np.zeros(2**28, np.uint8))


def forged(folder: Path, chance: Chance) -> None:
    """A journal with a whole chain and absurd values."""
    path = folder / "review" / "AB.jsonl"
    lines = [json.loads(raw) for raw in path.read_bytes().splitlines()]
    line = chance.choice(lines)
    line[chance.choice(sorted(line))] = chance.choice(ABSURD)
    before = ""
    for line in lines:
        line["prev"] = before
        line["hash"] = before = line_hash(line)
    path.write_bytes(b"".join(canonical(line) + b"\n" for line in lines))


DAMAGES: tuple[Callable[[Path, Chance], None], ...] = (
    absurd_json("case.json"), absurd_json("case.json"), absurd_json("source.json"), flipped, cut,
    replaced, deep, arrays, bomb, forged,
)  # fmt: skip


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = small_case(tmp_path_factory.mktemp("sound"), methods=("41", "2.5"))
    record(case, Decision("reject", (1,), reason="brain"), "AB")
    record(case, Decision("note", text="seen"), "AB")
    return case.path


@pytest.mark.long
@pytest.mark.parametrize("part", range(5))
def test_a_damaged_folder_is_an_error_of_that_case_in_every_command(
    sound: Path, tmp_path: Path, count: Callable[[int, str], int], part: int
) -> None:
    """In a process of its own, whose memory is that of these commands alone."""
    end = 5 * count(140, "damaged folders")
    code = "import sys; from tests.review.test_hostile import ordeal; ordeal(*sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(sound), str(tmp_path), str(part), str(end)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) < 2**20  # kB


def ordeal(sound: str, where: str, first: str, end: str) -> None:
    """Every command on each damaged folder, every fifth seed; prints the peak memory in kB."""
    for seed in range(int(first), int(end), 5):
        _one_ordeal(Path(sound), Path(where), seed)
    # not getrusage, whose maximum a child inherits
    status = Path("/proc/self/status").read_text()
    print(status.split("VmHWM:")[1].split()[0])


def _one_ordeal(sound: Path, where: Path, seed: int) -> None:
    out = where / f"out-{seed}"
    folder = out / sound.name
    shutil.copytree(sound, folder)
    damage = DAMAGES[seed % len(DAMAGES)]
    damage(folder, Chance(seed))
    for command in (
        ["verify", str(out)],
        ["report", str(out), "-o", str(where / "report")],
        ["export", str(folder), "--write", "seg,sr,rtstruct,mip,nifti,csv"],
        ["accept", str(folder), "2", "--reader", "CD"],
        ["verify", str(folder)],
    ):
        begun, told = time.process_time(), io.StringIO()
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
            status = main(command)
        said = (seed, getattr(damage, "__qualname__", ""), command[0], told.getvalue())
        assert status in (0, 1, 2), said
        assert "should not happen" not in told.getvalue(), said
        assert "Traceback" not in told.getvalue(), said
        # of the processor, which load does not change
        assert time.process_time() - begun < 10, said
    case_row(folder)
    with contextlib.suppress(TmtvError):
        Opened.of(folder, "CD")
    shutil.rmtree(out, ignore_errors=True)


LINKS = (
    "review", "export", "review/AB.jsonl", "review/.case.lock", "case.json", "export/sr.dcm",
    "export/signed.txt", "review/CD.jsonl", "export/lesions.csv", "voxels.npz", "source.json",
)  # fmt: skip


@pytest.mark.parametrize("name", LINKS)
def test_nothing_is_written_through_a_link(sound: Path, tmp_path: Path, name: str) -> None:
    """Before: a link in a folder from elsewhere overwrote what it named."""
    folder = tmp_path / "out" / sound.name
    shutil.copytree(sound, folder)
    (folder / "export").mkdir(exist_ok=True)
    mine = tmp_path / "mine"
    link = folder / name
    if link.is_dir():
        shutil.rmtree(link)
        mine.mkdir()
    else:
        link.unlink(missing_ok=True)
        mine.write_bytes(b"keep me")
    link.symlink_to(mine)
    main(["export", str(folder), "--write", "seg,sr,csv"])
    main(["reject", str(folder), "2", "--reader", "CD"])
    main(["sign", str(folder), "--reader", "AB"])
    main(["verify", str(folder)])
    if mine.is_dir():
        assert list(mine.iterdir()) == []
    else:
        assert mine.read_bytes() == b"keep me"


@pytest.mark.parametrize("name", ["AB.jsonl", "ZZ.jsonl"])
@pytest.mark.parametrize("target", ["/dev/zero", "fifo", "/proc/self/mem"])
def test_a_device_in_place_of_a_journal_is_read_by_nobody(
    sound: Path, tmp_path: Path, name: str, target: str
) -> None:
    """Before: the worklist read /dev/zero until the memory was gone."""
    folder = tmp_path / "out" / sound.name
    shutil.copytree(sound, folder)
    path = folder / "review" / name
    path.unlink(missing_ok=True)
    os.mkfifo(path) if target == "fifo" else path.symlink_to(target)
    begun = time.process_time()  # which another process does not change
    assert case_row(folder).broken
    assert main(["verify", str(folder)]) == 1
    assert main(["export", str(folder), "--write", "csv"]) == 1
    with contextlib.suppress(TmtvError):
        Opened.of(folder, "AB")
    assert time.process_time() - begun < 10


def test_what_names_patients_is_readable_by_its_owner_only(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "out" / sound.name
    shutil.copytree(sound, folder)
    assert main(["export", str(folder), "--write", "seg,sr,rtstruct,mip"]) == 0
    assert "readable by you only" in capsys.readouterr().err
    files = [folder / "source.json", *(folder / "export").glob("*.dcm")]
    assert len(files) > 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_what_libraries_warn_of_reaches_the_terminal_cleaned(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import logging
    import warnings

    from tmtv_tui.cli import console

    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's own
    with console.tamed():
        warnings.filterwarnings("default")
        warnings.warn("bad value \x1b]0;owned\x07 here", stacklevel=1)
        logging.getLogger("some.library").warning("and \x1b[31m%s", "red")
    told = capsys.readouterr().err
    assert told == "warning: bad value ]0;owned here\nwarning: and [31mred\n"


def test_a_duplicate_number_is_an_error_of_that_case(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = make_case(tmp_path)
    found = json.loads((case.path / "case.json").read_text())
    found["lesions"][1]["id"] = 1
    (case.path / "case.json").write_text(json.dumps(found, indent=1) + "\n")
    for command in ("verify", "export", "accept"):
        more = {"export": ["--write", "csv"], "accept": ["1"], "verify": []}[command]
        assert main([command, str(case.path), *more]) == 1
        assert "two lesions have one number" in "".join(capsys.readouterr())
    with pytest.raises(TmtvError):
        read_case(case.path)
