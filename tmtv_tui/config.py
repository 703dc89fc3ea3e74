"""The reader's settings: a file under the XDG directory, overridden by the environment."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tmtv_engine.errors import UsageError

THEMES = {"dark": "textual-dark", "light": "textual-light", "contrast": "contrast"}


@dataclass(frozen=True)
class Config:
    """``reader`` None: the login name. ``theme``: dark, light or contrast."""

    reader: str | None = None
    theme: str = "dark"
    white_suv: float = 10.0
    advance: bool = True


def config_path() -> Path:
    """Where the file is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "tmtv" / "config.toml"


def read_config() -> Config:
    """The settings; raises `UsageError` naming what the file has wrong."""
    path = config_path()
    found: dict[str, object] = {}
    if path.is_file():
        try:
            found = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: {error}", "It should be TOML: reader, theme …") from error
    for key in ("reader", "theme", "white_suv"):
        value = os.environ.get(f"TMTV_{key.upper()}")
        if value:
            found[key] = float(value) if key == "white_suv" else value
    unknown = set(found) - set(Config.__dataclass_fields__)
    if unknown:
        raise UsageError(f"{path}: {', '.join(sorted(unknown))} is unknown")
    config = Config(**found)  # type: ignore[arg-type]
    if config.theme not in THEMES:
        raise UsageError(f"theme {config.theme!r} is unknown", f"Choose of {', '.join(THEMES)}.")
    return config
