"""The report's statistics against pingouin's."""

from __future__ import annotations

import numpy as np
import pytest

from tests.oracles.programs import live, pingouin_says, pinned, two_columns
from tmtv_engine.report import stats

SAID = pinned()["pingouin"]
FIRST, SECOND = two_columns()


def test_paired_t() -> None:
    ours = stats.paired_t(FIRST, SECOND)
    assert [ours["t"], ours["df"], ours["p"]] == pytest.approx(SAID["t"], rel=1e-9)


def test_correlations() -> None:
    assert stats.spearman(FIRST, SECOND)["rho"] == pytest.approx(SAID["spearman"], rel=1e-9)
    assert stats.pearson(FIRST, SECOND)["r"] == pytest.approx(SAID["pearson"], rel=1e-9)


def test_wilcoxon() -> None:
    ours = stats.wilcoxon(FIRST, SECOND)
    assert [ours["statistic"], ours["p"]] == pytest.approx(SAID["wilcoxon"], rel=1e-9)


def test_icc_and_its_interval() -> None:
    ours = stats.icc(np.stack([FIRST, SECOND], axis=1))
    assert ours["value"] == pytest.approx(SAID["icc"], rel=1e-9)
    assert ours["ci"] == pytest.approx(SAID["icc_ci"], abs=0.005)  # pingouin rounds it


@live
@pytest.mark.filterwarnings("ignore")
def test_it_still_says_so() -> None:
    told = pingouin_says()
    assert told == {key: pytest.approx(value, rel=1e-9) for key, value in SAID.items()}
