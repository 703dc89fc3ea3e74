"""``tmtv review --serve``: the same app in a browser, on the loopback alone.

textual-serve knows no users, and its page asks another site for a font; that request the page's
policy forbids. Whoever reaches its port decides as the reader. So the port is bound to 127.0.0.1,
and as others may be logged in on the same machine (and pages of other sites in the same browser),
each request must bring the key that was printed, or its cookie.
"""

from __future__ import annotations

import hmac
import re
import secrets
import shlex
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tmtv_engine.errors import UsageError
from tmtv_tui.cli import console

if TYPE_CHECKING:
    from aiohttp import web

HOST = "127.0.0.1"
NAMES = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?")
COOKIE = "tmtv-key"
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self'"
APP = "import sys; from tmtv_tui.cli.app import main; sys.exit(main())"


def serve(arguments: Sequence[str], port: int) -> int:
    """Serve ``tmtv review ARGUMENTS`` until it is interrupted.

    Raises `UsageError` where textual-serve is not installed or the port is taken.
    """
    try:
        from textual_serve.server import Server
    except ImportError as error:
        raise UsageError(
            "--serve needs textual-serve", "pip install 'tmtv[serve]', or review in the terminal."
        ) from error
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageError(f"port {port} is taken", "Give another: --port 8001.") from error
    key = secrets.token_urlsafe(16)

    class Guarded(Server):  # type: ignore[misc, unused-ignore]
        """textual-serve behind the key."""

        def initialize_logging(self) -> None:
            """Nothing: what it logs would name cases."""

        async def _make_app(self) -> Any:
            app = await super()._make_app()
            app.middlewares.append(_guard(key))
            return app

        async def on_startup(self, app: Any) -> None:
            """Say where, and how to get there from elsewhere."""
            _announce(port, key)

        async def handle_index(self, request: web.Request) -> Any:
            """The page, which calls back at the address by which it was asked for."""
            self.public_url = f"http://{request.host}"
            return await super().handle_index(request)

    command = shlex.join([sys.executable, "-c", APP, "review", *arguments])
    Guarded(command, HOST, port, title="tmtv review").serve()
    return 0


def _announce(port: int, key: str) -> None:
    console.out(f"http://{HOST}:{port}/?key={key}")
    console.say("open this address in a browser on this machine; Ctrl-C ends it")
    host = socket.gethostname()
    console.say(f"from another: ssh -L {port}:{HOST}:{port} {host}, then the same address there")
    console.say("whoever has the address decides as this reader: do not pass it on")
    sys.stdout.flush()


def _guard(key: str) -> Any:
    """The middleware that lets in who brings the key, by a name of the loopback only."""
    from aiohttp import web

    @web.middleware
    async def guard(request: web.Request, handler: Any) -> Any:
        origin = request.headers.get("Origin", f"http://{request.host}")
        if not NAMES.fullmatch(request.host) or origin != f"http://{request.host}":
            raise web.HTTPForbidden(text="this address is for the machine itself")
        if _same(request.query.get("key", ""), key):
            found = web.HTTPFound("/")
            found.set_cookie(COOKIE, key, httponly=True, samesite="Strict")
            raise found
        if not _same(request.cookies.get(COOKIE, ""), key):
            raise web.HTTPForbidden(text="open the address that tmtv review --serve printed")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = f"{POLICY} ws://{request.host}"
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    return guard


def _same(told: str, key: str) -> bool:
    return hmac.compare_digest(told.encode(), key.encode())
