"""Hostile text from DICOM, readers and files on every screen: shown, never obeyed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.support.cases import copied_case
from tests.support.drive import opened, running, settle, text_of
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.session import record

VISIBLE = (
    "[/nope]",
    "[@click=app.exit]x[/]",
    "PET AC [SUV]",
    "[bold red on white",
    "$x {y} %s",
    ":smile: \\[b]",
    "](x) #[i]*",
)
CONTROL = (
    "a\x1b[31mb\x1b]0;t\x07",
    "c\x9b31md",
    "\u202eabc\u2066",
    "x\x1bP1$r\x1b\\y\x00",
    "z\u200b\ufeffq\ue000",
)
ASKING = (["e"], ["x", "t"], ["M"], ["X"], ["c"])
TELLING = (["w"], ["l"], ["question_mark"], ["i"])


def hostile_case(out: Path, payloads: tuple[str, ...]) -> None:
    """One case whose every string is a payload, and one that is broken by one."""
    joined = " ".join(payloads)
    info = {
        "patient": {"id": joined, "sex": "F", "weight_kg": 70.0, "height_m": 1.7, "age_years": 5},
        "study": {"uid": "1.2", "date": payloads[0]},
    }
    case = copied_case(out, info=info)
    for payload in payloads:
        record(case, Decision("reject", (1,), reason=payload), "CD")
        record(case, Decision("note", text=payload), "CD")
    path = case.path / "case.json"
    found = json.loads(path.read_text())
    found["warnings"] = [{"code": p, "message": p} for p in payloads]
    found["model"]["name"] = joined
    path.write_text(json.dumps(found))
    for name, broken in (("bad", {"schema": joined}), ("named", {**found, "case": joined})):
        (out / name).mkdir()
        (out / name / "case.json").write_text(json.dumps(broken))


@pytest.mark.parametrize("payloads", [VISIBLE, CONTROL], ids=["visible", "control"])
async def test_hostile_text_is_shown_and_never_obeyed(
    tmp_path: Path, payloads: tuple[str, ...]
) -> None:
    hostile_case(tmp_path, payloads)
    seen = []
    async with running(tmp_path, (240, 50), compare="CD") as (app, pilot):
        seen.append(text_of(app))
        await pilot.press("w")
        await pilot.pause()
        seen.append(text_of(app))
        await pilot.press("escape", "down", "slash")
        await pilot.pause()
        app.screen.query_one(Input).value = "nope" if "[/nope]" in payloads else ""
        await pilot.press("enter")
        screen = await opened(app, pilot, "case-1")
        seen.append(text_of(app))
        for keys in TELLING:
            await pilot.press(*keys)
            await pilot.pause()
            seen.append(text_of(app))
            if app.screen is not screen:
                await pilot.press("escape")
        for payload in payloads[:3]:
            for keys in ASKING[:-1]:
                await pilot.press(*keys)
                await pilot.pause()
                app.screen.query_one(Input).value = payload
                await pilot.pause()
                seen.append(text_of(app))
                await pilot.press("enter")
                if app.screen is not screen:
                    await pilot.press("escape")
        await pilot.pause()
        seen.append(text_of(app))  # with what was refused
        await pilot.press("l")
        await pilot.pause()
        seen.append(text_of(app))
        await pilot.press("escape", "c")
        await settle(app, pilot)
        seen.append(text_of(app))
        assert app.is_running
    for text in seen:
        assert not [c for c in text if c != "\n" and not c.isprintable()]
    if payloads is VISIBLE:
        for k, payload in enumerate(payloads):
            assert payload in seen[1], payload  # warnings in full
            assert k > 2 or payload in seen[-2], payload  # the log
        assert payloads[0] in seen[0]
        assert any(payload in seen[-1] for payload in payloads)  # why, beside the other's
