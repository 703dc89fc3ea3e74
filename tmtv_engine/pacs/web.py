"""One DICOMweb service over http: whom we talk to, what proves who we are, how much it may say.

Nothing is taken from the machine's surroundings: no proxy, no ``~/.netrc``, no certificates of
the environment. What is sent, and what proves who we are, goes to the host that was named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote_plus, urljoin, urlsplit

from tmtv_engine.errors import UsageError
from tmtv_engine.pacs.peers import (
    CONNECT_S,
    MOST_BYTES,
    TIMEOUT_S,
    NetworkError,
    Security,
    Web,
    trusting,
)
from tmtv_engine.text import clean

AGAIN = frozenset({408, 429, 502, 503, 504})
_KEPT = frozenset({307, 308})  # redirects that keep method and body
_CHUNK = 1 << 20


def client(web: Web, security: Security, environment: Mapping[str, str], option: str) -> Any:
    """A `DICOMwebClient` of that service; ``option`` is where a user names it."""
    from dicomweb_client.web import DICOMwebClient

    trusting(security)  # which says so where a file cannot be read
    session = _session(web, security, option)
    session.auth = authorisation(environment)
    found = DICOMwebClient(
        web.url,
        session=session,
        headers={"Accept": "application/dicom+json"},
        callback=_plain_type,
        chunk_size=2**31 - 1,  # in one piece: not every service takes chunks
        permissive_uid=True,  # zeros before a number are common
        timeout=(CONNECT_S, TIMEOUT_S),
    )
    found.set_http_retry_params(retry=False)
    return found


def _session(web: Web, security: Security, option: str) -> Any:
    """A session that talks to that service and to nobody else, and hears so much and no more."""
    import requests

    class Session(requests.Session):
        def get_redirect_target(self, resp: Any) -> str | None:
            target: str | None = super().get_redirect_target(resp)
            if target is None:
                return None
            there = urljoin(resp.url, target)
            if resp.status_code not in _KEPT or _origin(there) != _origin(web.url):
                resp.close()
                raise NetworkError(
                    f"{web}: redirects to {clean(there, 200)}: nothing was sent there",
                    f"If that is the service, name it with {option}.",
                )
            return target

        def send(self, request: Any, **kwargs: Any) -> Any:
            request.url = _plain_query(request.url)
            return _bounded(super().send(request, **{**kwargs, "stream": True}), web)

    session = Session()
    session.trust_env = False
    session.max_redirects = 3
    session.verify = True if security.ca is None else str(security.ca)
    if security.proxy is not None:
        session.proxies = {"http": security.proxy, "https": security.proxy}
    if security.cert is not None:
        cert, key = security.cert, security.key
        session.cert = (str(cert), str(key)) if key is not None else str(cert)
    return session


def _bounded(response: Any, web: Web) -> Any:
    """The response with its body read, unpacked, up to `MOST_BYTES`."""
    if response._content is not False:  # a redirect's, read before
        return response
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > MOST_BYTES:
            response.close()
            raise NetworkError(f"{web}: an answer of more than {MOST_BYTES >> 20} MB", "Is it one?")
    response._content = bytes(body)
    return response


def _plain_query(url: str) -> str:
    """The URL with nothing escaped that may stand in a query: Orthanc takes wildcards so only."""
    path, mark, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    told = [k + eq + quote(unquote_plus(v), safe="*?/:@,;!$'()") for k, eq, v in pairs]
    return path + mark + "&".join(told)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _plain_type(response: Any, *_: Any, **__: Any) -> Any:
    """``application/dicom+json; charset=utf-8`` without its parameter, as the client wants it."""
    kind = response.headers.get("Content-Type", "")
    if kind.split(";")[0].strip() != "multipart/related":
        response.headers["Content-Type"] = kind.split(";")[0].strip()
    return response


def authorisation(environment: Mapping[str, str]) -> Any:
    """What adds the Authorization header: a token's, a user's, or none."""
    token, user = environment.get("TMTV_TOKEN"), environment.get("TMTV_USER")
    if token:
        if not token.isascii() or not token.isprintable():
            raise UsageError("TMTV_TOKEN holds what no header may", "Is there a newline in it?")
        header = f"Bearer {token}"

        def bearer(request: Any) -> Any:
            request.headers["Authorization"] = header
            return request

        return bearer
    if user:
        from requests.auth import HTTPBasicAuth

        password = environment.get("TMTV_PASSWORD", "")
        return HTTPBasicAuth(user.encode(), password.encode())
    return lambda request: request
