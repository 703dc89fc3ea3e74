"""Two readers of one case: what they disagree on is settled in the adjudicator's own journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.review.test_session import two_peaks
from tests.support.cases import make_case
from tmtv_engine.errors import UsageError
from tmtv_engine.review.compare import differences, settle_as, start_from
from tmtv_engine.review.journal import Decision
from tmtv_engine.review.reading import reading_of
from tmtv_engine.review.session import Session, record
from tmtv_engine.review.verify import verify


def reject(*lesions: int, reason: str | None = None) -> Decision:
    return Decision("reject", lesions, reason=reason)


def test_only_what_counts_differently_is_a_disagreement(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    record(case, reject(1, reason="brain"), "A")
    record(case, reject(3), "A")  # a candidate that B left alone: the same voxels count
    record(case, Decision("accept", (2,)), "B")
    (one,) = differences(reading_of(case, "A"), reading_of(case, "B"))
    assert (one.lesion, one.mine.state, one.mine.reason) == (1, "rejected", "brain")
    assert (one.theirs.state, one.theirs.accepted) == ("accepted", (1,))
    assert differences(reading_of(case, "A"), reading_of(case, "A")) == []


def test_an_adjudicator_starts_from_one_reader_and_settles_as_the_other(tmp_path: Path) -> None:
    case = two_peaks(tmp_path)
    record(case, Decision("split", (1,)), "A")
    record(case, reject(2, reason="bladder"), "A")
    record(case, reject(1), "B")
    judge = Session(case, "J")
    assert start_from(judge, "A") == 2
    assert start_from(judge, "A") == 0  # nothing twice
    assert differences(judge.reading, reading_of(case, "A")) == []
    (one,) = differences(judge.reading, reading_of(case, "B"))
    assert (one.mine.state, one.theirs.state) == ("1 of 2 parts", "rejected")
    with pytest.raises(UsageError, match="split otherwise"):
        settle_as(judge, reading_of(case, "B"), 1)
    judge.decide(reject(3))
    assert differences(judge.reading, reading_of(case, "B")) == []
    other = Session(case, "K")
    assert settle_as(other, reading_of(case, "A"), 1).reasons == {2: "bladder"}
    assert differences(other.reading, reading_of(case, "A")) == []
    assert [x.action for x in other.reading.lines] == ["split", "reject"]
    with pytest.raises(UsageError, match="no reader"):
        start_from(Session(case, "L"), "nobody")
    record(case, Decision("note", text="done"), "J")
    assert not [f for f in verify(case.path) if f.failed]
