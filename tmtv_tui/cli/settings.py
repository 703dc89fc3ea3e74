"""``--config FILE``: any option of a command from a TOML file; the command line goes before it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import typer

from tmtv_engine.errors import UsageError
from tmtv_engine.text import clean

MOST_BYTES = 1 << 20
PLACES = ("studies", "out", "organs")
"""What names files: relative ones are taken from where the TOML file lies."""


def from_file(ctx: typer.Context, path: Path | None) -> Path | None:
    """Take the options that ``path`` names as the defaults of ``ctx``'s command.

    Raises `UsageError` for what is no TOML, or names an option that there is not.
    """
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            text = stream.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise ValueError("has more than a mebibyte")
        told = tomllib.loads(text.decode("utf-8"))
    except (OSError, ValueError) as error:
        what = f"--config {path}: {error}"
        raise UsageError(what, "It should be TOML: out = 'results'.") from error
    known = _options(ctx)
    found: dict[str, Any] = {}
    for key, value in told.items():
        name = known.get(key.replace("_", "-"))
        if name is None or isinstance(value, dict):
            what = f"--config {path}: {clean(key)} is no option of tmtv {ctx.command.name}"
            raise UsageError(what, f"It may name {', '.join(sorted(known))}.")
        found[name] = _value(ctx, name, value, path.parent)
    ctx.default_map = {**(ctx.default_map or {}), **found}
    return path


def _options(ctx: typer.Context) -> Mapping[str, str]:
    """The command's parameters by what they are called: the option's long name, the argument's."""
    found = {}
    for parameter in ctx.command.params:
        name = str(parameter.name)
        longs = [o[2:] for o in parameter.opts if o.startswith("--")] or [name]
        if name not in ("config_file", "help"):
            found[longs[0]] = name
    return found


def _value(ctx: typer.Context, name: str, value: Any, folder: Path) -> Any:
    (parameter,) = (p for p in ctx.command.params if p.name == name)
    several = getattr(parameter, "multiple", False) or parameter.nargs == -1
    values = value if isinstance(value, list) else [value]
    if len(values) != 1 and not several:
        raise UsageError(f"--config: {name} takes one value", "Write it without the brackets.")
    told = [_one(name, v, folder) for v in values]
    return told if several else told[0]


def _one(name: str, value: Any, folder: Path) -> Any:
    if name in PLACES:
        return str(folder / str(value))
    if isinstance(value, date):
        return value.isoformat()
    if name == "model" and (folder / str(value)).is_dir():
        return str(folder / str(value))
    return value if isinstance(value, bool) else str(value)
