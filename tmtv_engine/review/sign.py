"""Signatures of a reading by an SSH key, made and checked by OpenSSH, as git signs commits.

What is signed is the hash of the journal's ``sign`` line and a newline, in the namespace
``tmtv``; that hash covers the case, the prediction, the totals and every line before. The
signature lies beside the journal, ``review/<reader>.sig``.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tmtv_engine.case.folder import Case
from tmtv_engine.case.guard import guarded
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.files import open_own, write_text
from tmtv_engine.review.journal import Decision, alone, journal_path
from tmtv_engine.review.line import Action
from tmtv_engine.review.reading import Reading
from tmtv_engine.review.session import Session, follow, summed
from tmtv_engine.text import clean

NAMESPACE = "tmtv"
LIMIT = 2**16
ARMOUR = "-----BEGIN SSH SIGNATURE-----\n"
_WAIT_S = 300.0  # a passphrase is typed, a key is touched


@dataclass(frozen=True)
class Answer:
    """What OpenSSH says of a signature: good or not, and in its words by which key."""

    good: bool
    detail: str


def signature_path(case: Path, reader: str) -> Path:
    """Where the signature of ``reader`` lies."""
    return journal_path(case, reader).with_suffix(".sig")


def read_signature(case: Path, reader: str) -> str | None:
    """A reader's signature, None where there is none; `CaseError` for what cannot be one."""
    path = signature_path(case, reader)
    if not os.path.lexists(path):
        return None
    try:
        with open_own(path) as stream:
            text: str = stream.read(LIMIT + 1).decode("ascii")
    except (OSError, ValueError) as error:
        raise CaseError(f"{path} is no signature", "Sign again.") from error
    if len(text) > LIMIT or not text.startswith(ARMOUR):
        raise CaseError(f"{path} is no signature", "Sign again.")
    return text


def signature_of(case: Path, reader: str, line_hash: str) -> str | None:
    """A reader's signature if it is of that line; None where it is of another, or there is none.

    Raises `UsageError` where there is one and no OpenSSH to look at it.
    """
    text = read_signature(case, reader)
    if text is None or not check(text, line_hash, None, None, datetime.now(UTC)).good:
        return None
    return text


def sign(case: Case, reader: str | None = None, key: Path | None = None) -> Reading:
    """Sign the reading of ``reader``; with ``key`` also by SSH, also one that is signed already.

    ``key`` is a private key's file, or a public one's whose private key an agent holds. Where
    OpenSSH does not sign, nothing is recorded. Raises `CaseError` and `UsageError`.
    """
    with alone(case.path), guarded(case.path):
        session = Session(case, reader)
        path = signature_path(case.path, session.reader)
        before = read_signature(case.path, session.reader) if key else None
        made: list[str] = []
        if key is not None and session.reading.signed:
            write_text(path, _signed(session.reading.signed, key))
            return session.reading
        with session.journal.together():
            try:
                seal = None if key is None else lambda x: made.append(_signed(x.hash, key))
                reading = session.decide(Decision(Action.SIGN), seal)
                if made:
                    write_text(path, made[0])
                done = follow(case)
            except BaseException:
                if made and before is None:
                    path.unlink(missing_ok=True)
                elif made and before is not None:
                    write_text(path, before)
                raise
    summed(case, done.record)
    return reading


def check(
    signature: str, line_hash: str, reader: str | None, allowed: Path | None, at: datetime
) -> Answer:
    """Whether ``signature`` is of that line's hash, by a key that is ``reader``'s in ``allowed``.

    Without ``allowed`` only whether it is whole, by whatever key. ``at``: when the key must have
    been valid. Raises `UsageError` where there is no OpenSSH or no such file.
    """
    words = ["check-novalidate"]
    if allowed is not None:
        if not allowed.is_file():
            raise UsageError(f"{allowed}: there is no such file", "See ssh-keygen(1).")
        stamp = at.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        words = ["verify", "-f", str(allowed), "-I", str(reader), f"-Overify-time={stamp}"]
    with tempfile.NamedTemporaryFile("w", suffix=".sig") as file:
        file.write(signature)
        file.flush()
        done = _keygen([*words, "-s", file.name], line_hash)
    told = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    found = re.search(r"with (\S+) key (SHA256:\S+)", told[0] if told else "")
    key = f"{found[1]} {found[2]}" if found else clean(told[0] if told else "", 200)
    return Answer(done.returncode == 0, key)


def _signed(line_hash: str, key: Path) -> str:
    if not key.is_file():
        raise UsageError(f"--key {key}: there is no such file", "Name an SSH key's file.")
    done = _keygen(["sign", "-f", str(key)], line_hash)
    text = done.stdout.decode(errors="replace")
    if done.returncode or not text.startswith(ARMOUR):
        why = done.stderr.decode(errors="replace").strip().splitlines()
        raise CaseError(
            f"ssh-keygen did not sign with {key}: {clean(why[-1] if why else '', 200)}",
            "Nothing was recorded. Of a public key the agent must hold the private one.",
        )
    return text


def _keygen(words: list[str], line_hash: str) -> subprocess.CompletedProcess[bytes]:
    action, *rest = words
    command = ["ssh-keygen", "-Y", action, "-n", NAMESPACE, *rest]
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    try:
        return subprocess.run(
            command,
            input=f"{line_hash}\n".encode(),
            capture_output=True,
            env=environment,
            timeout=_WAIT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError(
            "there is no ssh-keygen here", "Install OpenSSH (8.2 or later)."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CaseError("ssh-keygen did not answer", "Try again.") from error
