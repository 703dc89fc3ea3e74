"""Sending: a real Orthanc by both ways, scripted receivers for what it never says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.support.dicom import save
from tests.support.orthanc import Orthanc, free_port, orthanc
from tests.support.sending import certificate, exported, go, outcomes
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.pacs.ledger import Ledger, locked
from tmtv_engine.pacs.peers import NetworkError, Node, Security, Web, parse_destination
from tmtv_engine.pacs.send import send, transport_to


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as found:
        yield found


@pytest.mark.parametrize("way", ["node", "web"])
def test_orthanc_gives_back_what_it_was_sent_and_nothing_goes_twice(
    tmp_path: Path, way: str
) -> None:
    case = exported(tmp_path)
    told: list[tuple[str, int, int]] = []
    with orthanc(tmp_path / "orthanc") as pacs:
        to = parse_destination(getattr(pacs, way))
        found = send(
            case, to, transport_to(to), progress=lambda s, k, n: told.append((s.outcome, k, n))
        )
        assert outcomes(found) == ["taken"] * 7
        assert told == [("taken", k, 7) for k in range(1, 8)]
        held = pacs.datasets()
        assert outcomes(go(case, getattr(pacs, way))) == ["already"] * 7
        assert len(pacs.datasets()) == 7
    for path in sorted((case / "export").rglob("*.dcm")):
        sent = pydicom.dcmread(path)
        assert held[sent.SOPInstanceUID] == sent
    lines = [json.loads(x) for x in (case / "export" / "sent.jsonl").read_text().splitlines()]
    assert [x.get("state") for x in lines] == ["sending", None] * 7
    assert {x["destination"] for x in lines} == {getattr(pacs, way)}


def test_what_orthanc_refuses_is_told_object_by_object(pacs: Orthanc, tmp_path: Path) -> None:
    case = exported(tmp_path, "1.2.12")
    first = sorted((case / "export" / "pet").iterdir())[0]
    homeless, strange = pydicom.dcmread(first), pydicom.dcmread(first)
    del homeless.StudyInstanceUID
    homeless.SOPInstanceUID = "1.2.12.98"
    strange.SOPInstanceUID, strange.SOPClassUID = "1.2.12.99", "1.2.999"
    save(homeless, case / "export" / "homeless.dcm")
    save(strange, case / "export" / "strange.dcm")
    (case / "export" / "broken.dcm").write_bytes(b"no DICOM")
    refused = {s.path.name: s.detail for s in go(case, pacs.node) if s.outcome == "refused"}
    assert refused == {
        "broken.dcm": "broken.dcm is no DICOM file",
        "homeless.dcm": "status A700 Refused: Out of Resources",
        "strange.dcm": "the receiver does not take 1.2.999",
    }
    found = {s.path.name: s for s in go(case, pacs.web)}
    assert found["homeless.dcm"].detail == "HTTP 400 status C000 Cannot Understand"
    assert outcomes(list(found.values())).count("taken") == 8
    assert outcomes(go(case, pacs.node)).count("already") == 7


KILLED = """
import os, signal, sys
from pathlib import Path
from tmtv_engine.pacs.peers import parse_destination
from tmtv_engine.pacs.send import send, transport_to
to = parse_destination(sys.argv[2])
def tell(sent, done, of):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)
send(Path(sys.argv[1]), to, transport_to(to), progress=tell)
"""


@pytest.mark.parametrize("way", ["node", "web"])
def test_a_kill_in_the_middle_is_completed_by_the_next_run(
    pacs: Orthanc, tmp_path: Path, way: str
) -> None:
    case = exported(tmp_path, {"node": "1.2.13", "web": "1.2.14"}[way])
    to = getattr(pacs, way)
    done = subprocess.run([sys.executable, "-c", KILLED, case, to], check=False)
    assert done.returncode == -signal.SIGKILL
    with (case / "export" / "sent.jsonl").open("ab") as stream:
        stream.write(b'{"destination":"torn')
    assert outcomes(go(case, to)) == ["already"] * 3 + ["taken"] * 4
    assert outcomes(go(case, to)) == ["already"] * 7


@contextmanager
def receiver(answer: Callable[[int], int | None], **ae: Any) -> Iterator[tuple[str, list[str]]]:
    """A pynetdicom SCP on the loopback: ``answer(k)`` is the k-th status, None hangs up."""
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import PositronEmissionTomographyImageStorage, Verification

    seen: list[str] = []

    def on_store(event: Any) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))
        status = answer(len(seen) - 1)
        if status is None:
            event.assoc.abort()
            return 0xC000
        return status

    entity = AE(ae_title="SCP")
    for name, value in ae.items():
        setattr(entity, name, value)
    entity.add_supported_context(Verification)
    entity.add_supported_context(PositronEmissionTomographyImageStorage)
    server = entity.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)]
    )
    try:
        yield f"SCP@127.0.0.1:{server.server_address[1]}", seen
    finally:
        server.shutdown()


def test_busy_is_tried_again_and_a_warning_counts_as_taken(tmp_path: Path) -> None:
    case = exported(tmp_path)
    script = [0xA700, 0, 0xB000, 0xC001, 0xA701, 0xA702, 0xA703]
    with receiver(lambda k: script[k] if k < len(script) else 0) as (to, seen):
        found = go(case, to)
    assert outcomes(found) == ["taken", "taken", "refused", "refused", "taken", "taken", "taken"]
    assert found[1].detail == "status B000 (warning)"
    assert found[2].detail == "status C001 Cannot Understand"
    assert found[3].detail == "status A703 Refused: Out of Resources"
    assert len(seen) == 10


def test_a_broken_connection_is_made_anew(tmp_path: Path) -> None:
    case = exported(tmp_path)
    with receiver(lambda k: None if k == 2 else 0) as (to, seen):
        assert outcomes(go(case, to)) == ["taken"] * 7
    assert len(seen) == 8
    case = exported(tmp_path / "other")
    with receiver(lambda k: None if k >= 2 else 0) as (to, _):
        with pytest.raises(NetworkError, match="the connection was lost at IM002"):
            go(case, to)
        lines = (case / "export" / "sent.jsonl").read_text().splitlines()
        assert len([x for x in lines if "state" not in json.loads(x)]) == 2


def test_who_does_not_know_us_says_so(tmp_path: Path) -> None:
    case = exported(tmp_path)
    with receiver(lambda k: 0, require_calling_aet=["READER"]) as (to, _):
        with pytest.raises(NetworkError, match=r"rejects [^\n]*\n.* TMTV\? --aet"):
            go(case, to)
        assert outcomes(go(case, to, caller="READER")) == ["taken"] * 7
    with pytest.raises(NetworkError, match="does not answer"):
        go(case, f"SCP@127.0.0.1:{free_port()}", caller="OTHER")
    with pytest.raises(NetworkError, match="connection was lost"):
        go(case, f"http://127.0.0.1:{free_port()}/dicom-web")


def test_credentials_come_from_the_environment_only(tmp_path: Path) -> None:
    case = exported(tmp_path)
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"ann": "s€cret"}}
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password s€cret\n")
    os.chmod(tmp_path / "netrc", 0o600)
    with orthanc(tmp_path / "orthanc", **settings) as pacs, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETRC", str(tmp_path / "netrc"))
        with pytest.raises(NetworkError, match="HTTP 401"):
            go(case, pacs.web)
        with pytest.raises(NetworkError, match="HTTP 401"):
            go(case, pacs.web, environment={"TMTV_TOKEN": "abc"})
        user = {"TMTV_USER": "ann", "TMTV_PASSWORD": "s€cret"}
        assert outcomes(go(case, pacs.web, environment=user)) == ["taken"] * 7
    assert "s€cret" not in (case / "export" / "sent.jsonl").read_text()


def test_tls_trusts_only_whom_it_is_told_to(tmp_path: Path) -> None:
    case = exported(tmp_path)
    cert, key = certificate(tmp_path)
    settings = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(cert),
        "DicomTlsPrivateKey": str(key),
        "DicomTlsTrustedCertificates": str(cert),
    }
    with orthanc(tmp_path / "orthanc", **settings) as pacs:
        with pytest.raises(NetworkError, match="no TLS connection"):
            go(case, pacs.node, security=Security(tls=True))
        ours = Security(tls=True, cert=cert, key=key, ca=cert)
        assert outcomes(go(case, pacs.node, security=ours)) == ["taken"] * 7
        assert len(pacs.datasets()) == 7
    with pytest.raises(UsageError, match="cannot be read"):
        go(case, "A@127.0.0.1:1", security=Security(tls=True, ca=tmp_path / "none.pem"))


def test_the_ledger_knows_destination_object_and_bytes(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.add("A@h:1", "1.2", "ab")
    again = Ledger(tmp_path)
    assert again.has("A@h:1", "1.2", "ab")
    assert not again.has("B@h:1", "1.2", "ab")
    assert not again.has("A@h:1", "1.2", "cd")
    (tmp_path / "sent.jsonl").write_bytes(b"{}\n")
    with pytest.raises(CaseError, match="line 1 is no entry"):
        Ledger(tmp_path)


def test_two_processes_do_not_send_one_case(tmp_path: Path) -> None:
    case = exported(tmp_path)
    with locked(case / "export"), pytest.raises(CaseError, match="another process"):
        go(case, "A@127.0.0.1:1")


def test_nothing_exported_is_told(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="tmtv export"):
        go(tmp_path, "A@127.0.0.1:1")


def test_destinations() -> None:
    assert parse_destination("MY PACS@Host.example:104") == Node("MY PACS", "host.example", 104)
    assert parse_destination("A@[::1]:4242") == Node("A", "::1", 4242)
    assert str(parse_destination("A@[::1]:4242")) == "A@[::1]:4242"
    assert parse_destination("HTTPS://Pacs:8443/Dicom-Web/studies/") == Web(
        "https://pacs:8443/Dicom-Web"
    )
    for text in ("PACS", "PACS@host", "A@h:0", "A@h:70000", "SEVENTEENLETTERSX@h:1", "@h:1"):
        with pytest.raises(UsageError):
            parse_destination(text)
    for text in ("http://", "https://ann:secret@pacs/dicom-web", "http://h/x?y=1", "http://h:x/"):
        with pytest.raises(UsageError) as caught:
            parse_destination(text)
        assert "secret" not in str(caught.value)


AMBUSH = """
import os, signal, sys
from pathlib import Path
from tmtv_engine.pacs.ledger import Ledger
from tmtv_engine.pacs.peers import parse_destination
from tmtv_engine.pacs.send import send, transport_to
note, count = Ledger.add, 0
def add(self, *what, taken=True):
    global count
    count += taken
    if count == 3:
        os.kill(os.getpid(), signal.SIGKILL)  # sent, and not noted
    note(self, *what, taken=taken)
Ledger.add = add
to = parse_destination(sys.argv[2])
send(Path(sys.argv[1]), to, transport_to(to))
"""


@pytest.mark.parametrize("way", ["node", "web"])
def test_what_was_sent_and_not_noted_is_asked_for_and_not_sent_again(
    tmp_path: Path, way: str
) -> None:
    case = exported(tmp_path)
    with orthanc(tmp_path / "orthanc", DicomAlwaysAllowFind=True) as pacs:
        to = getattr(pacs, way)
        done = subprocess.run([sys.executable, "-c", AMBUSH, case, to], check=False)
        assert done.returncode == -signal.SIGKILL
        found = go(case, to)
        assert outcomes(found) == ["already"] * 3 + ["taken"] * 4
        assert found[2].detail == "the receiver holds it"
        assert outcomes(go(case, to)) == ["already"] * 7
        assert len(pacs.datasets()) == 7


def test_where_the_receiver_cannot_be_asked_it_is_sent_again(tmp_path: Path) -> None:
    case = exported(tmp_path)
    with receiver(lambda k: 0) as (to, seen):
        done = subprocess.run([sys.executable, "-c", AMBUSH, case, to], check=False)
        assert done.returncode == -signal.SIGKILL
        assert outcomes(go(case, to)) == ["already"] * 2 + ["taken"] * 5
    assert len(seen) == 8
    assert len(set(seen)) == 7


def test_links_in_the_export_folder_are_not_sent(tmp_path: Path) -> None:
    """Before: what a link named, anywhere on the machine, went to the archive."""
    case = exported(tmp_path)
    files = sorted((case / "export").rglob("*.dcm"))
    private = files[0].rename(tmp_path / "private.dcm")
    files[0].symlink_to(private)
    with receiver(lambda k: 0) as (to, seen):
        found = go(case, to)
    assert len(seen) == 6
    assert [s.detail for s in found if s.outcome == "refused"] == [
        "IM000.dcm is no file of the case"
    ]
    (case / "export").rename(tmp_path / "elsewhere")
    (case / "export").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CaseError, match="is a link"):
        go(case, "A@127.0.0.1:1")


def test_a_ledger_that_is_a_link_is_not_written_through(tmp_path: Path) -> None:
    case = exported(tmp_path)
    (tmp_path / "mine").write_text("keep me")
    (case / "export" / "sent.jsonl").symlink_to(tmp_path / "mine")
    with receiver(lambda k: 0) as (to, seen), pytest.raises(CaseError, match="is no file"):
        go(case, to)
    assert (seen, (tmp_path / "mine").read_text()) == ([], "keep me")
