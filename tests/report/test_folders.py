"""Reports of case folders: against manual ROIs, between readers, and of a cohort alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.cases import make_volume
from tmtv_engine.errors import UsageError
from tmtv_engine.image.nifti import write_nifti
from tmtv_engine.report.cohort import numbers
from tmtv_engine.report.description import described, patients_in
from tmtv_engine.report.folders import against, with_reference
from tmtv_tui.cli.app import main


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three patients of one volume, predicted by their hot spots: 1 and 2 are, 3 is too small."""
    suv, labels = make_volume()
    rows, truth = ["case,pet"], ["case,roi,subtype"]
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        write_nifti(suv, tmp_path / name / "pet.nii.gz")
        write_nifti(labels, tmp_path / name / "rois.nii.gz")
        rows.append(f"{name},{name}/pet.nii.gz")
    truth += ["a,a/rois.nii.gz,HL", "b,,FL", "x,a/rois.nii.gz,HL", "a,b/rois.nii.gz,HL"]
    (tmp_path / "studies.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "manual.csv").write_text("\n".join(truth) + "\n")
    out = tmp_path / "results"
    asked = ["predict", str(tmp_path / "studies.csv"), "--model", "hotspot", "-o", str(out), "-q"]
    assert main(asked) == 0
    return out


def above(threshold: float) -> list[int]:
    """How many voxels of each of the three spots exceed an SUV."""
    suv, labels = make_volume()
    hot = labels.array[suv.array > threshold]
    return [int(np.count_nonzero(hot == k)) for k in (1, 2, 3)]


def test_against_manual_rois(results: Path) -> None:
    cohort = with_reference([results], results.parent / "manual.csv")
    found = numbers(cohort)
    json.dumps(found, allow_nan=False)
    one, two, three = above(4.0)
    voxel_ml = 4.0 * 3.0 * 2.0 / 1000
    m = found["methods"]["4.0"]
    assert (m["n"], m["dice"]["n"]) == (2, 2)
    assert found["subtypes"]["HL"]["4.0"]["dice"]["mean"] == pytest.approx(
        2 * (one + two) / (2 * (one + two) + three), rel=1e-12
    )
    assert m["tmtv_ref_ml"]["max"] == pytest.approx((one + two + three) * voxel_ml, rel=1e-9)
    assert m["tmtv_ml"]["max"] == pytest.approx((one + two) * voxel_ml, rel=1e-9)
    assert found["subtypes"]["FL"]["4.0"]["dice"]["mean"] == 0.0  # nothing drawn, something found
    d = found["detection"]
    assert (d["reference_lesions"], d["detected"], d["false"]) == (3, 2, 2)
    assert d["false_per_patient"] == 1.0
    assert found["raw"]["4.0"]["sensitivity"]["min"] == pytest.approx(
        (one + two) / (one + two + three), rel=1e-12
    )
    why = {e["case"]: e["why"] for e in found["excluded"]}
    assert set(why) == {"a", "x", "c"}
    assert "again" in why["a"]
    assert "no row" in why["c"]


def test_a_case_whose_pet_is_gone_is_left_out(results: Path) -> None:
    (results.parent / "b" / "pet.nii.gz").unlink()
    cohort = with_reference([results], results.parent / "manual.csv")
    assert [p.case for p in cohort.pairs] == ["a"] * 3
    assert "no longer there" in {e.case: e.why for e in cohort.excluded}["b"]
    assert [e.why.startswith("b:") for e in cohort.excluded if e.case == "b"] == [False]


def test_a_pet_that_was_changed_is_no_reference(results: Path) -> None:
    suv, _ = make_volume()
    write_nifti(suv.with_array(suv.array * 1.01), results.parent / "a" / "pet.nii.gz")
    cohort = with_reference([results], results.parent / "manual.csv")
    assert [p.case for p in cohort.pairs] == ["b"] * 3
    assert "not the one" in next(e.why for e in cohort.excluded if "not the one" in e.why)


def test_two_readers(results: Path) -> None:
    for words in (
        ["reject", str(results / "a"), "1", "--reader", "AB", "--reason", "heart"],
        ["accept", str(results / "a"), "1", "--reader", "CD"],
        ["accept", str(results / "b"), "1", "--reader", "AB"],
    ):
        assert main(words) == 0
    found = numbers(against([results], [results], reader="AB", other_reader="CD"))
    one, two, _ = above(4.0)
    m = found["methods"]["4.0"]
    assert found["names"] == ["CD", "AB"]
    assert m["dice"]["mean"] == pytest.approx(2 * two / (2 * two + one), rel=1e-12)
    reading = found["reading"]
    assert reading["by_reader"]["AB"]["changed"]["rejected"] == 1
    assert reading["by_reader"]["CD"]["changed"]["rejected"] == 0
    assert reading["minutes"]["n"] == 0  # decided from scripts: nobody timed it
    assert reading["before"]["4.0"]["dice"]["mean"] == 1.0
    assert {e["case"]: e["why"] for e in found["excluded"]} == {
        "b": "no reader is called 'CD'",
        "c": "no reader is called 'AB'",
    }


def test_reviewed_against_predicted(results: Path) -> None:
    assert main(["reject", str(results / "a"), "2", "--reader", "AB"]) == 0
    found = numbers(against([results], [results], other_reader="prediction"))
    _, two, _ = above(4.0)
    bias = -two * 4.0 * 3.0 * 2.0 / 1000 / 3
    assert found["methods"]["4.0"]["bland_altman"]["bias_ml"] == pytest.approx(bias, rel=1e-9)


def test_a_cohort_alone(results: Path) -> None:
    assert main(["reject", str(results / "a"), "1", "--reader", "AB"]) == 0
    assert main(["sign", str(results / "a"), "--reader", "AB"]) == 0
    (results / "broken").mkdir()
    (results / "broken" / "case.json").write_text("{")
    patients, excluded = patients_in([results])
    found = described(patients, excluded)
    json.dumps(found, allow_nan=False)
    one, two, _ = above(4.0)
    voxel_ml = 4.0 * 3.0 * 2.0 / 1000
    m = found["methods"]["4.0"]
    assert (found["n"], m["changed"]) == (3, 1)
    assert m["predicted_ml"]["mean"] == pytest.approx((one + two) * voxel_ml, rel=1e-9)
    assert m["tmtv_ml"]["min"] == pytest.approx(two * voxel_ml, rel=1e-9)
    assert found["review"]["states"] == {"todo": 2, "done": 1}
    assert found["review"]["reviewed_share"] == pytest.approx(1 / 3)
    assert found["reading"]["changed"]["rejected"] == 1
    assert found["warnings"]["unreviewed-hotspots"] == 2  # a reader has signed the third
    assert [e["case"] for e in found["excluded"]] == ["broken"]


def test_nothing_to_report(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no case"):
        patients_in([tmp_path])
    with pytest.raises(UsageError, match="no case"):
        against([tmp_path], [tmp_path])


def test_a_source_without_a_case_and_two_of_one_name_are_not_passed_over(results: Path) -> None:
    for sources in ([results, results / "runs"], [results / "summary.csv", results]):
        with pytest.raises(UsageError, match=r"no case in .*(runs|summary\.csv)"):
            patients_in(sources)
    both, _ = patients_in([results, results / "a"])
    assert sorted(p.case for p in both) == ["a", "b", "c"]  # each once
    shutil.copytree(results / "a", results.parent / "again" / "a")
    with pytest.raises(UsageError, match=r"two cases are called a: .*/results/a and .*/again/a"):
        against([results, results.parent / "again"], [results])


@pytest.mark.parametrize(
    "words",
    [
        ["--reference", "manual.csv", "--against", "results"],
        ["--reader", "nobody", "--against-reader", "prediction"],
        ["--reader", "nobody"],
    ],
)
def test_what_cannot_be_compared_is_one_error(
    results: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    here = [str(results.parent / w) if (results.parent / w).exists() else w for w in words]
    capsys.readouterr()
    out = results.parent / "report"
    assert main(["report", str(results), *here, "-o", str(out)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 2
    assert not out.exists()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_the_page_sorts_and_asks_nobody(results: Path) -> None:
    out = results.parent / "report"
    assert main(["reject", str(results / "b"), "1", "--reader", "AB"]) == 0
    assert main(["report", str(results), "-o", str(out)]) == 0
    html = (out / "report.html").read_text("utf-8")
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", html)
    click = "<script>document.querySelectorAll('table.sorted button')[8].click()</script>"
    clicked = html.replace("</body>", click + "</body>")
    clicked = re.sub(r"<meta http-equiv.*?>", "", clicked)  # or the click is not let run
    (out / "clicked.html").write_text(clicked, "utf-8")
    rows = re.findall(r"<tr><td[^>]*>([abc])</td>", _rendered(out / "clicked.html"))
    assert rows == ["b", "a", "c"]  # by TMTV now, the rejected one's first


def _rendered(page: Path) -> Any:
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


FULL = """
import resource, signal, sys
from pathlib import Path
from tmtv_engine.report.write import write_files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
size = int(sys.argv[2])
write_files(Path(sys.argv[1]), {"n": "j" * size}, {"a.csv": "new", "b.html": "b" * (6000 - size)})
"""


@pytest.mark.parametrize(("size", "named"), [(10, "b.html"), (5990, "report.json")])
def test_on_a_full_disk_a_report_is_the_one_before(size: int, named: str, tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: what writes beyond it is refused."""
    out = tmp_path / "report"
    out.mkdir()
    (out / "a.csv").write_text("old")
    asked = [sys.executable, "-c", FULL, str(out), str(size)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert "DiskError: " in done.stderr
    assert str(out / named) in done.stderr.splitlines()[-2]
    assert [p.name for p in out.iterdir()] == ["a.csv"]
    assert (out / "a.csv").read_text() == "old"
