"""C-FIND, then C-GET over the same association, or C-MOVE to a port of ours, by pynetdicom."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tmtv_engine.errors import UsageError
from tmtv_engine.pacs.association import FIND, GET, MOVE, PLAIN, entity, established
from tmtv_engine.pacs.peers import MOST_BYTES, NetworkError, Node, Security
from tmtv_engine.pacs.query import Keys, Level, Series

_STORAGE = "1.2.840.10008.5.1.4.1.1."
# PET, enhanced PETs, CT, enhanced CTs, RTSTRUCT, SEGs, and the captures that lie among them.
_KINDS = "128 130 128.1 2 2.1 2.2 481.3 66.4 66.7 7"
CLASSES = [_STORAGE + end for end in _KINDS.split()]
_SYNTAX = "1.2.840.10008.1.2."
# Deflated, RLE, JPEG lossless and baseline, JPEG-LS, JPEG 2000.
_PACKED = "1.99 5 4.57 4.70 4.50 4.51 4.80 4.81 4.90 4.91"
PACKED = [_SYNTAX + end for end in _PACKED.split()]
PENDING = frozenset({0xFF00, 0xFF01})
NOT_OURS = 0xA900  # the status of a C-STORE that we refuse


@dataclass
class _Heard:
    """Bytes of an association that nobody has taken care of; too many end it."""

    bytes: int = 0

    def more(self, event: Any) -> None:
        """A PDU came in."""
        self.bytes += len(event.data)
        if self.bytes > MOST_BYTES:
            event.assoc.abort()
            event.assoc.dimse.msg_queue.put((None, None))  # who waits for an answer has it


class Retrieve:
    """Questions and files of one node, as ``caller``; ``move_port``: by C-MOVE to that port."""

    def __init__(
        self, node: Node, caller: str, security: Security, move_port: int | None = None
    ) -> None:
        if move_port is not None and not 0 < move_port < 65536:
            raise UsageError(f"--move {move_port} is no port", "The PACS must know us by it.")
        if move_port is not None and security.tls and security.cert is None:
            raise UsageError("--move over TLS needs --cert and --key", "The PACS connects to us.")
        self.node, self.caller, self.security, self.port = node, caller, security, move_port
        self._association: Any = None
        self._heard = _Heard()
        self._take: Callable[[bytes], bool] = lambda raw: False

    def open(self) -> None:
        """Associate and verify."""
        from pynetdicom import build_role, evt

        offers = [(FIND, PLAIN), (MOVE if self.port else GET, PLAIN)]
        more: dict[str, Any] = {}
        self._heard = _Heard()
        handlers: list[tuple[Any, Callable[[Any], Any]]] = [(evt.EVT_DATA_RECV, self._heard.more)]
        if not self.port:
            offers += [(kind, [s]) for kind in CLASSES for s in (*PLAIN, *PACKED)][:125]
            more["ext_neg"] = [build_role(kind, scp_role=True) for kind in CLASSES]
            handlers.append((evt.EVT_C_STORE, self._stored))
        more["evt_handlers"] = handlers
        self._association = established(self.node, self.caller, self.security, offers, **more)

    def find(self, level: Level, keys: Keys) -> Iterator[Mapping[str, str]]:
        """Answers of a C-FIND."""
        for status, answer in self._asked("send_c_find", level, keys, FIND):
            if status in PENDING:
                yield {key: _text(answer, key) for key in keys}
            elif status:
                what = f"{self.node}: answers a C-FIND with status {status:04X}"
                raise NetworkError(what, "Does it let us ask?")

    def get(
        self, series: Series, wanted: frozenset[str], whole: bool, take: Callable[[bytes], bool]
    ) -> str:
        """The series in one request where all of it is wanted, else an instance a request."""
        keys = {"StudyInstanceUID": series.study, "SeriesInstanceUID": series.uid}
        self._take, said = take, ""
        try:
            with self._listening():
                if whole:
                    return self._retrieved("SERIES", keys)
                for uid in sorted(wanted):
                    said = self._retrieved("IMAGE", {**keys, "SOPInstanceUID": uid}) or said
                return said
        finally:
            self._take = lambda raw: False

    def close(self) -> None:
        """Release the association, if there is one."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None

    def _retrieved(self, level: Level, keys: Keys) -> str:
        """Ask for what ``keys`` name; what the node says at the end, "" where all went well."""
        how, more = ("send_c_move", (self.caller,)) if self.port else ("send_c_get", ())
        model = MOVE if self.port else GET
        last = 0
        for status, _ in self._asked(how, level, keys, *more, model):
            last = status
        return f"status {last:04X}" if last else ""

    def _asked(self, how: str, level: Level, keys: Keys, *more: str) -> Iterator[tuple[int, Any]]:
        """Each answer's status and dataset; the answers end with one that is not pending.

        Raises `ConnectionError` where they end before that, `NetworkError` where the node does
        not take the question.
        """
        from pydicom.dataset import Dataset

        if self._association is None or not self._association.is_established:
            raise ConnectionError("the association has ended")
        asked = Dataset()
        asked.QueryRetrieveLevel = level
        for key, value in keys.items():
            setattr(asked, key, value)
        ended = False
        try:
            for reply, answer in getattr(self._association, how)(asked, *more):
                if "Status" not in reply:
                    raise self._cut_off()
                self._heard.bytes = 0
                ended = reply.Status not in PENDING
                yield int(reply.Status), answer
        except ValueError as error:
            what = f"{self.node}: does not take {'C-' + how[7:].upper()}"
            remedy = "Try --move PORT." if how == "send_c_get" else "Does it let us ask?"
            raise NetworkError(what, remedy) from error
        except RuntimeError as error:
            raise ConnectionError(str(error)) from error
        finally:
            if not ended and self._association.is_established:
                self._association.abort()  # what it still says is no answer to another question

    def _cut_off(self) -> Exception:
        if self._heard.bytes > MOST_BYTES:
            what = f"{self.node}: an answer of more than {MOST_BYTES >> 20} MB"
            return NetworkError(what, "Is it one?")
        return ConnectionError(f"{self.node}: no answer")

    def _stored(self, event: Any) -> int:
        """A file comes in: take it if it is wanted."""
        self._heard.bytes = 0
        try:
            raw = event.encoded_dataset()
        except (AttributeError, ValueError, TypeError):
            return NOT_OURS
        return 0 if self._take(raw) else NOT_OURS

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """For C-MOVE: a port of ours where objects come in, under our title only."""
        if not self.port:
            yield
            return
        from pynetdicom import evt

        ours = entity(self.caller)
        ours.require_called_aet = True
        ours.require_calling_aet = [self.node.aet]
        for kind in (*CLASSES, "1.2.840.10008.1.1"):
            ours.add_supported_context(kind, [*PLAIN, *PACKED])
        handlers = [(evt.EVT_DATA_RECV, _Heard().more), (evt.EVT_C_STORE, self._stored)]
        try:
            server = ours.start_server(
                ("", self.port), block=False, evt_handlers=handlers, ssl_context=self._our_tls()
            )
        except OSError as error:
            what = f"--move {self.port}: {error.strerror or error}"
            raise UsageError(what, "The port must be free, and the PACS must know it.") from error
        try:
            yield
        finally:
            server.shutdown()

    def _our_tls(self) -> ssl.SSLContext | None:
        """Our side of a connection that the node makes: only who --ca vouches for may."""
        if not self.security.tls or self.security.cert is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.security.ca)
        context.load_cert_chain(self.security.cert, self.security.key)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


def _text(answer: Any, key: str) -> str:
    """An answer's value as text; "" for what is not there or cannot be read."""
    with suppress(Exception):  # pydicom has many for values that are none
        return str(answer.get(key) or "")
    return ""
