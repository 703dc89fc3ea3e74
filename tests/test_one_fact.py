"""One fact, one table: a line more in one file is found wherever it belongs, without another edit.

Methods, writers, warnings, columns and figures have the like beside their own tests
(`test_an_added_…`).
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.rows import with_line

STATUS = """
import json
from pathlib import Path
from msgspec.structs import replace
from PIL import Image
from tests.support.cases import make_case
from tmtv_engine.case.picture import drawing_order, write_picture
from tmtv_engine.case.record import decode, encode, schema
from tmtv_engine.case.tables import lesions_csv
from tmtv_engine.lesion.origin import Status, page
from tmtv_tui.review.cells import lesion_cells
from tmtv_tui.review.opened import Opened
from tmtv_tui.widgets.lesions import STYLES
from tmtv_tui.widgets.mip import COLOURS

out = Path(sys.argv[1])
case = make_case(out)
one = Opened.of(case.path, "AB")
one.reading.status[1] = Status.UNSURE
first, *others = case.record.lesions
unsure = replace(case.record, lesions=(replace(first, status=Status.UNSURE), *others))
write_picture(out / "mip.png", case.mip(), case.voxels(), unsure)
print(json.dumps({
    "read": decode(encode(unsure), "here").lesions[0].status,
    "schema": schema()["$defs"]["Status"]["enum"],
    "csv": lesions_csv(unsure).splitlines()[1].split(",")[3],
    "drawn": (1, 2, 3) in set(Image.open(out / "mip.png").convert("RGB").getdata()),
    "first": drawing_order(unsure.lesions)[0],
    "cell": lesion_cells(one, "41", 1)[1],
    "screen": COLOURS[Status.UNSURE],
    "style": str(STYLES[Status.UNSURE]),
    "page": page(),
}))
"""


def test_an_added_status_is_read_written_listed_and_drawn(tmp_path: Path) -> None:
    row = 'UNSURE = "unsure", "~", (1, 2, 3), (4, 5, 6), "underline", "waits for another"\n    '
    before = 'REJECTED = "rejected"'
    told = json.loads(with_line("tmtv_engine/lesion/origin.py", before, row, STATUS, tmp_path))
    assert told.pop("page").endswith("| `~` | unsure | waits for another |\n")
    assert told == {
        "read": "unsure",
        "schema": ["accepted", "candidate", "rejected", "unsure"],
        "csv": "unsure",
        "drawn": True,
        "first": 0,
        "cell": "~ unsure",
        "screen": "rgb(4,5,6)",
        "style": "underline",
    }


REASON = """
import asyncio
from pathlib import Path
from tests.support.cases import copied_case
from tests.support.drive import opened, running, text_of
from tmtv_tui.cli.app import main

async def offered(out):
    copied_case(out)
    async with running(out) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("x")
        print(text_of(app).partition("why?")[2])
        await pilot.press("1")
        print(*app.screen.opened.reading.reasons.values())

asyncio.run(offered(Path(sys.argv[1])))
main(["reject", "--help"])
"""


def test_an_added_reason_is_offered_and_taken(tmp_path: Path) -> None:
    path, before = "tmtv_engine/review/reasons.py", 'BRAIN = "brain"'
    said = with_line(path, before, 'TOOTH = "tooth"\n    ', REASON, tmp_path)
    assert said.split()[:4] == ["1", "tooth", "2", "brain"]
    assert "\ntooth\n" in said
    assert "tooth, brain," in said.partition("--reason")[2]


RECIPE = """
from tmtv_tui.cli.app import main
for command in (["train", "--help"], ["train", "nothing.csv", "-o", "out", "--recipe", "other"]):
    main(command)
import dataclasses, json
from tmtv_engine.model.checkpoint import recipe_of
from tmtv_engine.model.recipes import RECIPES
told = json.loads(json.dumps(dataclasses.asdict(RECIPES["quick"])))
print(recipe_of(told) == RECIPES["quick"], RECIPES["quick"].epochs)
from tmtv_engine.train import digital
sys.argv = ["digital", "--help"]
digital.main()
"""


def test_an_added_recipe_can_be_trained_by_and_is_read_back(tmp_path: Path) -> None:
    path, before = "tmtv_engine/model/recipes.py", '"coarse": Recipe('
    row = '"quick": replace(THE_PAPERS, name="quick", epochs=3),\n        '
    said = with_line(path, before, row, RECIPE)
    assert "paper, paper-8mm, quick, coarse, body" in said
    assert "True 3" in said
    assert "{body,body-ct,coarse,paper,paper-8mm,quick}" in said


VENDOR = """
from pathlib import Path
from pydicom import dcmread
from tests.support.cases import make_volume
from tmtv_engine.phantom.dicom import write_patient
from tmtv_engine.study.find import find_studies
from tmtv_engine.study.load import load_study
from tmtv_tui.cli.app import main

out = Path(sys.argv[1])
main(["phantom", "--help"])
suv, _ = make_volume()
write_patient(out, suv, None, vendor="other", weight_kg=70.0)
(study,) = find_studies(out)
read = load_study(study)
header = dcmread(study.pet[0])
print(abs(read.suv.array - suv.array).max() < 2e-3, header.Manufacturer, header.Units)
"""


def test_an_added_vendor_is_a_choice_and_its_counts_are_read(tmp_path: Path) -> None:
    path, before = "tmtv_engine/phantom/vendors.py", '"siemens": Vendor'
    row = '"other": Vendor("Others", "One", count_bqml=2.5),\n        '
    said = with_line(path, before, row, VENDOR, tmp_path)
    assert "ge, other, siemens, philips" in said
    assert said.splitlines()[-1] == "True Others CNTS"


ORDER = """
import asyncio
from pathlib import Path
from tests.support.cases import copied_case
from tests.support.drive import opened, running
from tmtv_tui.widgets.lesions import LesionTable

async def sorted_by(out):
    copied_case(out)
    async with running(out) as (app, pilot):
        await opened(app, pilot)
        await pilot.press("s")
        table = app.screen.query_one(LesionTable)
        print(table.order.by, *table._ids)

asyncio.run(sorted_by(Path(sys.argv[1])))
"""


def test_an_added_order_of_the_list_is_one_key_away(tmp_path: Path) -> None:
    path, before = "tmtv_tui/review/order.py", '"volume": lambda'
    row = '"backwards": lambda o, method, n: (-n,),\n        '
    assert with_line(path, before, row, ORDER, tmp_path).split() == ["backwards", "3", "2", "1"]


STRUCTURE = """
from tmtv_engine.export.sites import ORGANS
from tmtv_engine.lesion.origin import Source, Structure, first_status
from tmtv_engine.model.recipes import RECIPES
from tmtv_tui.review.rules import parse_rule
from tmtv_tui.review.sites import EXTRANODAL

nose = Structure("nose", 0.9, "organs")
print(first_status(Source.MODEL, "vnet", nose), RECIPES["body"].architecture.structures)
print(ORGANS["nose"].meaning, parse_rule("organ=nose")[0].name)
print("nose" in EXTRANODAL)
"""


def test_an_added_structure_is_known_coded_and_taken_by_rules() -> None:
    path, before = "tmtv_engine/lesion/structures.py", '("injection site", True, None)'
    row = '("nose", True, ("45206002", "Nose")),\n            '
    said = with_line(path, before, row, STRUCTURE).split()
    assert said == ["candidate", "22", "Nose", "nose", "True"]
