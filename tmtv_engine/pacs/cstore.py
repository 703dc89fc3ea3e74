"""C-STORE to one DICOM node, by pynetdicom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tmtv_engine.pacs.association import (
    EXPLICIT_LE,
    FIND,
    IMPLICIT_LE,
    PLAIN,
    established,
    request,
)
from tmtv_engine.pacs.peers import Answer, Item, Node, Security, meaning
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

BUSY = frozenset({0x0213, *range(0xA700, 0xA800)})
WARNINGS = frozenset({0x0107, 0x0116, *range(0xB000, 0xC000)})


class CStore:
    """C-STORE to one node, after a C-ECHO, as ``caller``."""

    def __init__(self, node: Node, caller: str, security: Security) -> None:
        self.node, self.caller, self.security = node, caller, security
        self._association: Any = None
        self._message = 0

    def open(self, items: Sequence[Item]) -> None:
        """Associate for these objects and verify; raises `NetworkError`."""
        kinds = sorted({(i.sop_class, i.syntax) for i in items})[:127]
        offers = [(k, [s, IMPLICIT_LE] if s == EXPLICIT_LE else [s]) for k, s in kinds]
        self._association = established(self.node, self.caller, self.security, offers)

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
        line = request(self.node, self.caller, self.security, [(FIND, PLAIN)])  # of its own: some
        try:  # hang up on who may not ask
            answers = list(line.send_c_find(asked, FIND))
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
