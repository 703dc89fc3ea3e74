"""The log of a run, ``OUT/runs/<time>.jsonl``: what was asked, and what became of each study."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tmtv_engine import __version__
from tmtv_engine.batch.outcome import Outcome
from tmtv_engine.errors import TmtvError
from tmtv_engine.files import append_line, jsonable, make_folder, own_folder, utc_now
from tmtv_engine.text import clean

if TYPE_CHECKING:
    from tmtv_engine.study.found import Stock

RUNS = "runs"


class RunLog:
    """JSON Lines that grow as studies are done, so that a killed run's is there too.

    It names studies by their paths: readable by its owner only.
    """

    def __init__(self, out: Path, options: Mapping[str, Any]) -> None:
        """Begin a log in ``out``; raises `CaseError` where nothing can be written there."""
        make_folder(out)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
        self.path = own_folder(out, RUNS) / f"{stamp}-{os.getpid()}.jsonl"
        asked = {key: _plain(value) for key, value in options.items()}
        versions = {"tmtv": __version__, "python": platform.python_version(), "on": sys.platform}
        self._line({"schema": "tmtv.run/1", "begun": utc_now(), "options": asked, **versions})

    def stock(self, stock: Stock) -> None:
        """What was found: how many studies, and what cannot be taken or is left over."""
        self._line({"studies": len(stock.studies)})
        for failure in stock.failures:
            self._line({"path": str(failure.path), "state": "failed", **_why(failure.error)})
        for left in stock.leftovers:
            self._line({"path": str(left.path), "state": "left over", "why": left.why})

    def outcome(self, outcome: Outcome) -> None:
        """What became of one study."""
        told: dict[str, Any] = {"at": utc_now(), "case": outcome.name, "path": outcome.place}
        told["state"] = outcome.state
        if outcome.case is not None:
            told["model"] = outcome.case.raw["model"]
            told["seconds"] = dict(outcome.case.record.provenance.seconds)
        if outcome.note:
            told["note"] = outcome.note
        self._line({**told, **(_why(outcome.error) if outcome.error else {})})

    def unexported(self, outcome: Outcome) -> None:
        """That a case which stands could not be exported, and why; nothing of others."""
        if outcome.unexported is not None:
            told = {"at": utc_now(), "case": outcome.name, "path": outcome.place}
            self._line({**told, "state": "not exported", **_why(outcome.unexported)})

    def close(self, counts: Mapping[str, int], ended: str = "done") -> None:
        """The last line: how many of each, and whether the run came to its end."""
        self._line({"closed": utc_now(), "ended": ended, **counts})

    def _line(self, record: Mapping[str, Any]) -> None:
        told = jsonable(_cleaned(record))
        append_line(self.path, json.dumps(told, ensure_ascii=False, allow_nan=False))


def _why(error: TmtvError) -> dict[str, str]:
    return {"what": error.what, "way_out": error.remedy}


def _plain(value: Any) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def _cleaned(value: Any) -> Any:
    """Text from files cannot end a line or turn a terminal's colours."""
    if isinstance(value, str):
        return clean(value, 4000)
    if isinstance(value, Mapping):
        return {key: _cleaned(v) for key, v in value.items()}
    return [_cleaned(v) for v in value] if isinstance(value, list | tuple) else value
