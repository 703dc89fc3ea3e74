"""QIDO-RS and WADO-RS from one DICOMweb service, by dicomweb-client."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tmtv_engine.errors import InputError
from tmtv_engine.pacs.peers import NetworkError, Security, Web
from tmtv_engine.pacs.query import Keys, Level, Series
from tmtv_engine.pacs.web import AGAIN, authorisation, client
from tmtv_engine.text import clean

PAGE = 1000
ANY_SYNTAX = (("application/dicom", "*"),)  # as it is stored


class Wado:
    """Questions and files of one DICOMweb service, an instance a request."""

    def __init__(self, web: Web, security: Security, environment: Mapping[str, str]) -> None:
        self.web, self.security = web, security
        authorisation(environment)  # which says so where a secret cannot be one
        self._environment = environment
        self._client: Any = None

    def open(self) -> None:
        """Make the client; whether the service answers shows with the first question."""
        self._client = client(self.web, self.security, self._environment, "--from")

    def find(self, level: Level, keys: Keys) -> Iterator[Mapping[str, str]]:
        """Answers page by page, until one brings nothing new."""
        search, place, uid = self._search(level, keys)
        asked = [k for k in keys if k not in ("StudyInstanceUID", "SeriesInstanceUID")]
        filters = {k: keys[k] for k in asked if keys[k]}
        seen: set[str] = set()
        while True:
            page = {"limit": PAGE, "offset": len(seen)}
            found = self._asked(search, **place, search_filters=filters, fields=asked, **page)
            answers = [_plain(x, keys) for x in found] if isinstance(found, list) else []
            new = [x for x in answers if x[uid] not in seen]
            if not new:
                return
            seen.update(x[uid] for x in new)
            yield from new

    def get(
        self, series: Series, wanted: frozenset[str], whole: bool, take: Callable[[bytes], bool]
    ) -> str:
        """Each instance by a request of its own."""
        said = ""
        for uid in sorted(wanted):
            try:
                where = (series.study, series.uid, uid)
                dataset = self._asked(self._client.retrieve_instance, *where, ANY_SYNTAX)
                buffer = io.BytesIO()
                dataset.save_as(buffer, enforce_file_format=True)
            except (NetworkError, ConnectionError):
                raise
            except Exception as error:  # whatever it sends that is no DICOM file
                said = getattr(error, "what", "") or "the answer is no DICOM file"
                continue
            if not take(buffer.getvalue()):
                said = "the answer is another instance than was asked for"
        return said

    def close(self) -> None:
        """Let the connection go."""
        if self._client is not None:
            self._client._session.close()
        self._client = None

    def _search(self, level: Level, keys: Keys) -> tuple[Any, dict[str, str], str]:
        """The client's method, what of the keys is its place, and the UID that is asked for."""
        if level == "STUDY":
            return self._client.search_for_studies, {}, "StudyInstanceUID"
        place = {"study_instance_uid": keys["StudyInstanceUID"]}
        if level == "SERIES":
            return self._client.search_for_series, place, "SeriesInstanceUID"
        place["series_instance_uid"] = keys["SeriesInstanceUID"]
        return self._client.search_for_instances, place, "SOPInstanceUID"

    def _asked(self, ask: Callable[..., Any], *what: Any, **how: Any) -> Any:
        """The answer; each way not to answer as what it means to us."""
        import requests

        try:
            return ask(*what, **how)
        except requests.exceptions.SSLError as error:
            raise NetworkError(f"{self.web}: no TLS connection", "Is --ca right?") from error
        except requests.exceptions.HTTPError as error:
            raise self._http_error(error.response) from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise ConnectionError(f"{self.web}: does not answer") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise ConnectionError(f"{self.web}: the answer was cut off") from error
        except (
            requests.exceptions.RequestException,
            ValueError,
            TypeError,
            RecursionError,
        ) as error:
            told = f"{self.web}: answers with what is no DICOMweb: {type(error).__name__}"
            raise InputError(told, "Give the URL above /studies.") from error

    def _http_error(self, response: Any) -> Exception:
        code = int(response.status_code)
        told = f"{self.web}: HTTP {code} {clean(response.reason or '')}".strip()
        if code in (401, 403):
            remedy = "Set TMTV_TOKEN, or TMTV_USER and TMTV_PASSWORD."
            return NetworkError(f"{self.web}: HTTP {code}: we may not read there", remedy)
        return ConnectionError(told) if code in AGAIN else InputError(told, "Is it DICOMweb?")


def _plain(answer: Any, keys: Keys) -> dict[str, str]:
    """DICOM JSON as text by keyword; "" for what is not there or not as it should be."""
    from pydicom.datadict import tag_for_keyword

    found = {}
    for key in keys:
        element = answer.get(f"{tag_for_keyword(key) or 0:08X}") if isinstance(answer, dict) else {}
        values = element.get("Value") if isinstance(element, dict) else None
        value = values[0] if isinstance(values, list) and values else ""
        found[key] = value if isinstance(value, str) else ""
    return found
