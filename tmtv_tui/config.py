"""The reader's settings: a file under the XDG directory, overridden by the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from tmtv_engine.errors import UsageError

THEMES = {"dark": "textual-dark", "light": "textual-light", "contrast": "contrast"}
COLOURS = {"auto": "auto", "16": "standard", "256": "256", "truecolor": "truecolor"}
IMAGES = ("half", "quad", "sextant", "octant", "braille", "ascii", "kitty", "sixel")
PIXELS = ("kitty", "sixel")
CHOICES = {"theme": tuple(THEMES), "colours": tuple(COLOURS), "image": IMAGES}


@dataclass(frozen=True)
class Config:
    """``reader`` None: the login name. ``theme``: dark, light or contrast. ``colours``: what the
    terminal can show (auto, 16, 256, truecolor); ``image``: half blocks, quarters, sextants or
    octants (finer, where the font has them), braille, ascii, or pixels by kitty's protocol or as
    sixel. ``advance``: whether a decision goes on to the next
    lesion. ``keys``: action → keys.
    """

    reader: str | None = None
    theme: str = "dark"
    colours: str = "auto"
    image: str = "half"
    white_suv: float = 10.0
    advance: bool = True
    keys: Mapping[str, str] = field(default_factory=dict)


def config_path() -> Path:
    """Where the file is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "tmtv" / "config.toml"


def read_config() -> Config:
    """The settings; raises `UsageError` naming what the file or the environment has wrong."""
    path = config_path()
    found: dict[str, object] = {}
    if path.is_file():
        try:
            found = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: {error}", "It should be TOML: reader, theme …") from error
    known = {f.name for f in fields(Config)}
    unknown = set(found) - known
    if unknown:
        raise UsageError(f"{path}: {', '.join(sorted(unknown))} is unknown")
    for key in known - {"keys"}:
        value = os.environ.get(f"TMTV_{key.upper()}")
        if value:
            found[key] = value
    return _checked(found)


def _checked(found: Mapping[str, object]) -> Config:
    values = dict(found)
    for key, choices in CHOICES.items():
        if key in values and str(values[key]) not in choices:
            raise UsageError(
                f"{key} {values[key]!r} is unknown", f"Choose of {', '.join(choices)}."
            )
        values |= {key: str(values[key])} if key in values else {}
    try:
        white = float(values.get("white_suv", 10.0))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        white = 0.0
    if not 0 < white <= 100:
        raise UsageError(f"white_suv {values['white_suv']!r} is no SUV", "For example 10.")
    advance = values.get("advance", True)
    if str(advance).lower() not in ("true", "false", "1", "0"):
        raise UsageError(f"advance {advance!r} is neither true nor false")
    values |= {"white_suv": white, "advance": str(advance).lower() in ("true", "1")}
    if not isinstance(values.get("reader", ""), str):
        raise UsageError(f"reader {values['reader']!r} is no name")
    keys = values.get("keys", {})
    if not isinstance(keys, dict) or not all(isinstance(v, str) for v in keys.values()):
        raise UsageError('keys is a table of action = "key"', 'For example accept = "y".')
    return Config(**values)  # type: ignore[arg-type]
