"""STOW-RS to one DICOMweb service, by dicomweb-client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tmtv_engine.pacs.peers import Answer, Item, NetworkError, Security, Web, meaning
from tmtv_engine.pacs.web import AGAIN, authorisation, client
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class Stow:
    """STOW-RS to one DICOMweb service, an object a request so that each has its own answer."""

    def __init__(self, web: Web, security: Security, environment: Mapping[str, str]) -> None:
        self.web, self.security = web, security
        authorisation(environment)  # which says so where a secret cannot be one
        self._environment = environment
        self._client: Any = None

    def open(self, items: Sequence[Item]) -> None:
        """Make the client; whether the service answers shows with the first object."""
        self._client = client(self.web, self.security, self._environment, "--to")

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
