"""``tmtv models``: models of others, kept by name and hash."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from tmtv_tui.cli import console, options
from tmtv_tui.cli.words import Command, example

app = typer.Typer(
    help="Models of others, kept by name and hash. Nothing is ever downloaded.",
    no_args_is_help=True,
)
NAME: Any = typer.Argument(..., metavar="NAME", help="A name of tmtv models list.")


@app.command("list", cls=Command, epilog=example("tmtv models list", "tmtv models list --json"))
def list_(as_json: bool = options.JSON) -> int:
    """Show every model that is kept."""
    from tmtv_engine.model.library import kept

    rows = []
    for one in kept():
        if as_json:
            console.out_json({"name": one.name, **one.record})
        what = " + ".join(one.members) or str(one.record.get("architecture", ""))
        hashed = str(one.record.get("sha256", one.record.get("combine", "")))[:12]
        licence = str(one.record.get("licence", ""))[:40]
        rows.append((one.name, what, ",".join(one.channels), hashed, licence))
    if not as_json:
        console.table(("name", "what", "channels", "sha256", "licence as stated"), rows)
        if not rows:
            console.say("none is kept; tmtv models add NAME ZIP|DIR keeps one")
    return 0


@app.command(
    cls=Command,
    epilog=example(
        "tmtv models add lyroi-m LyROI_ResM.zip",
        "tmtv models add lyroi lyroi-orig lyroi-m lyroi-l --combine union",
    ),
)
def add(
    name: str = typer.Argument(..., metavar="NAME", help="What it is to be called here."),
    sources: list[str] = typer.Argument(
        ..., metavar="ZIP|DIR...", help="As downloaded; or names of models that make a set."
    ),
    channels: str | None = options.CHANNELS,
    tumour_label: str | None = options.TUMOUR_LABEL,
    combine: str | None = options.COMBINE,
    as_json: bool = options.JSON,
) -> int:
    """Check a downloaded nnU-Net, hash it and keep it.

    Or name a set of such.
    """
    from tmtv_engine.model.library import add as keep
    from tmtv_engine.model.registry import told

    said = told(channels, tumour_label, combine)
    made = keep(
        name,
        sources,
        channels=said.channels,
        tumour=said.tumour_label,
        combine=said.combine or "mean",
    )
    _tell(made.name, made.record, as_json)
    return 0


@app.command(cls=Command, epilog=example("tmtv models show lyroi-m"))
def show(name: str = NAME, as_json: bool = options.JSON) -> int:
    """Tell what a model is made of.

    Architecture, channels, labels, which of them is the tumour, licence, hash, leftovers.
    """
    from tmtv_engine.model.library import kept_one

    there = kept_one(name)
    _tell(there.name, there.record, as_json)
    return 0


@app.command(cls=Command, epilog=example("tmtv models remove lyroi-m"))
def remove(name: str = NAME, as_json: bool = options.JSON) -> int:
    """Take a model away; what was made with it keeps its hash."""
    from tmtv_engine.model.library import remove as take_away

    take_away(name)
    if as_json:
        console.out_json({"removed": name})
    console.say(f"{name} is gone")
    return 0


def _tell(name: str, record: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        console.out_json({"name": name, **record})
        return
    rows = [("name", name)]
    rows += [(key.replace("_", " "), _words(value)) for key, value in record.items() if value]
    if "dropped" in record:
        untried = "not tried: nnU-Net is not installed"
        dropped = untried if record["dropped"] is None else _words(record["dropped"]) or "nothing"
        rows = [row for row in rows if row[0] != "dropped"] + [("dropped", dropped)]
    console.table(("what", "found"), rows)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_words(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value))
    return str(value)
