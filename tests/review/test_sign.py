"""SSH signatures with real keys: one's own, another's, an agent's; they travel with the objects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cases import make_case
from tests.support.exports import small_case
from tmtv_engine.case.folder import Case, read_case
from tmtv_engine.errors import CaseError
from tmtv_engine.review.journal import Decision, Journal
from tmtv_engine.review.session import record
from tmtv_engine.review.sign import sign
from tmtv_engine.review.verify import verify
from tmtv_tui.cli.app import main

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no OpenSSH here")


def make_key(folder: Path, name: str, *more: str) -> Path:
    folder.mkdir(exist_ok=True)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
    subprocess.run([*words, *more], check=True)
    return folder / name


def signers(folder: Path, **keys: Path) -> Path:
    file = folder / "allowed_signers"
    lines = [f"{who} {key.with_suffix('.pub').read_text()}" for who, key in keys.items()]
    file.write_text("".join(lines))
    return file


def states(case: Case, allowed: Path | None) -> dict[str, tuple[str, str]]:
    return {f.what: (f.state, f.detail) for f in verify(case.path, allowed)}


def test_a_key_of_the_reader_and_nobody_else_s_vouches_for_a_reading(tmp_path: Path) -> None:
    case = make_case(tmp_path / "out")
    mine, other = make_key(tmp_path / "k", "mine"), make_key(tmp_path / "k", "other")
    record(case, Decision("reject", (1,)), "AB")
    assert main(["sign", str(case.path), "--reader", "AB", "--key", str(mine)]) == 0
    allowed = signers(tmp_path, AB=mine, CD=other)
    state, told = states(case, allowed)["review/AB.sig"]
    assert state == "ok"
    assert told.startswith("signed by ED25519 SHA256:")
    assert states(case, None)["review/AB.sig"][0] == "unverified"
    words = ["verify", str(tmp_path / "out"), "--allowed-signers"]
    assert main([*words, str(allowed)]) == 0
    assert main([*words, str(signers(tmp_path, AB=other, CD=mine))]) == 1
    assert main([*words, str(tmp_path / "none")]) == 2
    # OpenSSH itself says the same, by what the page for auditors tells
    line = Journal(case.path / "review" / "AB.jsonl").read()[-1]
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers(tmp_path, AB=mine)), "-I", "AB"]
    command += ["-n", "tmtv", "-s", str(case.path / "review" / "AB.sig")]
    subprocess.run(command, input=f"{line.hash}\n".encode(), check=True, capture_output=True)


def test_attacks_on_a_signature(tmp_path: Path) -> None:
    """It is of one line of one case: copied elsewhere, or of a line that is gone, it fails."""
    case, other = make_case(tmp_path / "out", "a"), make_case(tmp_path / "out", "b")
    key = make_key(tmp_path / "k", "mine")
    allowed = signers(tmp_path, AB=key, CD=key)
    for one in (case, other):
        record(one, Decision("reject", (1, 2)), "AB")
        sign(read_case(one.path), "AB", key)
    folder = case.path / "review"
    whole = (folder / "AB.sig").read_bytes()
    shutil.copy(other.path / "review" / "AB.sig", folder / "AB.sig")
    assert states(case, allowed)["review/AB.sig"] == (
        "changed",
        "it is of no signature in the journal",
    )
    (folder / "AB.sig").write_bytes(whole)
    assert states(case, allowed)["review/AB.sig"][0] == "ok"
    shutil.copy(folder / "AB.sig", folder / "CD.sig")
    assert states(case, allowed)["review/CD.sig"] == ("changed", "a signature without a journal")
    (folder / "CD.sig").unlink()
    record(case, Decision("unsign"), "AB")
    state, told = states(case, allowed)["review/AB.sig"]
    assert (state, told.endswith("of line 2, which no longer stands")) == ("unverified", True)
    for raw in (b"", b"\xff\xfe", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n", b"x" * 100_000):
        (folder / "AB.sig").write_bytes(raw)
        assert "changed" in {s for s, _ in states(case, allowed).values()}
    (folder / "AB.sig").unlink()
    (folder / "AB.sig").symlink_to(tmp_path / "k" / "mine")
    assert "changed" in {s for s, _ in states(case, allowed).values()}


def test_what_cannot_be_signed_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_case(tmp_path)
    record(case, Decision("reject", (1,)), "AB")
    before = (case.path / "review" / "AB.jsonl").read_bytes()
    public = make_key(tmp_path / "k", "mine").with_suffix(".pub")
    public.with_suffix("").unlink()  # and no agent holds it
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(CaseError, match="did not sign"):
        sign(case, "AB", public)
    assert main(["sign", str(case.path), "--reader", "AB", "--key", str(tmp_path / "no")]) == 2
    assert (case.path / "review" / "AB.jsonl").read_bytes() == before
    assert not (case.path / "review" / "AB.sig").exists()


def test_a_reading_signed_without_a_key_is_told_and_can_be_given_one(tmp_path: Path) -> None:
    case = make_case(tmp_path / "out")
    key = make_key(tmp_path / "k", "mine")
    allowed = signers(tmp_path, AB=key)
    record(case, Decision("sign"), "AB")
    assert states(case, allowed)["review/AB.sig"] == (
        "unverified",
        "the reading is signed without a key",
    )
    assert main(["verify", str(tmp_path / "out"), "--allowed-signers", str(allowed)]) == 0
    sign(read_case(case.path), "AB", key)
    assert len(Journal(case.path / "review" / "AB.jsonl").read()) == 1
    assert states(case, allowed)["review/AB.sig"][0] == "ok"


@contextmanager
def agent(key: Path) -> Iterator[None]:
    """A real ssh-agent that holds ``key``, whose file is gone."""
    told = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    found = dict(part.split("=", 1) for part in told.split(";") if "=" in part)
    socket, pid = (found[k] for k in found if k.strip() in ("SSH_AUTH_SOCK", "SSH_AGENT_PID"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSH_AUTH_SOCK", socket)
        try:
            subprocess.run(["ssh-add", "-q", str(key)], check=True)
            key.unlink()
            yield
        finally:
            os.kill(int(pid), 15)


def test_an_agent_signs_for_a_public_key(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    key = make_key(tmp_path / "k", "mine")
    allowed = signers(tmp_path, AB=key)
    with agent(key):
        sign(case, "AB", key.with_suffix(".pub"))
    assert states(case, allowed)["review/AB.sig"][0] == "ok"


def test_the_signature_travels_in_the_sr_and_beside_the_seg(tmp_path: Path) -> None:
    import pydicom

    case = small_case(tmp_path)
    key = make_key(tmp_path / "k", "mine")
    record(case, Decision("reject", (1,)), "AB")
    assert main(["export", str(case.path), "--write", "seg,sr"]) == 0
    assert not (case.path / "export" / "signed.txt").exists()
    reading = sign(read_case(case.path), "AB", key)
    assert main(["export", str(case.path), "--write", "seg,sr"]) == 0
    signature = (case.path / "review" / "AB.sig").read_text()
    told = {
        str(item.ConceptNameCodeSequence[0].CodeValue): item.TextValue
        for item in pydicom.dcmread(case.path / "export" / "sr.dcm").ContentSequence
        if "TextValue" in item
    }
    assert (told["SIGNATURE"], told["SSHSIG"].strip()) == (reading.signed, signature.strip())
    beside = case.path / "export" / "signed.txt"
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers(tmp_path, AB=key)), "-I", "AB"]
    command += ["-n", "tmtv", "-s", str(beside.with_suffix(".txt.sig"))]
    subprocess.run(command, input=beside.read_bytes(), check=True, capture_output=True)
    record(case, Decision("unsign"), "AB")
    assert main(["export", str(case.path), "--write", "seg,sr"]) == 0
    assert not beside.exists()
    assert json.loads((case.path / "case.json").read_text())["review"]["signed"] is None
