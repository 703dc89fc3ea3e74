"""The two ways to send an object: C-STORE by pynetdicom, STOW-RS by dicomweb-client."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_engine.errors import UsageError
from tmtv_engine.pacs.peers import Answer, Item, NetworkError, Node, Security, Web
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TIMEOUT_S = 60
CONNECT_S = 10
BUSY = frozenset({0x0213, *range(0xA700, 0xA800)})
WARNINGS = frozenset({0x0107, 0x0116, *range(0xB000, 0xC000)})
EXPLICIT_LE, IMPLICIT_LE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
AGAIN = frozenset({408, 429, 502, 503, 504})


class CStore:
    """C-STORE to one node, after a C-ECHO, as ``caller``."""

    def __init__(self, node: Node, caller: str, security: Security) -> None:
        self.node, self.caller, self.security = node, caller, security
        self._association: Any = None
        self._message = 0

    def open(self, items: Sequence[Item]) -> None:
        """Associate for these objects and verify; raises `NetworkError`."""
        from pynetdicom import AE
        from pynetdicom.sop_class import Verification

        context = _context(self.security) if self.security.tls else None
        self._knock(context)
        entity = AE(ae_title=self.caller)
        entity.acse_timeout = entity.network_timeout = entity.dimse_timeout = TIMEOUT_S
        entity.connection_timeout = CONNECT_S
        entity.add_requested_context(Verification)
        for sop_class, syntax in sorted({(i.sop_class, i.syntax) for i in items})[:127]:
            wanted = [syntax, IMPLICIT_LE] if syntax == EXPLICIT_LE else [syntax]
            entity.add_requested_context(sop_class, wanted)
        tls = (context, self.node.host) if context is not None else None
        found = entity.associate(
            self.node.host, self.node.port, ae_title=self.node.aet, tls_args=tls
        )
        if not found.is_established:
            raise _unwilling(self.node, self.caller, found, self.security)
        self._association = found
        if any(c.abstract_syntax == Verification for c in found.accepted_contexts):
            status = found.send_c_echo().get("Status")
            if status != 0:
                self.close()
                told = "nothing" if status is None else f"status {status:04X}"
                raise NetworkError(f"{self.node}: answers a C-ECHO with {told}", "Is it a PACS?")

    def _knock(self, context: ssl.SSLContext | None) -> None:
        """Whether anybody we trust listens; pynetdicom would not say why nobody does."""
        host, port = self.node.host, self.node.port
        try:
            with socket.create_connection((host, port), CONNECT_S) as line:
                if context is not None:
                    context.wrap_socket(line, server_hostname=host).close()
        except ssl.SSLError as error:
            what = f"{self.node}: no TLS connection: {clean(error.reason or error)}"
            detail = getattr(error, "verify_message", "")
            raise NetworkError(
                f"{what} {clean(detail, 200)}".strip(), "Are --cert, --key and --ca right?"
            ) from error
        except OSError as error:
            what = f"{self.node}: does not answer: {error.strerror or error}"
            raise NetworkError(what, "Is it running, at that host and port?") from error

    def store(self, item: Item, dataset: Dataset) -> Answer:
        """C-STORE one object."""
        if self._association is None or not self._association.is_established:
            raise ConnectionError("the association has ended")
        self._message = self._message % 65535 + 1
        try:
            reply = self._association.send_c_store(dataset, self._message)
        except (ValueError, AttributeError) as error:
            return Answer("refused", _no_context(item, self._association) or clean(error, 200))
        except RuntimeError as error:
            raise ConnectionError(str(error)) from error
        status = reply.get("Status")
        if status is None:
            self._association.abort()
            raise ConnectionError("no answer to a C-STORE")
        told = f"status {status:04X} {clean(reply.get('ErrorComment', ''))}".strip()
        if status == 0:
            return Answer("taken")
        if status in WARNINGS:
            return Answer("taken", f"{told} (warning)")
        return Answer(
            "later" if status in BUSY else "refused", f"{told} {_meaning(status)}".strip()
        )

    def close(self) -> None:
        """Release the association, if there is one."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None


def _meaning(status: int) -> str:
    from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

    return str(STORAGE_SERVICE_CLASS_STATUS.get(status, ("", ""))[1])


def _no_context(item: Item, association: Any) -> str:
    """Why an object cannot go: its kind was not agreed on; "" where that is not it."""
    from pydicom.uid import UID

    kinds = {str(c.abstract_syntax) for c in association.accepted_contexts}
    if item.sop_class not in kinds:
        return f"the receiver does not take {UID(item.sop_class).name}"
    return ""


def _unwilling(node: Node, caller: str, found: Any, security: Security) -> NetworkError:
    """Why there is no association, and what to do about it."""
    if found.is_rejected:
        reason = clean(getattr(found.acceptor.primitive, "reason_str", ""))
        return NetworkError(
            f"{node}: rejects the association: {reason}",
            f"Does it know us as {caller}? --aet gives another name.",
        )
    if security.tls:
        return NetworkError(f"{node}: no TLS connection", "Are --cert, --key and --ca right?")
    return NetworkError(f"{node}: answers, but not as DICOM", "Is that the port of its DICOM?")


def _context(security: Security) -> ssl.SSLContext:
    """TLS that checks the peer's certificate and host name."""
    try:
        context = ssl.create_default_context(cafile=security.ca)
        if security.cert is not None:
            context.load_cert_chain(security.cert, security.key)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"--cert, --key or --ca cannot be read: {error}", "PEM files.") from error
    return context


class Stow:
    """STOW-RS to one DICOMweb service, an object a request so that each has its own answer."""

    def __init__(self, web: Web, security: Security, environment: Mapping[str, str]) -> None:
        self.web, self.security = web, security
        self._authorise = _authorisation(environment)
        self._client: Any = None

    def open(self, items: Sequence[Item]) -> None:
        """Make the client; whether the service answers shows with the first object."""
        from dicomweb_client.web import DICOMwebClient

        _context(self.security)  # which says so where a file cannot be read
        session = _session(self.security.ca)
        session.auth = self._authorise  # always set: ~/.netrc is never asked
        if self.security.cert is not None:
            cert, key = self.security.cert, self.security.key
            session.cert = (str(cert), str(key)) if key is not None else str(cert)
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


def _session(ca: Path | None) -> Any:
    """A session that trusts ``ca`` where it is given, whatever REQUESTS_CA_BUNDLE says."""
    import requests

    class Session(requests.Session):
        def merge_environment_settings(self, *args: Any, **kwargs: Any) -> Any:
            settings = super().merge_environment_settings(*args, **kwargs)
            return settings if ca is None else {**settings, "verify": str(ca)}

    return Session()


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
    return (
        "no reason given" if reason is None else f"status {reason:04X} {_meaning(reason)}".strip()
    )


def _reason(response: Any) -> str:
    """The failure that a 4xx or 5xx carries as DICOM JSON, else the HTTP reason."""
    try:
        found = response.json()
        found = found[0] if isinstance(found, list) else found
        reason = found["00081198"]["Value"][0]["00081197"]["Value"][0]
        return _failure(int(reason))
    except (ValueError, LookupError, TypeError):
        return clean(response.reason or "")
