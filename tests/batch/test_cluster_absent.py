"""`--scheduler` where a package of its extra is not installed, or TLS has no certificates."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.batch.test_cluster import studies_in
from tmtv_tui.cli.app import main


def told(out: Path, scheduler: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on stderr of a `predict` that is refused."""
    words = ["predict", str(out.parent / "in"), "-o", str(out), "--model", "hotspot", "-q"]
    assert main([*words, "--scheduler", scheduler]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert not (out / "cases.csv").exists()
    return said.err.splitlines()


@pytest.mark.parametrize(
    ("scheduler", "missing"),
    [
        ("local", "cryptography"),
        ("local", "distributed"),
        ("tcp://127.0.0.1:1", "distributed"),
    ],
)
def test_a_missing_package_is_told_with_its_extra(
    scheduler: str,
    missing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    studies_in(tmp_path / "in", 1)
    monkeypatch.setitem(sys.modules, missing, None)  # importing it raises, as where it is not
    assert told(tmp_path / "out", scheduler, capsys) == [
        f"error: --scheduler {scheduler} needs the module {missing}, which is not here",
        "Install the extra: pip install 'tmtv[cluster]'.",
    ]


def test_tls_without_certificates_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("distributed")
    studies_in(tmp_path / "in", 1)
    what, way_out = told(tmp_path / "out", "tls://127.0.0.1:1", capsys)
    assert what.startswith("error: --scheduler tls://127.0.0.1:1: no scheduler answers: TLS ")
    assert "DASK_DISTRIBUTED__COMM__TLS__" in way_out
