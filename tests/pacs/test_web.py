"""Sending over DICOMweb: whom https trusts, redirects, proxies, credentials."""

from __future__ import annotations

import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.sending import certificate, exported, go
from tmtv_engine.errors import UsageError
from tmtv_engine.pacs.peers import NetworkError, Security


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
