"""The app in a browser: on the loopback, for who has the key, and asking no other machine."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from tests.support.cases import copied_case
from tmtv_engine.errors import UsageError
from tmtv_tui.cli.serve import serve

ROOT = Path(__file__).resolve().parents[2]
pytest.importorskip("textual_serve")


@contextmanager
def served(out: Path) -> Iterator[tuple[int, str]]:
    """Port and address of `tmtv review --serve`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = "from tmtv_tui.cli.app import main; import sys; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "review", str(out), "--serve", "--port", str(port)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        end = time.monotonic() + 60
        while not _listens(port):
            assert time.monotonic() < end, "it never listened"
            time.sleep(0.05)
        yield port, url
    finally:
        process.terminate()
        process.communicate()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def status(url: str, **headers: str) -> int:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_only_who_has_the_key_at_the_machine_itself(tmp_path: Path) -> None:
    copied_case(tmp_path)
    with served(tmp_path) as (port, url):
        here = f"http://127.0.0.1:{port}"
        key = re.fullmatch(rf"{here}/\?key=([\w-]{{22}})", url)
        assert key is not None
        assert status(url) == 200
        for path in ("", "/ws", "/static/js/textual.js", "/?key=", "/?key=%F0%9F%98%80"):
            assert status(f"{here}{path}") == 403, path
        assert status(url, Host="rebound.example") == 403
        assert status(url, Origin="http://elsewhere.example") == 403
        cookie = f"tmtv-key={key[1]}"
        with urllib.request.urlopen(
            urllib.request.Request(here, headers={"Cookie": cookie}), timeout=30
        ) as page:
            policy = page.headers["Content-Security-Policy"]
            assert f"ws://127.0.0.1:{port}/ws" in page.read().decode()
        assert policy.startswith("default-src 'self'")
        assert "http" not in policy
        assert status(f"{here}/ws", Cookie=cookie, Origin="http://elsewhere.example") == 403
        with socket.socket() as other:  # bound to the loopback alone
            other.settimeout(2)
            assert other.connect_ex((_address(), port)) != 0


def _address() -> str:
    """This machine's address towards others; one that answers nobody where it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "192.0.2.1"
        return str(probe.getsockname()[0])


async def test_the_browser_drives_the_app(tmp_path: Path) -> None:
    aiohttp = pytest.importorskip("aiohttp")
    copied_case(tmp_path)
    with served(tmp_path) as (port, url):
        key = url.partition("key=")[2]
        seen = b""
        async with (
            aiohttp.ClientSession(cookies={"tmtv-key": key}) as session,
            session.ws_connect(f"http://127.0.0.1:{port}/ws?width=100&height=40") as browser,
        ):
            pressed = False
            async for message in browser:
                if message.type == aiohttp.WSMsgType.BINARY:
                    seen += message.data
                if b"case-1" in seen and not pressed:
                    pressed = True
                    await browser.send_str(json.dumps(["stdin", "\r"]))
                if b"TLG g" in seen:
                    break
        assert b"SUVmax" in seen


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="is taken"):
            serve([str(tmp_path)], taken.getsockname()[1])
