"""A PACS that lies, floods, hangs up or sends what was not asked for."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from tests.support.dicom import PET, write_series
from tmtv_engine.errors import InputError
from tmtv_engine.pacs import peers, query, retrieve, web
from tmtv_engine.pacs.fetch import Fetched, fetch, source_of
from tmtv_engine.pacs.peers import NetworkError, parse_destination
from tmtv_engine.pacs.query import Asked

STUDY = {"StudyInstanceUID": "1.2.3", "PatientID": "T1", "StudyDate": "20200101"}
SERIES = {"SeriesInstanceUID": "1.2.3.4", "Modality": "PT"}
Answers = Callable[[str], Sequence[dict[str, str]]]


def go(to: str, folder: Path, said: list[str] | None = None) -> list[Fetched]:
    say = (said if said is not None else []).append
    source = source_of(parse_destination(to))
    return list(fetch(folder, Asked(("T1",)), source, say=say, waits_s=(0.05, 0.05)))


def honest(level: str) -> list[dict[str, str]]:
    """One study of one series of seven instances."""
    images = [{"SOPInstanceUID": f"1.2.3.4.{k}"} for k in range(1, 8)]
    return {"STUDY": [STUDY], "SERIES": [SERIES], "IMAGE": images}[level]


def but(level: str, *answers: dict[str, str]) -> Answers:
    """Honest, except at one level."""
    return lambda at: list(answers) if at == level else honest(at)


@contextmanager
def node(answers: Answers, send: Callable[[Dataset, Any], Iterator[Any]]) -> Iterator[str]:
    """A pynetdicom SCP: ``answers`` to a C-FIND, ``send(asked, association)`` for a C-GET."""
    from pynetdicom import AE, evt
    from pynetdicom.sop_class import Verification

    def on_find(event: Any) -> Iterator[Any]:
        for words in answers(event.identifier.QueryRetrieveLevel):
            found = Dataset()
            for key, value in words.items():
                with disable_value_validation():  # it writes what is no UID
                    setattr(found, key, value)
            yield 0xFF00, found

    def on_get(event: Any) -> Iterator[Any]:
        yield from send(event.identifier, event.assoc)

    entity = AE(ae_title="SCP")
    for kind in (Verification, query_model("FIND"), query_model("GET")):
        entity.add_supported_context(kind)
    entity.add_supported_context(PET, scu_role=True, scp_role=True)
    server = entity.start_server(
        ("127.0.0.1", 0),
        block=False,
        evt_handlers=[(evt.EVT_C_FIND, on_find), (evt.EVT_C_GET, on_get)],
    )
    try:
        yield f"SCP@127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()


def query_model(which: str) -> str:
    from tmtv_engine.pacs import association

    return str(getattr(association, which))


def sending(files: Sequence[Path]) -> Callable[[Dataset, Any], Iterator[Any]]:
    """Each file that has a name, whatever was asked for; a None hangs up."""

    def send(asked: Dataset, association: Any) -> Iterator[Any]:
        yield len(files)
        for path in files:
            yield 0xFF00, pydicom.dcmread(path)

    return send


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return sorted(write_series(tmp_path / "pet"))


def test_an_honest_one_is_believed(tmp_path: Path, files: list[Path]) -> None:
    with node(honest, sending(files)) as to:
        assert [(x.outcome, x.new) for x in go(to, tmp_path / "in")] == [("fetched", 7)]


def test_what_was_not_asked_for_is_not_kept(tmp_path: Path, files: list[Path]) -> None:
    """Other instances of the series, other series and studies, one twice."""
    strange = [
        *write_series(tmp_path / "a", series="1.2.3.8"),
        *write_series(tmp_path / "b", study="1.2.9"),
    ]
    with node(honest, sending([*strange, *files[:6], files[0]])) as to:
        (found,) = go(to, tmp_path / "in")
    assert (found.outcome, found.new) == ("failed", 6)
    assert found.detail == "PT: 1 of 7 did not come (status B000)"
    kept = [pydicom.dcmread(p) for p in (tmp_path / "in").rglob("*.dcm")]
    assert sorted(x.SOPInstanceUID for x in kept) == sorted(
        pydicom.dcmread(p).SOPInstanceUID for p in files[:6]
    )
    assert {(x.StudyInstanceUID, x.SeriesInstanceUID) for x in kept} == {("1.2.3", "1.2.3.4")}


@pytest.mark.filterwarnings("ignore:Invalid value", "ignore:The value length")
@pytest.mark.parametrize("uid", ["../../etc", "", "1.2.3/..", "1" * 65, "1.2\\1.3", "\x1b[31m1"])
def test_a_uid_that_is_none_is_no_path(tmp_path: Path, files: list[Path], uid: str) -> None:
    with (
        node(but("STUDY", {**STUDY, "StudyInstanceUID": uid}), sending(files)) as to,
        pytest.raises(InputError, match="StudyInstanceUID that is none") as caught,
    ):
        go(to, tmp_path / "in")
    assert "\x1b" not in caught.value.what
    for level, key in (("SERIES", "SeriesInstanceUID"), ("IMAGE", "SOPInstanceUID")):
        with node(but(level, {**SERIES, key: uid}), sending(files)) as to:
            (found,) = go(to, tmp_path / "in")
        assert (found.outcome, found.new) == ("failed", 0)
        assert f"{key} that is none" in found.detail
    assert {p.name for p in tmp_path.iterdir()} == {"pet", "in"}
    assert not list((tmp_path / "in").rglob("*.dcm"))


def test_another_patient_s_study_is_left_alone(tmp_path: Path, files: list[Path]) -> None:
    said: list[str] = []
    other = {**STUDY, "PatientID": "T11", "StudyInstanceUID": "1.2.99"}
    nobody = {"StudyInstanceUID": "1.2.98"}
    with node(but("STUDY", other, nobody, STUDY), sending(files)) as to:
        assert [x.study for x in go(to, tmp_path / "in", said)] == ["1.2.3"]
    assert said == ["the PACS answers with a study that was not asked for: left alone"] * 2


def test_endless_answers_end(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "MOST", {"STUDY": 5, "SERIES": 5, "IMAGE": 7})
    many = [{**SERIES, "SeriesInstanceUID": f"1.2.3.{k}"} for k in range(500)]
    two = [STUDY, {**STUDY, "StudyInstanceUID": "1.2.4"}]
    levels = {"STUDY": two, "SERIES": many, "IMAGE": honest("IMAGE")}
    with node(lambda level: levels[level], sending(files)) as to:
        found = go(to, tmp_path / "in")
    assert [x.outcome for x in found] == ["failed"] * 2  # and the second was asked for
    assert all("more than 5 at the SERIES level" in x.detail for x in found)


def test_who_hangs_up_is_asked_again(tmp_path: Path, files: list[Path]) -> None:
    calls: list[int] = []

    def send(asked: Dataset, association: Any) -> Iterator[Any]:
        calls.append(len(calls))
        left = [
            p for p in files if pydicom.dcmread(p).SOPInstanceUID == asked.get("SOPInstanceUID")
        ]
        yield len(left or files)
        for path in left or files[:3]:
            yield 0xFF00, pydicom.dcmread(path)
        if not left:
            association.abort()

    with node(honest, send) as to:
        assert [(x.outcome, x.new, x.there) for x in go(to, tmp_path / "in")] == [("fetched", 7, 0)]
    assert len(calls) == 1 + 4

    def never(asked: Dataset, association: Any) -> Iterator[Any]:
        association.abort()
        yield 0

    with (
        node(honest, never) as to,
        pytest.raises(NetworkError, match=r"no connection.*\n.*the same command goes on"),
    ):
        go(to, tmp_path / "other")


def test_an_object_without_end_ends(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieve, "MOST_BYTES", 400_000)
    large = pydicom.dcmread(files[0])
    large.PixelData = b"\0" * 2_000_000
    large.save_as(files[0])
    with node(honest, sending(files)) as to, pytest.raises(NetworkError, match="more than"):
        go(to, tmp_path / "in")
    assert not list((tmp_path / "in").rglob(".*"))


@contextmanager
def service(answer: Callable[[str], tuple[str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A DICOMweb service: ``answer(path)`` is a content type and a body; and what it was asked."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            kind, body = answer(self.path)
            self.send_response(200 if kind != "404" else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/dicom-web", seen
        finally:
            server.shutdown()
            thread.join(30)


def told(level: str, answers: Answers = honest) -> bytes:
    """Answers as DICOM JSON."""
    from pydicom.datadict import tag_for_keyword

    lines = [
        {f"{tag_for_keyword(k):08X}": {"vr": "LO", "Value": [v]} for k, v in words.items()}
        for words in answers(level)
    ]
    return json.dumps(lines).encode()


def level_of(path: str) -> str:
    place = path.partition("?")[0]
    if place.endswith("/studies"):
        return "STUDY"
    return "SERIES" if place.endswith("/series") else "IMAGE"


def of_archive(files: Sequence[Path], answers: Answers = honest) -> Callable[[str], Any]:
    """An honest service of these files: every page is the whole answer."""
    held = {str(pydicom.dcmread(p).SOPInstanceUID): p.read_bytes() for p in files}

    def answer(path: str) -> tuple[str, bytes]:
        name = path.rpartition("/")[2]
        if name in held:
            head = b"--B\r\nContent-Type: application/dicom\r\n\r\n"
            kind = 'multipart/related; type="application/dicom"; boundary=B'
            return kind, head + held[name] + b"\r\n--B--\r\n"
        return "application/dicom+json", told(level_of(path), answers)

    return answer


def test_a_service_that_knows_no_pages_is_asked_twice_not_for_ever(
    tmp_path: Path, files: list[Path]
) -> None:
    with service(of_archive(files)) as (to, seen):
        assert [(x.outcome, x.new) for x in go(to, tmp_path / "in")] == [("fetched", 7)]
    assert len([x for x in seen if level_of(x) == "STUDY"]) == 2
    assert len([x for x in seen if "/instances/" in x]) == 7


def test_what_a_service_gives_for_another_instance_is_not_kept(
    tmp_path: Path, files: list[Path]
) -> None:
    true = of_archive(files)
    for wrong in (
        true("x/1.2.3.4.1"),
        ("application/dicom", b"rubbish"),
        ("multipart/related; boundary=B", b"--B\r\n\r\n\r\n--B--"),
        ("text/html", b"<html>"),
        ("404", b""),
        ("application/dicom+json", b'{"a": 1}'),
    ):
        with service(lambda p, w=wrong: w if "/instances/" in p else true(p)) as (to, _):  # type: ignore[misc]
            (found,) = go(to, tmp_path / "in" / str(len(wrong[1])))
        assert found.outcome == "failed"
        assert found.new == (1 if wrong[1] == true("x/1.2.3.4.1")[1] else 0)
        assert "of 7 did not come" in found.detail


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b""])
def test_an_answer_that_names_nothing_is_no_study(tmp_path: Path, body: bytes) -> None:
    with service(lambda path: ("application/dicom+json", body)) as (to, _):
        assert go(to, tmp_path / "in") == []


NONE = [b"[1, null, []]", b'[{"0020000D": 5}]', b"<html>", b"[" * 5000]


@pytest.mark.parametrize("body", NONE, ids=range(len(NONE)))
def test_answers_that_are_none(tmp_path: Path, body: bytes) -> None:
    said: list[str] = []
    answer = ("application/dicom+json", body)
    with service(lambda path: answer) as (to, _), contextlib.suppress(InputError):
        assert go(to, tmp_path / "in", said) == []
        assert said
    assert not list((tmp_path / "in").iterdir())


def test_an_answer_without_end_ends(
    tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "MOST_BYTES", 100_000)
    assert peers.MOST_BYTES == 1 << 30
    with (
        service(lambda path: ("application/dicom+json", b" " * 200_000)) as (to, _),
        pytest.raises(NetworkError, match="an answer of more than 0 MB"),
    ):
        go(to, tmp_path / "in")


def test_a_service_s_uid_is_no_path(tmp_path: Path, files: list[Path]) -> None:
    bad = but("IMAGE", {"SOPInstanceUID": "1.2.3.4/../../../x"})
    with service(of_archive(files, bad)) as (to, seen):
        (found,) = go(to, tmp_path / "in")
    assert found.outcome == "failed"
    assert not any("instances/" in path for path in seen)
