"""STOW-RS to one DICOMweb service, by dicomweb-client.

Nothing is taken from the machine's surroundings: no proxy, no ``~/.netrc``, no certificates of
the environment. What is sent, and what proves who we are, goes to the host that was named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tmtv_engine.errors import UsageError
from tmtv_engine.pacs.peers import (
    CONNECT_S,
    TIMEOUT_S,
    Answer,
    Item,
    NetworkError,
    Security,
    Web,
    meaning,
    trusting,
)
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

AGAIN = frozenset({408, 429, 502, 503, 504})
_KEPT = frozenset({307, 308})  # redirects that keep method and body


class Stow:
    """STOW-RS to one DICOMweb service, an object a request so that each has its own answer."""

    def __init__(self, web: Web, security: Security, environment: Mapping[str, str]) -> None:
        self.web, self.security = web, security
        self._authorise = _authorisation(environment)
        self._client: Any = None

    def open(self, items: Sequence[Item]) -> None:
        """Make the client; whether the service answers shows with the first object."""
        from dicomweb_client.web import DICOMwebClient

        trusting(self.security)  # which says so where a file cannot be read
        session = _session(self.web, self.security)
        session.auth = self._authorise
        self._client = DICOMwebClient(
            self.web.url,
            session=session,
            headers={"Accept": "application/dicom+json"},
            callback=_plain_type,
            chunk_size=2**31 - 1,  # in one piece: not every service takes chunks
            timeout=(CONNECT_S, TIMEOUT_S),
        )
        self._client.set_http_retry_params(retry=False)

    def store(self, item: Item, dataset: Dataset) -> Answer:
        """Store one object."""
        import requests

        try:
            reply = self._client.store_instances([dataset])
        except requests.exceptions.SSLError as error:
            raise NetworkError(f"{self.web}: no TLS connection", "Is --ca right?") from error
        except requests.exceptions.HTTPError as error:
            return self._http_error(error.response)
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise ConnectionError(f"{self.web}: {type(error).__name__}") from error
        except (requests.exceptions.RequestException, OSError, ValueError) as error:
            return Answer("refused", clean(error, 200))
        return _read_reply(reply, item)

    def has(self, item: Item) -> bool | None:
        """Whether the service says by QIDO-RS that it holds an object; None where it cannot say."""
        try:
            found = self._client.search_for_instances(
                item.study, item.series, search_filters={"SOPInstanceUID": item.uid}
            )
            uids = [x.get("00080018", {}).get("Value", [None])[0] for x in found]
        except NetworkError:
            raise
        except Exception:  # whatever it answers that is no answer to the question
            return None
        return item.uid in uids

    def close(self) -> None:
        """Let the connection go."""
        if self._client is not None:
            self._client._session.close()
        self._client = None

    def _http_error(self, response: Any) -> Answer:
        code = int(response.status_code)
        if code in (401, 403):
            raise NetworkError(
                f"{self.web}: HTTP {code}: we may not store there",
                "Set TMTV_TOKEN, or TMTV_USER and TMTV_PASSWORD.",
            )
        if code in (404, 405):
            raise NetworkError(
                f"{self.web}: HTTP {code}: there is no STOW-RS", "Give the URL above /studies."
            )
        return Answer("later" if code in AGAIN else "refused", f"HTTP {code} {_reason(response)}")


def _session(web: Web, security: Security) -> Any:
    """A session that talks to that service and to nobody else."""
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
                    "If that is the service, name it with --to.",
                )
            return target

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


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _plain_type(response: Any, *_: Any, **__: Any) -> Any:
    """``application/dicom+json; charset=utf-8`` without its parameter, as the client wants it."""
    kind = response.headers.get("Content-Type", "")
    response.headers["Content-Type"] = kind.split(";")[0].strip()
    return response


def _authorisation(environment: Mapping[str, str]) -> Any:
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


def _read_reply(reply: Dataset, item: Item) -> Answer:
    """What the Store Instances Response says of ``item``."""
    for failed in reply.get("FailedSOPSequence") or []:
        if failed.get("ReferencedSOPInstanceUID") in (item.uid, None):
            return Answer("refused", _failure(failed.get("FailureReason")))
    for stored in reply.get("ReferencedSOPSequence") or []:
        if stored.get("ReferencedSOPInstanceUID") == item.uid:
            reason = stored.get("WarningReason")
            return Answer("taken", "" if reason is None else f"status {reason:04X} (warning)")
    return Answer("refused", "the service's answer does not name the object")


def _failure(reason: int | None) -> str:
    return "no reason given" if reason is None else f"status {reason:04X} {meaning(reason)}".strip()


def _reason(response: Any) -> str:
    """The failure that a 4xx or 5xx carries as DICOM JSON, else the HTTP reason."""
    try:
        found = response.json()
        found = found[0] if isinstance(found, list) else found
        reason = found["00081198"]["Value"][0]["00081197"]["Value"][0]
        return _failure(int(reason))
    except (ValueError, LookupError, TypeError):
        return clean(response.reason or "")
