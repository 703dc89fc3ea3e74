"""Fetching from a real Orthanc by each way: what belongs to a study, each instance once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.support.dicom import save, tags, write_series
from tests.support.orthanc import Orthanc, free_port, orthanc
from tests.support.sending import certificate
from tmtv_engine.errors import CaseError, DiskError, UsageError
from tmtv_engine.pacs.fetch import Fetched, fetch, source_of
from tmtv_engine.pacs.peers import NetworkError, Security, parse_destination
from tmtv_engine.pacs.query import Asked

WAYS = ["get", "move", "web"]
RTSTRUCT, MR = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.840.10008.5.1.4.1.1.4"


@dataclass(frozen=True)
class Archive:
    """An Orthanc that knows us at ``port``, and the files that it was given."""

    pacs: Orthanc
    port: int
    files: dict[str, Path]

    def asked(self, folder: Path, way: str, asked: Asked, **how: Any) -> list[Fetched]:
        """What became of each study."""
        place = parse_destination(self.pacs.web if way == "web" else self.pacs.node, "--from")
        source = source_of(place, move_port=self.port if way == "move" else None, **how)
        return sorted(fetch(folder, asked, source, waits_s=(0.05,)), key=lambda x: x.study)


def as_kind(path: Path, sop_class: str, modality: str, series: str) -> Path:
    """A file of the same study in a series of its own, of another kind."""
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID, dataset.Modality, dataset.SeriesInstanceUID = sop_class, modality, series
    dataset.SOPInstanceUID = f"{series}.1"
    there = path.with_name(f"{modality}.dcm")
    save(dataset, there)
    return there


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """PET, CT, RTSTRUCT and MR of one study, a CT alone, a PET of another patient and day."""
    folder, port = tmp_path_factory.mktemp("archive"), free_port()
    pet = write_series(folder / "pet")
    files = [*pet, *write_series(folder / "ct", modality="CT", series="1.2.3.5")]
    files.append(as_kind(pet[0], RTSTRUCT, "RTSTRUCT", "1.2.3.6"))
    files.append(as_kind(pet[0], MR, "MR", "1.2.3.7"))
    files += write_series(folder / "alone", modality="CT", study="1.2.4", series="1.2.4.1")

    def other(k: int, ds: Any) -> None:
        tags(PatientID="T 2/b", StudyDate="20210315", AccessionNumber="A77")(ds)

    files += write_series(folder / "other", study="1.2.5", series="1.2.5.1", bend=other)
    with orthanc(folder / "o", DicomModalities={"us": ["TMTV", "127.0.0.1", port]}) as pacs:
        pacs.put(*files)
        yield Archive(pacs, port, {str(pydicom.dcmread(p).SOPInstanceUID): p for p in files})


def fates(found: list[Fetched]) -> list[tuple[str, str, int, int]]:
    return [(x.study, x.outcome, x.new, x.there) for x in found]


@pytest.mark.parametrize("way", WAYS)
def test_pet_ct_and_rois_of_a_study_come_each_once(
    archive: Archive, tmp_path: Path, way: str
) -> None:
    asked = Asked(("T1",))
    first = archive.asked(tmp_path / "in", way, asked)
    assert fates(first) == [("1.2.3", "fetched", 15, 0), ("1.2.4", "passed", 0, 0)]
    assert first[1].detail == "no PET in it (CT)"
    files = sorted((tmp_path / "in").rglob("*.dcm"))
    held = {str(pydicom.dcmread(path).SOPInstanceUID): path for path in files}
    assert sorted(held) == sorted(u for u in archive.files if u[:6] in ("1.2.3.",) and u[6] != "7")
    for uid, path in held.items():
        assert pydicom.dcmread(path) == pydicom.dcmread(archive.files[uid])
        assert path.stat().st_mode & 0o777 == 0o600
        assert not any(word in str(path.relative_to(tmp_path)) for word in ("T1", "1.2.3", "Test"))
    assert {p.parent.name.split("-")[0] for p in files} == {"PT", "CT", "RTSTRUCT"}

    before = {path: path.stat().st_mtime_ns for path in files}
    assert fates(archive.asked(tmp_path / "in", way, asked))[0] == ("1.2.3", "already", 0, 15)
    files[3].unlink()
    files[9].unlink()
    assert fates(archive.asked(tmp_path / "in", way, asked))[0] == ("1.2.3", "fetched", 2, 13)
    after = {path: path.stat().st_mtime_ns for path in files}
    assert [p for p in files if after[p] != before[p]] == [files[3], files[9]]
    assert sorted((tmp_path / "in").rglob("*.dcm")) == files
    assert not list((tmp_path / "in").rglob(".*"))  # no lock, nothing half written


@pytest.mark.parametrize("way", WAYS)
def test_what_is_asked_for_is_what_comes(archive: Archive, tmp_path: Path, way: str) -> None:
    for number, (asked, studies) in enumerate(
        [
            (Asked(accessions=("A77",)), ["1.2.5"]),
            (Asked(date="2021-03-15"), ["1.2.5"]),
            (Asked(date="20210101-"), ["1.2.5"]),
            (Asked(("T1", "T1"), date="20200101-20200101"), ["1.2.3", "1.2.4"]),
            (Asked(("T?2*", "nobody")), ["1.2.5"]),
            (Asked(("T1",), accessions=("A77",)), []),
            (Asked(date="-20191231"), []),
        ]
    ):
        found = archive.asked(tmp_path / str(number), way, asked)
        assert [x.study for x in found] == studies, asked


def test_ways_bring_the_same_files_under_the_same_names(archive: Archive, tmp_path: Path) -> None:
    for way in WAYS:
        archive.asked(tmp_path / way, way, Asked(("T1",)))
    names = [
        sorted(p.relative_to(tmp_path / way) for p in (tmp_path / way).rglob("*.dcm"))
        for way in WAYS
    ]
    assert names[0] == names[1] == names[2]
    assert fates(archive.asked(tmp_path / "get", "web", Asked(("T1",))))[0][1] == "already"


@pytest.mark.parametrize("text", ["2024", "20240230", "20240301-20240101", "-", "yesterday", "*"])
def test_a_date_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="is no date"):
        Asked(date=text)


def test_a_question_that_asks_for_everything_or_nothing_is_refused() -> None:
    for patients, accessions in (((), ()), (("*",), ()), ((), ("",)), (("a\\b",), ())):
        with pytest.raises(UsageError):
            Asked(patients, accessions=accessions)
    assert Asked(date="2024-01-05").date == "20240105"
    assert Asked(date="20240105-").date == "20240105-"


def test_two_at_once_in_one_folder_and_what_is_in_the_way(archive: Archive, tmp_path: Path) -> None:
    asked, place = Asked(("T1",)), parse_destination(archive.pacs.node)
    going = fetch(tmp_path / "in", asked, source_of(place))
    assert len([next(going), next(going)]) == 2
    with pytest.raises(CaseError, match="another process writes into it"):
        archive.asked(tmp_path / "in", "get", asked)
    going.close()  # type: ignore[attr-defined]
    (pet,) = (tmp_path / "in").glob("s*/PT-*")
    victim = tmp_path / "elsewhere"
    victim.mkdir()
    for path in sorted(pet.iterdir()):
        path.unlink()
    pet.rmdir()
    pet.symlink_to(victim)
    with pytest.raises(CaseError, match="is a link"):
        archive.asked(tmp_path / "in", "get", asked)
    assert not list(victim.iterdir())


def test_a_disk_that_refuses_ends_it(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tmtv_engine.pacs import fetch as fetching

    def full(path: Path, *_: object) -> None:
        raise DiskError(f"{path}: No space left on device", "Nothing was left half-written.")

    monkeypatch.setattr(fetching, "write_bytes", full)
    for way in WAYS:
        with pytest.raises(DiskError, match="No space left"):
            archive.asked(tmp_path / way, way, Asked(("T1",)))


def test_tls_is_as_sending_has_it(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    port = free_port()
    files = write_series(tmp_path / "pet")
    settings: dict[str, Any] = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(cert),
        "DicomTlsPrivateKey": str(key),
        "DicomTlsTrustedCertificates": str(cert),
        "DicomModalities": {
            "us": {"AET": "TMTV", "Host": "127.0.0.1", "Port": port, "UseDicomTls": True}
        },
    }
    ours = Security(tls=True, cert=cert, key=key, ca=cert)
    with orthanc(tmp_path / "o", **settings) as pacs:
        pacs.put(*files)
        archive = Archive(pacs, port, {})
        with pytest.raises(NetworkError, match="no TLS connection"):
            archive.asked(tmp_path / "x", "get", Asked(("T1",)), security=Security(tls=True))
        for way in ("get", "move"):
            found = archive.asked(tmp_path / way, way, Asked(("T1",)), security=ours)
            assert fates(found) == [("1.2.3", "fetched", 7, 0)]
    with pytest.raises(UsageError, match="--cert and --key"):
        source_of(parse_destination("A@h:1"), security=Security(tls=True), move_port=4000)


def test_credentials_come_from_the_environment(tmp_path: Path) -> None:
    settings = {"AuthenticationEnabled": True, "RegisteredUsers": {"ann": "secret"}}
    with orthanc(tmp_path / "o", **settings) as pacs:
        archive = Archive(pacs, 0, {})
        with pytest.raises(NetworkError, match="HTTP 401: we may not read there"):
            archive.asked(tmp_path / "in", "web", Asked(("T1",)))
        user = {"TMTV_USER": "ann", "TMTV_PASSWORD": "secret"}
        assert archive.asked(tmp_path / "in", "web", Asked(("T1",)), environment=user) == []


KILLED = """
import sys
from pathlib import Path
from tmtv_engine.pacs import fetch
from tmtv_engine.pacs.peers import parse_destination
from tmtv_engine.pacs.query import Asked
real = fetch.write_bytes
def slow(path, *rest):
    real(path, *rest)
    print("one", flush=True)
fetch.write_bytes = slow
source = fetch.source_of(parse_destination(sys.argv[1]))
list(fetch.fetch(Path(sys.argv[2]), Asked(("T1",)), source))
"""


@pytest.mark.parametrize("way", ["get", "web"])
def test_a_killed_fetch_goes_on_where_it_was(archive: Archive, tmp_path: Path, way: str) -> None:
    where = archive.pacs.web if way == "web" else archive.pacs.node
    words = [sys.executable, "-c", KILLED, where, str(tmp_path / "in")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(4):
            assert child.stdout.readline() == "one\n"
        os.kill(child.pid, signal.SIGKILL)
    files = sorted((tmp_path / "in").rglob("*.dcm"))
    whole = [p for p in files if pydicom.dcmread(p).SOPInstanceUID in archive.files]
    assert 4 <= len(whole) == len(files)
    found = archive.asked(tmp_path / "in", way, Asked(("T1",)))
    assert fates(found)[0] == ("1.2.3", "fetched", 15 - len(whole), len(whole))
    assert not list((tmp_path / "in").rglob(".*"))
