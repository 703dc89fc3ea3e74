"""Associations with a DICOM node, by pynetdicom; why there is none, in words."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import Any

from tmtv_engine.pacs.peers import (
    CONNECT_S,
    TIMEOUT_S,
    NetworkError,
    Node,
    Security,
    trusting,
)
from tmtv_engine.text import clean

FIND = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve: FIND, MOVE, GET
MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
GET = "1.2.840.10008.5.1.4.1.2.2.3"
EXPLICIT_LE, IMPLICIT_LE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
PLAIN = [IMPLICIT_LE, EXPLICIT_LE]
Offers = Sequence[tuple[str, list[str]]]


def entity(title: str) -> Any:
    """An application entity of that title with our patience."""
    from pynetdicom import AE

    found = AE(ae_title=title)
    found.acse_timeout = found.network_timeout = found.dimse_timeout = TIMEOUT_S
    found.connection_timeout = CONNECT_S
    return found


def request(node: Node, caller: str, security: Security, offers: Offers, **more: Any) -> Any:
    """An association that was asked for, established or not."""
    ours = entity(caller)
    for kind, syntaxes in offers:
        ours.add_requested_context(kind, syntaxes)
    context = trusting(security) if security.tls else None
    tls = (context, node.host) if context is not None else None
    return ours.associate(node.host, node.port, ae_title=node.aet, tls_args=tls, **more)


def established(node: Node, caller: str, security: Security, offers: Offers, **more: Any) -> Any:
    """An association for these kinds, verified by a C-ECHO; raises `NetworkError`."""
    from pynetdicom.sop_class import Verification

    _knock(node, trusting(security) if security.tls else None)
    found = request(node, caller, security, [(Verification, PLAIN), *offers], **more)
    if not found.is_established:
        raise _unwilling(node, caller, found, security)
    if any(c.abstract_syntax == Verification for c in found.accepted_contexts):
        status = found.send_c_echo().get("Status")
        if status != 0:
            if found.is_established:
                found.release()
            told = "nothing" if status is None else f"status {status:04X}"
            raise NetworkError(f"{node}: answers a C-ECHO with {told}", "Is it a PACS?")
    return found


def _knock(node: Node, context: ssl.SSLContext | None) -> None:
    """Whether anybody we trust listens; pynetdicom would not say why nobody does."""
    host, port = node.host, node.port
    try:
        with socket.create_connection((host, port), CONNECT_S) as line:
            if context is not None:
                context.wrap_socket(line, server_hostname=host).close()
    except ssl.SSLError as error:
        what = f"{node}: no TLS connection: {clean(error.reason or error)}"
        detail = getattr(error, "verify_message", "")
        raise NetworkError(
            f"{what} {clean(detail, 200)}".strip(), "Are --cert, --key and --ca right?"
        ) from error
    except OSError as error:
        what = f"{node}: does not answer: {error.strerror or error}"
        raise NetworkError(what, "Is it running, at that host and port?") from error


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
