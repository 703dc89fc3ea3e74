"""The report's statistics against pingouin, which is GPL and therefore no dependency of ours.

pip install -e '.[dev,stats-oracles]' && pytest tests/oracles
"""

from __future__ import annotations

import numpy as np
import pytest

from tmtv_engine.report import stats

pg = pytest.importorskip("pingouin", reason="the extra stats-oracles is not installed")
pd = pytest.importorskip("pandas", reason="the extra stats-oracles is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(11)
FIRST = RNG.gamma(1.2, 200, 37)
SECOND = FIRST * RNG.lognormal(0.05, 0.3, 37) + 3


def test_paired_t() -> None:
    told = pg.ttest(SECOND, FIRST, paired=True).iloc[0]
    ours = stats.paired_t(FIRST, SECOND)
    assert ours["t"] == pytest.approx(told["T"], rel=1e-9)
    assert ours["df"] == told["dof"]
    assert ours["p"] == pytest.approx(told.filter(regex="^p").iloc[0], rel=1e-9)


def test_correlations() -> None:
    for ours, method, key in ((stats.spearman, "spearman", "rho"), (stats.pearson, "pearson", "r")):
        told = pg.corr(FIRST, SECOND, method=method).iloc[0]
        assert ours(FIRST, SECOND)[key] == pytest.approx(told["r"], rel=1e-9)


def test_wilcoxon() -> None:
    told = pg.wilcoxon(SECOND, FIRST).iloc[0]
    ours = stats.wilcoxon(FIRST, SECOND)
    assert ours["statistic"] == pytest.approx(told.filter(regex="^W").iloc[0], rel=1e-12)
    assert ours["p"] == pytest.approx(told.filter(regex="^p").iloc[0], rel=1e-9)


def test_icc_and_its_interval() -> None:
    n = len(FIRST)
    table = pd.DataFrame(
        {
            "patient": np.tile(np.arange(n), 2),
            "reader": np.repeat(["a", "b"], n),
            "ml": np.concatenate([FIRST, SECOND]),
        }
    )
    rows = pg.intraclass_corr(table, targets="patient", raters="reader", ratings="ml")
    random = rows[rows["Type"].isin(["ICC2", "ICC(A,1)"])].iloc[0]
    ours = stats.icc(np.stack([FIRST, SECOND], axis=1))
    assert ours["value"] == pytest.approx(random["ICC"], rel=1e-9)
    interval = random.filter(regex="^CI").iloc[0]
    assert ours["ci"] == pytest.approx(list(interval), abs=0.005)  # pingouin rounds it
