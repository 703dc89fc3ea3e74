"""What decisions leave behind: no reason of one that was taken back, no parameters of no use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cases import make_case
from tmtv_engine.errors import UsageError
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.line import Action
from tmtv_engine.review.session import record


def test_a_reason_goes_with_the_reject_that_it_was_of(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    assert record(case, Decision(Action.REJECT, (1,), reason="heart"), "AB").reasons == {1: "heart"}
    assert record(case, Decision(Action.ACCEPT, (1,)), "AB").reasons == {}
    assert record(case, Decision(Action.REJECT, (1,)), "AB").reasons == {}


def test_a_merge_takes_no_parameters(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        record(make_case(tmp_path), Decision(Action.MERGE, (1, 2), parameters={"reach": 5}), "AB")
