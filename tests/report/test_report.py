"""The report's numbers, and tables as people really send them."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tmtv_engine.errors import InputError, UsageError
from tmtv_engine.report import figures
from tmtv_engine.report.cohort import Cohort, Found, Pair, compare, froc, numbers
from tmtv_engine.report.figures import draw
from tmtv_engine.report.tables import patients_of, read_table, tables_of
from tmtv_engine.report.write import write_report
from tmtv_engine.text import csv_text

HEAD = "case,method,tmtv_ref_ml,tmtv_ml,dice,subtype\n"


def _table(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


def _numbers(tmp_path: Path, text: str) -> dict[str, Any]:
    found = numbers(read_table(_table(tmp_path, text)))
    json.dumps(found, allow_nan=False)
    return found


def test_the_contract(tmp_path: Path) -> None:
    found = _numbers(
        tmp_path,
        HEAD + "a,41,100,110,0.9,HL\nb,41,200,180,0.5,FL\nc,41,300,330,0.7,HL\nd,41,0,0,,FL\n",
    )
    keys = "schema n methods raw rois detection reading subtypes excluded"
    assert set(keys.split()) <= set(found)
    assert (found["schema"], found["n"], list(found["subtypes"])) == (
        "tmtv.report/1",
        4,
        ["HL", "FL"],
    )
    m = found["methods"]["41"]
    assert (m["n"], m["both_empty"], m["dice"]["n"]) == (4, 1, 3)
    assert m["dice"]["mean"] == pytest.approx(0.7)
    assert m["dice"]["sd"] == pytest.approx(0.2)
    assert m["median_difference_ml"] == pytest.approx((110 + 180) / 2 - 150)
    assert m["bland_altman"]["bias_ml"] == pytest.approx((10 - 20 + 30 + 0) / 4)
    assert m["within_10"]["share"] == pytest.approx(1.0)
    assert m["kappa"]["220"]["value"] == pytest.approx(1.0)
    assert m["tmtv_ref_ml"]["max"] == 300.0
    assert set(m) >= {"t_test", "wilcoxon", "spearman", "pearson", "ccc", "icc", "log_limits"}
    assert found["subtypes"]["HL"]["41"]["n"] == 2


def test_the_paper_has_two_of_its_slips_put_right() -> None:
    """1.96 SD with ddof 1, and the fitted line's slope is not rho."""
    first, second = [10.0, 20, 30, 40], [12.0, 19, 35, 38]
    found = compare(
        [Pair(str(k), "41", a, b) for k, (a, b) in enumerate(zip(first, second, strict=False))], []
    )
    change = np.subtract(second, first)
    assert found["bland_altman"]["loa_high_ml"] == pytest.approx(
        change.mean() + 1.96 * change.std(ddof=1), abs=1e-9
    )
    assert found["line"]["slope"] == pytest.approx(np.polyfit(first, second, 1)[0], abs=1e-9)
    assert found["line"]["slope"] != pytest.approx(found["spearman"]["rho"])


def test_one_patient(tmp_path: Path) -> None:
    m = _numbers(tmp_path, HEAD + "a,41,100,110,0.9,HL\n")["methods"]["41"]
    assert (m["n"], m["bland_altman"]["bias_ml"], m["dice"]["sd"]) == (1, 10.0, None)
    assert m["t_test"]["p"] is None
    assert m["icc"]["value"] is None


def test_all_dice_0_and_constant_columns(tmp_path: Path) -> None:
    text = HEAD + "".join(f"p{k},2.5,50,50,0,\n" for k in range(9))
    m = _numbers(tmp_path, text)["methods"]["2.5"]
    assert (m["dice"]["median"], m["dice"]["sd"], m["dice"]["median_ci"]) == (0.0, 0.0, [0.0, 0.0])
    assert m["spearman"]["rho"] is None
    assert m["kappa"]["220"]["value"] is None
    assert m["within_10"] == {"n": 9, "within": 9, "share": 1.0}


def test_what_cannot_be_used_says_why(tmp_path: Path) -> None:
    text = HEAD + (
        "a,41,100,110,0.9,\na,4,90,80,0.9,\nb,41,,5,,\nc,41,nan,5,,\nd,41,inf,5,,\ne,41,x,5,,\n"
        'f,41,-1,5,,\ng,41,1,2,1.5,\nh,41,1,2,,\nh,41,1,2,,\ni,41,1,2,,\ni,41,1,3,,\nj,41,"1,5",2,,\n'
    )
    found = _numbers(tmp_path, text)
    assert found["methods"]["41"]["n"] == 3
    why = {e["case"]: e["why"] for e in found["excluded"] if not e["why"].startswith("4.0")}
    assert why == {
        "b": "41: tmtv_ref_ml is missing",
        "c": "41: tmtv_ref_ml is missing",
        "d": "41: tmtv_ref_ml is not finite",
        "e": "41: tmtv_ref_ml 'x' is no number",
        "f": "41: tmtv_ref_ml is below 0",
        "g": "41: dice 1.5 lies outside 0–1; only that value is left out",
        "h": "41: the same row 2 times; taken once",
        "i": "41: 2 rows that differ; none is taken",
        "j": "41: tmtv_ref_ml '1,5' could be read in two ways",
    }
    assert {"case": "g", "why": "4.0: no pair of this method"} in found["excluded"]


@pytest.mark.parametrize(
    "text",
    [
        "case;method;tmtv_ref_ml;tmtv_ml\na;2,5;12,5;13,25\n",
        "\ufeffCase\tMethod\tTMTV_ref_mL\tTMTV_mL\r\na\t2.5\t12,5\t13,25\r\n",
        'case,method,tmtv_ref_ml,tmtv_ml\na,2.5,"12,5","13,25"\n',
        "method,tmtv_ml,case,tmtv_ref_ml\n2.50,13.25,a,12.5\n",
    ],
)
def test_decimal_commas_and_delimiters(tmp_path: Path, text: str) -> None:
    if "2.5," in text and '"' in text:
        text = text.replace("2.5,", "41,")
    (pair,) = read_table(_table(tmp_path, text)).pairs
    assert (pair.reference_ml, pair.predicted_ml) == (12.5, 13.25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no column case, method"),
        ("case,method\n", "has no column tmtv_ref_ml, tmtv_ml"),
        (HEAD, "no row of 0"),
        (HEAD + "a,41,,,,\n", "no row of 1 can be used (first: 41: tmtv_ref_ml is missing)"),
        ("case,case,method,tmtv_ref_ml,tmtv_ml\n", "names a column twice"),
    ],
)
def test_no_such_table(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises((InputError, UsageError)) as caught:
        read_table(_table(tmp_path, text))
    assert said in caught.value.what
    assert "\n" not in caught.value.what


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00case")
    with pytest.raises(InputError, match="UTF-8"):
        read_table(tmp_path / "t.csv")


def test_its_own_tables_are_read_back(tmp_path: Path) -> None:
    cohort = read_table(_table(tmp_path, HEAD + "a,41,0.1,110.7,0.3,HL\nb,41,7,8,,\n"))
    again = read_table(_table(tmp_path, csv_text(patients_of(cohort)), "again.csv"))
    assert again.pairs == cohort.pairs
    report = numbers(cohort)
    files = write_report(tmp_path / "out", cohort, report)
    assert json.loads((tmp_path / "out" / "report.json").read_text("utf-8")) == report
    assert all(path.is_file() for path in files)
    with (tmp_path / "out" / "table1.csv").open(encoding="utf-8") as stream:
        first = next(csv.DictReader(stream))
    assert (first["measurement"], float(first["max"])) == ("reference", 7.0)
    for rows in tables_of(report).values():
        assert len({len(row) for row in rows}) == 1


def test_free_response() -> None:
    one = Found("a", 2, 3, 1, 1, ((0.9, (1,)), (0.8, ()), (0.4, (2,))))
    two = Found("b", 1, 1, 1, 0, ((0.9, (1,)),))
    assert froc([one, two]) == [
        {"probability": 0.9, "sensitivity": 2 / 3, "false_per_patient": 0.0},
        {"probability": 0.8, "sensitivity": 2 / 3, "false_per_patient": 0.5},
        {"probability": 0.4, "sensitivity": 1.0, "false_per_patient": 0.5},
    ]
    found = numbers(Cohort((Pair("a", "41", 1, 1), Pair("b", "41", 1, 1)), found=(one, two)))
    assert found["detection"]["sensitivity"] == 2 / 3
    assert found["detection"]["false_per_patient"] == 0.5
    assert found["rois"]["reference"]["mean"] == 1.5


def _page(tmp_path: Path, text: str) -> str:
    cohort = read_table(_table(tmp_path, text))
    write_report(tmp_path / "out", cohort, numbers(cohort))
    return (tmp_path / "out" / "report.html").read_text("utf-8")


def test_the_page_is_alone_and_escaped(tmp_path: Path) -> None:
    text = HEAD + 'a<script>x</script>,41,100,110,0.9,H&L\nb,41,90,70,0.7,"$\\frac{x$"\n'
    html = _page(tmp_path, text)
    assert "<script>x" not in html
    assert "a&lt;script&gt;x" in html
    assert html.count("<script>") == 1
    assert not [word for word in ("http://", "https://", "@import") if word in html]
    assert set(re.findall(r'(?:src|href)="(.{10})', html)) == {"data:image"}
    assert not re.findall(r"<[^>]+ (?:style|on[a-z]+)=", html)
    assert "Research use only" in html


def test_the_page_s_policy_lets_run_what_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    html = _page(tmp_path, HEAD + "a,41,100,110,0.9,HL\nb,41,90,70,0.7,HL\n")
    policy = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)[0]
    assert "unsafe" not in policy
    assert "default-src &#39;none&#39;" in policy
    for tag in ("style", "script"):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in policy


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_obeys_the_policy_and_draws_the_figures(tmp_path: Path) -> None:
    """What is smuggled in does not run; the page's own script, style and pictures do."""
    html = _page(tmp_path, HEAD + "a,41,100,110,0.9,HL\nb,41,90,70,0.7,HL\n")
    probe = (
        "document.title = [getComputedStyle(document.querySelector('.only')).fontWeight,"
        "...[...document.images].map((i) => i.naturalWidth > 100)].join(' ');"
    )
    digest = base64.b64encode(hashlib.sha256(probe.encode()).digest()).decode()
    told = html.replace("script-src ", f"script-src &#39;sha256-{digest}&#39; ")
    smuggled = "<script>document.title = 'smuggled'</script><b onclick='1' style='color:red'>x</b>"
    told = told.replace("</body>", f"{smuggled}<script>{probe}</script>{smuggled}</body>")
    (tmp_path / "told.html").write_text(told, "utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    done = subprocess.run(
        [*command, (tmp_path / "told.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert re.findall(r"<title>(.*?)</title>", done.stdout) == ["600 true true true true"]


def test_figures_are_text_and_the_same_every_time(tmp_path: Path) -> None:
    text = HEAD + "".join(f"p{k},41,{k * 9},{k * 8 + 5},0.{k + 1},HL\n" for k in range(8))
    cohort = read_table(_table(tmp_path, text))
    report = numbers(cohort)
    once, again = draw(cohort, report), draw(cohort, report)
    assert [p.name for p in once] == ["boxes", "bland-altman", "correlation", "dice"]
    assert [(p.svg, p.png) for p in once] == [(p.svg, p.png) for p in again]
    assert "TMTV (mL)</text>" in once[0].svg
    assert all(p.png.startswith(b"\x89PNG") for p in once)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([47.7, 231.5], ["20", "50", "100", "200", "500"]),
        ([0.0, 3.0], ["0", "1", "2", "5"]),
        ([0.4], ["0", "1"]),
        ([5.0], ["5", "10"]),
        ([], ["0", "1"]),
    ],
)
def test_the_axis_of_volumes_has_plain_numbers_round_the_volumes(
    values: list[float], ticks: list[str]
) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    axis = figure.subplots()
    axis.plot(values, values, "o")
    figures._millilitres(axis, values)
    FigureCanvasAgg(figure).draw()
    low, high = axis.get_xlim()
    shown = zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)
    assert [t.get_text() for at, t in shown if low <= at <= high] == ticks
    assert all(low <= v <= high for v in values)


def test_an_added_figure_is_drawn_and_captioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line(cohort: Cohort, report: Any) -> Any:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(2, 2))
        figure.subplots().plot([1, 2])
        return figure

    rows = figures.FIGURES
    wanted = figures.Plate("line", lambda report: f"A line & {report['n']} patients.", line)
    never = figures.Plate("never", lambda report: "Nobody", line, lambda cohort, report: False)
    monkeypatch.setattr(figures, "FIGURES", (*rows, wanted, never))
    html = _page(tmp_path, HEAD + "a,41,100,110,0.9,HL\nb,41,90,70,0.7,HL\n")
    assert "A line &amp; 2 patients." in html
    assert "Nobody" not in html
    made = {p.stem for p in (tmp_path / "out").glob("*.svg")}
    assert made == {"boxes", "bland-altman", "correlation", "dice", "line"}
    assert (tmp_path / "out" / "line.png").is_file()


@pytest.mark.parametrize(
    "rows", ["a,41,0,0,,\n", "a,41,5,5,0,\n", "a,41,0,3,0,\nb,41,0,3,0,\n", "a,x,1e9,1e-9,1,\n"]
)
def test_the_page_of_hardly_anything(tmp_path: Path, rows: str) -> None:
    assert "</html>" in _page(tmp_path, HEAD + rows)
