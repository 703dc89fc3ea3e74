"""C-STORE to one DICOM node, by pynetdicom."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tmtv_engine.pacs.peers import (
    CONNECT_S,
    TIMEOUT_S,
    Answer,
    Item,
    NetworkError,
    Node,
    Security,
    meaning,
    trusting,
)
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

BUSY = frozenset({0x0213, *range(0xA700, 0xA800)})
WARNINGS = frozenset({0x0107, 0x0116, *range(0xB000, 0xC000)})
_FIND = "1.2.840.10008.5.1.4.1.2.2.1"  # Study Root Query/Retrieve, FIND
EXPLICIT_LE, IMPLICIT_LE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


class CStore:
    """C-STORE to one node, after a C-ECHO, as ``caller``."""

    def __init__(self, node: Node, caller: str, security: Security) -> None:
        self.node, self.caller, self.security = node, caller, security
        self._association: Any = None
        self._message = 0

    def open(self, items: Sequence[Item]) -> None:
        """Associate for these objects and verify; raises `NetworkError`."""
        from pynetdicom.sop_class import Verification

        context = trusting(self.security) if self.security.tls else None
        self._knock(context)
        kinds = sorted({(i.sop_class, i.syntax) for i in items})[:127]
        offers = [(k, [s, IMPLICIT_LE] if s == EXPLICIT_LE else [s]) for k, s in kinds]
        found = self._associate([(Verification, [IMPLICIT_LE, EXPLICIT_LE]), *offers], context)
        if not found.is_established:
            raise _unwilling(self.node, self.caller, found, self.security)
        self._association = found
        if any(c.abstract_syntax == Verification for c in found.accepted_contexts):
            status = found.send_c_echo().get("Status")
            if status != 0:
                self.close()
                told = "nothing" if status is None else f"status {status:04X}"
                raise NetworkError(f"{self.node}: answers a C-ECHO with {told}", "Is it a PACS?")

    def _associate(
        self, offers: Sequence[tuple[str, list[str]]], context: ssl.SSLContext | None
    ) -> Any:
        from pynetdicom import AE

        entity = AE(ae_title=self.caller)
        entity.acse_timeout = entity.network_timeout = entity.dimse_timeout = TIMEOUT_S
        entity.connection_timeout = CONNECT_S
        for kind, syntaxes in offers:
            entity.add_requested_context(kind, syntaxes)
        host, port = self.node.host, self.node.port
        tls = (context, host) if context is not None else None
        return entity.associate(host, port, ae_title=self.node.aet, tls_args=tls)

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
        return Answer("later" if status in BUSY else "refused", f"{told} {meaning(status)}".strip())

    def has(self, item: Item) -> bool | None:
        """Whether the node says by C-FIND that it holds an object; None where it cannot say."""
        from pydicom.dataset import Dataset

        asked = Dataset()
        asked.QueryRetrieveLevel = "IMAGE"
        asked.StudyInstanceUID, asked.SeriesInstanceUID = item.study, item.series
        asked.SOPInstanceUID = item.uid
        context = trusting(self.security) if self.security.tls else None
        line = self._associate([(_FIND, [IMPLICIT_LE, EXPLICIT_LE])], context)  # of its own: some
        try:  # hang up on who may not ask
            answers = list(line.send_c_find(asked, _FIND))
        except (ValueError, RuntimeError, AttributeError):
            return None
        finally:
            if line.is_established:
                line.release()
        if not answers or answers[-1][0].get("Status") != 0:
            return None
        return any(x is not None and x.get("SOPInstanceUID") == item.uid for _, x in answers)

    def close(self) -> None:
        """Release the association, if there is one."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None


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
