"""What ``--model`` and the options beside it mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tmtv_engine.errors import UsageError
from tmtv_engine.model import registry
from tmtv_engine.model.ensemble import Ensemble
from tmtv_engine.model.registry import absolute, told


@pytest.mark.parametrize("model", ["hotspot", "vnet"])
@pytest.mark.parametrize("option", ["channels", "tumour_label", "combine"])
def test_what_is_for_models_of_others_alone_is_refused_elsewhere(model: str, option: str) -> None:
    given = {"channels": "ct,pet", "tumour_label": "11", "combine": "union"}[option]
    with pytest.raises(UsageError, match=f"--{option.replace('_', '-')} does nothing to {model}"):
        registry.load(model, "cpu", told(**{option: given}))


class One:
    channels, warnings, device_name = ("pet",), (), "cpu"

    def __init__(self, path: Path, *_: Any, **__: Any) -> None:
        self.record = {"name": f"nnunet:{path.name}", "sha256": "0", "trained_on": ""}


def test_one_model_cannot_be_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tmtv_engine.model.nnunet.load_model", One)
    with pytest.raises(UsageError, match="--combine joins several"):
        registry.load(f"nnunet:{tmp_path}", "cpu", told(combine="union"))
    both = registry.load(f"nnunet:{tmp_path},{tmp_path}", "cpu", told(combine="union"))
    assert isinstance(both.segment, Ensemble)
    assert both.segment.combine == "union"


def test_a_worker_in_another_folder_finds_the_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("run", "a", "b", "c,d"):
        (tmp_path / name).mkdir()
    here = str(tmp_path)
    assert absolute("run") == f"{here}/run"
    assert absolute("vnet") == "vnet"
    assert absolute("lyroi") == "lyroi"
    assert absolute("nnunet:a") == f"nnunet:{here}/a"
    assert absolute("nnunet:~/a") == f"nnunet:{here}/a"
    assert absolute("nnunet:a, lyroi,./b") == f"nnunet:{here}/a,lyroi,{here}/b"
    assert absolute("nnunet:c,d") == f"nnunet:{here}/c,d"
    monkeypatch.chdir(tmp_path / "c,d")
    (tmp_path / "c,d" / "e").mkdir()
    assert absolute("nnunet:e,lyroi") == "nnunet:e,lyroi"  # a comma in it would part it
    assert absolute("nnunet:e") == f"nnunet:{here}/c,d/e"
