"""A real Orthanc on free loopback ports, for as long as a test needs it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

PROGRAM = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
START_S = 60.0
PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass(frozen=True)
class Orthanc:
    """Where it listens; ``log`` is what it says."""

    dicom: int
    http: int
    pid: int
    log: Path

    @property
    def node(self) -> str:
        """It as a C-STORE destination."""
        return f"ORTHANC@127.0.0.1:{self.dicom}"

    @property
    def web(self) -> str:
        """It as a DICOMweb destination."""
        return f"http://127.0.0.1:{self.http}/dicom-web"

    def get(self, path: str, user: str = "") -> bytes:
        """A resource of its own REST interface."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}")
        if user:
            import base64

            request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
        with urllib.request.urlopen(request, timeout=60) as reply:
            return bytes(reply.read())

    def put(self, *files: Path) -> None:
        """Let it hold these DICOM files."""
        for path in files:
            where = f"http://127.0.0.1:{self.http}/instances"
            request = urllib.request.Request(where, data=path.read_bytes(), method="POST")
            urllib.request.urlopen(request, timeout=60).close()

    def datasets(self, user: str = "") -> dict[str, Dataset]:
        """Every object that it holds, read back, by SOP instance UID."""
        found = {}
        for name in json.loads(self.get("/instances", user)):
            dataset = pydicom.dcmread(BytesIO(self.get(f"/instances/{name}/file", user)))
            found[str(dataset.SOPInstanceUID)] = dataset
        return found


def free_port() -> int:
    """A port of the loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def orthanc(folder: Path, **settings: Any) -> Iterator[Orthanc]:
    """Start one with its files below ``folder``, stop it by its process id. Skips without it."""
    if not Path(PROGRAM).is_file() or not (PLUGINS / "libOrthancDicomWeb.so").exists():
        pytest.skip("Orthanc with its DICOMweb plugin (Debian) is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    process, found = _started(folder, settings)
    try:
        yield found
    finally:
        process.kill()
        process.wait(30)


def _started(folder: Path, settings: dict[str, Any]) -> tuple[subprocess.Popen[bytes], Orthanc]:
    """One that answers; another takes a port first now and then, and it is tried again."""
    log = folder / "log.txt"
    for _ in range(3):
        dicom, http = free_port(), free_port()
        config = {
            "Name": "tests",
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "Plugins": [str((PLUGINS / "libOrthancDicomWeb.so").resolve())],
            "DicomAet": "ORTHANC",
            "DicomPort": dicom,
            "HttpPort": http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "HttpThreadsCount": 4,
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            **settings,
        }
        path = folder / "orthanc.json"
        path.write_text(json.dumps(config))
        with log.open("wb") as stream:
            process = subprocess.Popen([PROGRAM, path], stdout=stream, stderr=stream, cwd=folder)
        try:
            if _answers(process, http):
                return process, Orthanc(dicom, http, process.pid, log)
        except BaseException:
            process.kill()
            process.wait(30)
            raise
        process.kill()
        process.wait(30)
    pytest.fail(f"Orthanc does not start: {log.read_text()[-2000:]}")


def _answers(process: subprocess.Popen[bytes], http: int) -> bool:
    """Whether it answers before it ends or a minute is over."""
    end = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{http}/system", timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            time.sleep(0.025)
            continue
        return process.poll() is None
    return False
