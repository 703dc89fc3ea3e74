"""Sending: a real Orthanc by both ways, scripted receivers for what it never says."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.support.dicom import save, write_series
from tests.support.orthanc import Orthanc, free_port, orthanc
from tmtv_engine.errors import CaseError, UsageError
from tmtv_engine.pacs.ledger import Ledger, locked
from tmtv_engine.pacs.peers import NetworkError, Node, Security, Web
from tmtv_engine.pacs.send import Sent, parse_destination, send, transport_to

FAST = (0.05, 0.05)


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with orthanc(tmp_path_factory.mktemp("orthanc")) as found:
        yield found


def exported(tmp_path: Path, study: str = "1.2.3") -> Path:
    """A case folder with seven small objects below `export`, of a study of their own."""
    case = tmp_path / "case-1"
    for path in write_series(case / "export" / "pet", study=study, series=f"{study}.4"):
        path.rename(path.with_suffix(".dcm"))
    return case


def go(case: Path, to: str, **how: Any) -> list[Sent]:
    destination = parse_destination(to)
    return send(case, destination, transport_to(destination, **how), waits_s=FAST)


def outcomes(found: list[Sent]) -> list[str]:
    return [sent.outcome for sent in found]


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
from tmtv_engine.pacs.send import parse_destination, send, transport_to
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


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    words += " -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout"
    subprocess.run([*words.split(), key, "-out", cert], capture_output=True, check=True)
    return cert, key


@contextmanager
def web_service(cert: Path, key: Path) -> Iterator[tuple[str, list[str]]]:
    """An https service that lets nobody store, and the Authorization headers that it was sent.

    (Debian's Orthanc 1.10 crashes at the first https request.)
    """
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(403)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"https://127.0.0.1:{server.server_address[1]}/dicom-web", seen
        finally:
            server.shutdown()
            thread.join(30)


def test_https_trusts_only_whom_it_is_told_to(tmp_path: Path) -> None:
    """And a token is sent to nobody else; it wins over a user."""
    case = exported(tmp_path)
    cert, key = certificate(tmp_path)
    token = {"TMTV_TOKEN": "abc.def", "TMTV_USER": "ann", "TMTV_PASSWORD": "x"}
    with web_service(cert, key) as (to, seen):
        with pytest.raises(NetworkError, match="no TLS connection"):
            go(case, to, environment=token)
        assert seen == []
        with pytest.raises(NetworkError, match="HTTP 403"):
            go(case, to, environment=token, security=Security(ca=cert))
        assert seen == ["Bearer abc.def"]
        with pytest.raises(UsageError, match="cannot be read"):
            go(case, to, security=Security(ca=tmp_path / "none.pem"))
        with pytest.raises(UsageError, match="TMTV_TOKEN"):
            go(case, to, environment={"TMTV_TOKEN": "abc\ndef"})


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
from tmtv_engine.pacs.send import parse_destination, send, transport_to
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


@contextmanager
def http(answer: Callable[[Any], None]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """An http service and (method, path, Authorization) of each request that it was sent."""
    seen: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, self.headers.get("Authorization", "")))
            answer(self)

        do_GET = do_CONNECT = do_POST

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join(30)


def denied(handler: Any) -> None:
    handler.send_response(403)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def moved(code: int, where: str) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.send_response(code)
        handler.send_header("Location", where)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_or_scheme_gets_nothing(tmp_path: Path, code: int) -> None:
    """Before: the objects and what ~/.netrc holds for that host went there."""
    (tmp_path / "netrc").write_text("default login ann password secret\n")
    os.chmod(tmp_path / "netrc", 0o600)
    secret = {"TMTV_TOKEN": "abc"}
    with http(denied) as (other, seen), pytest.MonkeyPatch.context() as patch:
        patch.setenv("NETRC", str(tmp_path / "netrc"))
        for place in (f"{other}/dicom-web/studies", other.replace("http:", "https:") + "/x"):
            case = exported(tmp_path / place[:5])
            with http(moved(code, place)) as (to, asked):
                with pytest.raises(NetworkError, match="redirects to"):
                    go(case, f"{to}/dicom-web", environment=secret)
                assert [x[0] for x in asked] == ["POST"]
        assert seen == []
    lines = (case / "export" / "sent.jsonl").read_text().splitlines()
    assert {json.loads(x)["state"] for x in lines} == {"sending"}


def test_a_redirect_on_the_same_host_is_followed_where_it_keeps_the_method(
    tmp_path: Path,
) -> None:
    case = exported(tmp_path)

    def answer(handler: Any) -> None:
        first = handler.path.startswith("/old")
        (moved(308, "/new/studies") if first else denied)(handler)

    with http(answer) as (to, seen), pytest.raises(NetworkError, match="HTTP 403"):
        go(case, f"{to}/old", environment={"TMTV_TOKEN": "abc"})
    assert seen == [("POST", "/old/studies", "Bearer abc"), ("POST", "/new/studies", "Bearer abc")]


def test_proxies_of_the_environment_are_not_used_and_named_ones_are(tmp_path: Path) -> None:
    case = exported(tmp_path)
    with http(denied) as (proxy, through), http(denied) as (to, seen):
        with pytest.MonkeyPatch.context() as patch:
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
                patch.setenv(name, proxy)
            with pytest.raises(NetworkError, match="HTTP 403"):
                go(case, to)
        assert (len(seen), through) == (1, [])
        with pytest.raises(NetworkError, match="HTTP 403"):
            go(case, to, security=Security(proxy=proxy))
        assert len(seen) == 1
        assert [x[0] for x in through] == ["GET", "POST"]  # it went out before: is it there?


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
