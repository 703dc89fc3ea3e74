"""Models of others, kept by name: what is added, what is refused, and that nothing is left then."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.model.test_nnunet_folder import folder, plans
from tests.model.test_nnunet_weights import Trap, saved
from tmtv_engine.errors import InputError, TmtvError, UsageError
from tmtv_engine.model import library, registry
from tmtv_engine.model.library import add, find, kept, remove
from tmtv_engine.model.nnunet_folder import read_folder
from tmtv_tui.cli.app import main

FINAL = "fold_0/checkpoint_final.pth"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Models are kept here; weights are read, but not fitted to a network."""
    monkeypatch.setenv("TMTV_MODELS", str(tmp_path / "kept"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    return tmp_path / "kept"


def model(path: Path, **dataset: Any) -> Path:
    told = {"channel_names": {"0": "CT", "1": "PET"}, "labels": {"background": 0, "tumor": 1}}
    made = folder(path, {**told, "licence": "CC BY-SA 4.0", **dataset}, plans())
    saved(made / FINAL)
    return made


def zipped(source: Path, path: Path, under: str = "Dataset001_LyROI/T__P__3d_fullres") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(p for p in source.rglob("*") if p.is_file()):
            made.write(file, f"{under}/{file.relative_to(source)}")
    return path


def test_a_folder_and_a_zip_of_it_are_the_same_model(tmp_path: Path, home: Path) -> None:
    source = model(tmp_path / "m")
    (source / "postprocessing.pkl").write_bytes(b"cos\nsystem\n")
    (source / "LICENSE.txt").write_text("CC BY-SA 4.0")
    first = add("first", [str(source)])
    second = add("second", [str(zipped(source, tmp_path / "LyROI_Orig.zip"))])
    assert first.record["sha256"] == second.record["sha256"]
    assert second.record["from"] == "LyROI_Orig.zip"
    assert first.channels == ("ct", "pet")
    assert first.record["licence"] == "CC BY-SA 4.0"
    assert first.record["labels"] == {"background": 0, "tumor": 1}
    assert first.record["trainer"] == "autoPET3_Trainer"
    assert first.record["configuration"] == "3d_fullres"
    assert first.record["architecture"] == "PlainConvUNet"
    assert first.record["dropped"] is None
    files = {p.relative_to(home).as_posix() for p in home.rglob("*") if p.is_file()}
    names = ("kept.json", "model/dataset.json", "model/plans.json", f"model/{FINAL}")
    assert files == {f"{n}/{f}" for n in ("first", "second") for f in (*names, "model/LICENSE.txt")}
    assert (first.model / FINAL).read_bytes() == (source / FINAL).read_bytes()
    assert [one.name for one in kept()] == ["first", "second"]
    remove("first")
    assert find("first") is None
    assert [one.name for one in kept()] == ["second"]


@pytest.mark.parametrize(
    "name", ["", "vnet", "hotspot", "../x", "a/b", ".x", "A", "x" * 65, "a b", "\x1b[2J"]
)
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a model's name"):
        add(name, [str(model(tmp_path / "m"))])


def test_a_name_that_is_there_stays(tmp_path: Path) -> None:
    source = model(tmp_path / "m")
    before = add("a", [str(source)]).record
    with pytest.raises(UsageError, match="there already"):
        add("a", [str(source)])
    assert find("a") is not None
    assert library.kept_one("a").record == before


def _plan(**more: Any) -> Callable[[Path], None]:
    def change(source: Path) -> None:
        made = plans()
        architecture = made["configurations"]["3d_fullres"]["architecture"]
        made["configurations"]["3d_fullres"]["architecture"] = {**architecture, **more}
        (source / "plans.json").write_text(json.dumps(made))

    return change


def _sprung(source: Path) -> Trap:
    return Trap(source.parent / "sprung")


def _link(source: Path) -> None:
    (source / FINAL).rename(source / "real.pth")
    (source / FINAL).symlink_to(source / "real.pth")


def _linked_fold(source: Path) -> None:
    (source / "fold_0").rename(source / "real")
    (source / "fold_0").symlink_to(source / "real")


def _pipe(source: Path) -> None:
    (source / FINAL).unlink()
    os.mkfifo(source / FINAL)


def _huge(source: Path) -> None:
    with (source / FINAL).open("wb") as file:
        file.truncate(10 << 30)  # 10 GB of holes


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "code in the weights": lambda s: saved(s / FINAL, logging=[_sprung(s)]),
    "a class of somebody's own": _plan(network_class_name="os.system"),
    "a layer of somebody's own": _plan(arch_kwargs={"x": "os.system"}, _kw_requires_import=["x"]),
    "a link": _link,
    "a linked fold": _linked_fold,
    "10 GB": _huge,
    "no weights": lambda s: (s / FINAL).unlink(),
    "no plans": lambda s: (s / "plans.json").unlink(),
}


LOOSE = ("a link", "a linked fold", "10 GB")  # in zips: `test_a_hostile_zip…`


@pytest.mark.parametrize(
    ("how", "packed"),
    [*((how, False) for how in HOSTILE), *((how, True) for how in HOSTILE if how not in LOOSE)],
)
def test_a_hostile_folder_is_refused_and_leaves_nothing(
    tmp_path: Path, home: Path, how: str, packed: bool
) -> None:
    source = model(tmp_path / "m")
    HOSTILE[how](source)
    given = zipped(source, tmp_path / "m.zip") if packed else source
    with pytest.raises(TmtvError):
        add("evil", [str(given)])
    assert not (tmp_path / "sprung").exists()
    assert not home.exists() or not list(home.iterdir())


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    source = model(tmp_path / "m")
    _pipe(source)
    with pytest.raises(InputError):
        add("evil", [str(source)])


def _member(name: str, mode: int, data: bytes) -> Callable[[zipfile.ZipFile], None]:
    def write(made: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        made.writestr(info, data)

    return write


@pytest.mark.parametrize(
    "write",
    [
        _member("../../sprung", 0o644, b"x"),
        _member("/tmp/sprung", 0o644, b"x"),
        _member("..\\sprung", 0o644, b"x"),
        _member("D/fold_1", stat.S_IFLNK | 0o777, b"/etc"),
        _member("D/zeros", 0o644, bytes(80 << 20)),
    ],
)
def test_a_hostile_zip_is_refused_and_leaves_nothing(
    tmp_path: Path, home: Path, write: Callable[[zipfile.ZipFile], None]
) -> None:
    given = zipped(model(tmp_path / "m"), tmp_path / "m.zip")
    with zipfile.ZipFile(given, "a") as made:
        write(made)
    with pytest.raises(InputError):
        add("evil", [str(given)])
    assert not list(tmp_path.rglob("sprung"))
    assert not home.exists() or not list(home.iterdir())


def test_several_models_in_one_download_are_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        model(tmp_path / "all" / name)
    with pytest.raises(InputError, match=r"several models \(a, b\)"):
        add("x", [str(tmp_path / "all")])
    with pytest.raises(InputError, match="is not there"):
        add("x", [str(tmp_path / "nowhere.zip")])


def test_what_is_wrong_in_a_zip_is_said_of_the_zip(tmp_path: Path) -> None:
    unnamed = model(tmp_path / "m", channel_names={"0": "noNorm", "1": "zscore"})
    broken, sprung = model(tmp_path / "b"), model(tmp_path / "s")
    (broken / FINAL).write_bytes(b"PK")
    HOSTILE["code in the weights"](sprung)
    for name, source in (("u", unnamed), ("b", broken), ("s", sprung)):
        given = zipped(source, tmp_path / f"{name}.zip")
        with pytest.raises(TmtvError) as caught:
            add("x", [str(given)])
        assert str(given) in caught.value.what
        assert ".part" not in str(caught.value)
    (tmp_path / "n.zip").write_bytes(zipped(tmp_path / "nothing", tmp_path / "e.zip").read_bytes())
    with pytest.raises(InputError, match=r"n\.zip: holds no folder of nnU-Net"):
        add("x", [str(tmp_path / "n.zip")])


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234567\n"


def test_what_git_leaves_without_lfs_is_told(tmp_path: Path) -> None:
    (tmp_path / "weights.zip").write_bytes(POINTER)
    source = model(tmp_path / "m")
    (source / FINAL).write_bytes(POINTER)
    for given, named in ((tmp_path / "weights.zip", "weights.zip"), (source, FINAL)):
        with pytest.raises(InputError, match=f"{named}: is no model but Git LFS") as caught:
            add("x", [str(given)])
        assert "git lfs pull" in caught.value.remedy


def test_a_zip_is_added_before_it_is_run(tmp_path: Path) -> None:
    given = zipped(model(tmp_path / "m"), tmp_path / "m.zip")
    with pytest.raises(InputError, match=r"m\.zip: is no folder") as caught:
        registry.load(f"nnunet:{given}", "cpu")
    assert "tmtv models add" in caught.value.remedy


def test_a_set_is_of_models_that_are_kept(tmp_path: Path) -> None:
    for name in ("a", "b"):
        add(name, [str(model(tmp_path / name))])
    made = add("both", ["a", "b"], combine="union")
    assert made.members == ("a", "b")
    assert made.record["combine"] == "union"
    assert made.channels == ("ct", "pet")
    for sources in (["a", "c"], ["a", "a"], ["a", "both"]):
        with pytest.raises(UsageError):
            add("x", sources)
    with pytest.raises(UsageError, match="part of both"):
        remove("a")
    remove("both")
    remove("a")


def test_what_was_changed_since_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = add("a", [str(model(tmp_path / "m"))])

    class Loaded:
        def __init__(self, path: Path, *_: Any, **more: Any) -> None:
            self.channels, self.warnings, self.device_name = ("pet",), (), "cpu"
            sha256 = read_folder(path).sha256()
            self.record = {"name": more["name"], "sha256": sha256, "trained_on": ""}
            self.instead = more["instead"]

    monkeypatch.setattr("tmtv_engine.model.nnunet.load_model", Loaded)
    found = registry.load("a", "cpu")
    assert found.record["name"] == "a"
    assert found.record["sha256"] == made.record["sha256"]
    saved(made.model / FINAL, trainer_name="another")
    with pytest.raises(InputError, match="not what was added as a"):
        registry.load("a", "cpu")


def test_models_of_pet_alone_are_named(tmp_path: Path) -> None:
    add("both", [str(model(tmp_path / "m"))])
    add("lion", [str(model(tmp_path / "l", channel_names={"0": "PET"}))])
    assert "lion" in registry.pet_only()
    assert "both" not in registry.pet_only()
    assert "hotspot" in registry.pet_only()


def test_a_name_that_a_folder_has_too_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("m", [str(model(tmp_path / "m"))])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="are called so") as caught:
        registry.load("m", "cpu")
    assert "./m" in caught.value.remedy


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = model(tmp_path / "m", channel_names={"0": "noNorm", "1": "zscore"})
    assert main(["models", "add", "a", str(source)]) == 2
    assert "--channels" in capsys.readouterr().err
    assert main(["models", "add", "a", str(source), "--channels", "pet,ct", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["channels"], told["given_channels"]) == (
        "a",
        ["pet", "ct"],
        ["pet", "ct"],
    )
    assert main(["models", "add", "pair", "a", "--combine", "vote"]) == 0
    capsys.readouterr()
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in out] == ["name", "a", "pair"]
    assert main(["models", "show", "a"]) == 0
    shown = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert shown["sha256"] == told["sha256"]
    assert shown["dropped"] == "not tried: nnU-Net is not installed"
    assert main(["models", "show", "b"]) == 2
    assert main(["models", "remove", "pair"]) == 0
    assert main(["models", "remove", "a"]) == 0
    assert not list(library.home().iterdir())
    shutil.rmtree(source)


@pytest.mark.parametrize(
    ("labels", "given", "found", "words"),
    [
        ({"background": 0, "tumor": 1}, None, {"tumor": [1]}, "tumor 1"),
        ({"background": 0, "spot": 1}, None, {"spot": [1]}, "spot 1"),  # the only one
        ({"background": 0, "spleen": 1, "Lymphoma": 7}, None, {"Lymphoma": [7]}, "Lymphoma 7"),
        ({"background": 0, "a": 1, "b": 11, "c": 2}, "11", {"b": [11]}, "b 11"),
        (
            {"background": 0, "organ": [1, 2], "lesion": [2, 3]},
            None,
            {"lesion": [2, 3]},
            "lesion 2, 3",
        ),
        ({"background": 0, "tu\x1b[2Jmor": 1}, None, {"tu[2Jmor": [1]}, "tu[2Jmor 1"),
    ],
)
def test_which_label_was_found_as_tumour_is_shown(
    labels: dict[str, Any],
    given: str | None,
    found: dict[str, list[int]],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = model(tmp_path / "m", labels=labels)
    said = ["--tumour-label", given] if given else []
    assert main(["models", "add", "a", str(source), *said]) == 0
    capsys.readouterr()
    assert main(["models", "show", "a", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tumour"] == found
    assert main(["models", "show", "a"]) == 0
    assert f"tumour\t{words}" in capsys.readouterr().out.splitlines()
    assert main(["models", "add", "b", str(source), *said]) == 0
    assert main(["models", "add", "both", "a", "b"]) == 0
    capsys.readouterr()
    assert main(["models", "show", "both"]) == 0
    assert f"tumours\ta {words}, b {words}" in capsys.readouterr().out.splitlines()


def test_whether_a_model_takes_clicks_is_known_before_it_is_loaded(tmp_path: Path) -> None:
    channels = {"0": "CT", "1": "PET", "2": "FG", "3": "BG"}
    clicker, plain = model(tmp_path / "c d", channel_names=channels), model(tmp_path / "m")
    for name, source in (("autopet4", clicker), ("plain", plain), ("other", plain)):
        add(name, [str(source)])
    add("both", ["plain", "autopet4"])
    for name in ("autopet4", f"nnunet:{clicker}", "nnunet:autopet4"):
        registry.check_interactive(name)
    for name in ("plain", "both", f"nnunet:{plain}", "vnet", "hotspot", "nobody", "\x1b[2J"):
        with pytest.raises(UsageError, match="takes clicks") as caught:
            registry.check_interactive(name)
        assert "Models here that do: autopet4" in caught.value.remedy
        assert "\x1b" not in str(caught.value)
    for name in ("nnunet:nobody", "nnunet:"):
        with pytest.raises(InputError, match="cannot be read"):
            registry.check_interactive(name)
