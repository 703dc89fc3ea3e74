"""The statistics against published worked examples, other libraries and their own laws."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmtv_engine.report import stats

# Bland and Altman, Lancet i (1986) 307, table 1: first readings of the two meters, L/min
LARGE = np.array(
    [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427.0]
)
MINI = np.array(
    [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451.0]
)
# Shrout and Fleiss, Psychol. Bull. 86 (1979) 420, table 2: six targets, four judges
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]


def test_bland_and_altmans_meters() -> None:
    found = stats.bland_altman(MINI, LARGE)
    assert found["n"] == 17
    assert found["bias_ml"] == pytest.approx(-36 / 17, abs=1e-12)
    assert round(found["bias_ml"], 1) == -2.1
    assert round(found["sd_ml"], 1) == 38.8
    # the paper rounds before it goes on: -79.7 and 75.5 with 2 SD, -22.0 to 17.8 for the bias
    assert found["loa_low_ml"] == pytest.approx(-36 / 17 - 1.96 * found["sd_ml"], abs=1e-12)
    assert found["bias_ci"] == pytest.approx([-22.0, 17.8], abs=0.1)
    half = (found["loa_low_ci"][1] - found["loa_low_ci"][0]) / 2
    assert half == pytest.approx(34.6, abs=0.1)  # -114.3 to -45.1
    assert stats.bland_altman(LARGE, MINI)["bias_ml"] == pytest.approx(36 / 17, abs=1e-12)


def test_bland_and_altmans_correlation() -> None:
    assert round(stats.pearson(LARGE, MINI)["r"], 2) == 0.94


def test_shrout_and_fleiss() -> None:
    found = stats.icc(JUDGES)
    assert round(found["value"], 2) == 0.29
    # R: psych::ICC and irr::icc(model = "twoway", type = "agreement") of the same table
    assert found["value"] == pytest.approx(0.2897638, abs=1e-6)
    assert found["ci"] == pytest.approx([0.0187865, 0.7610844], abs=1e-5)


def test_lin_by_hand() -> None:
    first, second = np.array([1.0, 2, 3, 4, 5]), np.array([1.1, 1.9, 3.4, 4.2, 5.9])
    covariance = sum((a - 3) * (b - 3.3) for a, b in zip(first, second, strict=True)) / 5
    value = 2 * covariance / (2 + sum((b - 3.3) ** 2 for b in second) / 5 + 0.3**2)
    found = stats.ccc(first, second)
    assert found["value"] == pytest.approx(value, abs=1e-12)
    # the form in DescTools::CCC: the standard error of ccc itself, carried to Fisher's z
    r, u = np.corrcoef(first, second)[0, 1], -0.3 / math.sqrt(first.std() * second.std())
    variance = (1 - r**2) * value**2 * (1 - value**2) / r**2
    variance += 2 * value**3 * (1 - value) * u**2 / r - 0.5 * value**4 * u**4 / r**2
    error = math.sqrt(variance / 3) / (1 - value**2)
    reach = [math.tanh(math.atanh(value) + s * 1.959963984540054 * error) for s in (-1, 1)]
    assert found["ci"] == pytest.approx(reach, abs=1e-9)


def test_describe_by_hand() -> None:
    found = stats.describe([4.0, None, 1.0, math.nan, 2.0, 3.0])
    assert found == {
        "n": 4,
        "min": 1.0,
        "max": 4.0,
        "mean": 2.5,
        "sd": pytest.approx(math.sqrt(5 / 3)),
        "median": 2.5,
        "q1": 1.75,
        "q3": 3.25,
    }


def test_t_by_hand() -> None:
    # R: t.test(extra ~ group, data = sleep, paired = TRUE): t = -4.0621, df = 9, p = 0.002833
    drug1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    drug2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = stats.paired_t(drug1, drug2)
    change = drug2 - drug1
    assert found["t"] == pytest.approx(change.mean() / change.std(ddof=1) * math.sqrt(10))
    assert (round(found["t"], 4), found["df"], round(found["p"], 6)) == (4.0621, 9, 0.002833)


def test_wilcoxon_by_hand() -> None:
    # differences 1, -2, 3, 4, 5: W- = 2, P(W <= 2) = 3 of 32, twice
    first = np.zeros(6)
    found = stats.wilcoxon(first, np.array([1.0, -2, 3, 4, 5, 0]))
    assert found == {"n": 5, "statistic": 2.0, "p": pytest.approx(6 / 32)}


def test_spearman_by_hand() -> None:
    first = np.array([1.0, 2, 3, 4, 5, 6])
    second = np.array([2.0, 1, 4, 3, 6, 50])
    found = stats.spearman(first, second)
    ranks = np.array([2.0, 1, 4, 3, 5, 6])
    rho = 1 - 6 * float(((first - ranks) ** 2).sum()) / (6 * 35)
    assert found["rho"] == pytest.approx(rho, abs=1e-12)
    error = math.sqrt((1 + rho**2 / 2) / 3)
    low = math.tanh(math.atanh(rho) - 1.959963984540054 * error)
    assert found["ci"][0] == pytest.approx(low, abs=1e-12)


def test_log_limits_by_hand() -> None:
    found = stats.log_limits(np.array([1.0, 1, 1, 0]), np.array([2.0, 8, 4, 5]))
    assert (found["n"], found["left_out"]) == (3, 1)
    assert found["ratio"] == pytest.approx(4.0)
    assert found["high"] == pytest.approx(4 * 2**1.96)
    assert found["low"] == pytest.approx(4 / 2**1.96)


def test_ten_percent_or_ten_ml() -> None:
    reference = np.array([100.0, 100, 1000, 1000, 0, 0, 50])
    predicted = np.array([110.0, 111, 1100, 1101, 10, 10.5, 60])
    found = stats.within(reference, predicted)
    assert found == {"n": 7, "within": 4, "share": pytest.approx(4 / 7)}


def test_kappa_against_scikit_learn() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(3)
    first = rng.gamma(1.5, 200, 61)
    second = first * rng.lognormal(0, 0.5, 61)
    found = stats.kappa(first, second, 220)
    assert found["value"] == pytest.approx(cohen_kappa_score(first > 220, second > 220), abs=1e-12)
    assert found["ci"][0] < found["value"] < found["ci"][1]


@pytest.mark.parametrize(
    ("table", "value", "low", "high"),
    [  # statsmodels 0.15.0, cohens_kappa(table): kappa, kappa_low, kappa_upp
        ([[20, 5], [10, 15]], 0.3999999999999999, 0.151092290476661, 0.6489077095233389),
        ([[7, 0], [3, 41]], 0.7895460797799174, 0.5636842273804967, 1.0154079321793381),
        ([[0, 4], [9, 0]], -0.7422680412371133, -1.3280970881678247, -0.15643899430640196),
    ],
)
def test_kappa_s_interval(table: list[list[int]], value: float, low: float, high: float) -> None:
    (a, b), (c, d) = table
    first = np.repeat([300.0, 300, 100, 100], [a, b, c, d])
    second = np.repeat([300.0, 100, 300, 100], [a, b, c, d])
    found = stats.kappa(first, second, 220)
    assert found["value"] == pytest.approx(value, abs=1e-12)
    assert found["ci"] == pytest.approx([low, high], abs=1e-12)


def test_icc_against_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(5)
    first = rng.gamma(2, 100, 23)
    second = 1.1 * first + rng.normal(0, 20, 23)
    import pandas as pd
    from statsmodels.api import stats as sm
    from statsmodels.formula.api import ols

    long = pd.DataFrame(
        {
            "y": np.concatenate([first, second]),
            "who": np.tile(np.arange(23), 2),
            "by": np.repeat([0, 1], 23),
        }
    )
    table = sm.anova_lm(ols("y ~ C(who) + C(by)", data=long).fit())
    rows, cols, rest = (table["sum_sq"] / table["df"])[["C(who)", "C(by)", "Residual"]]
    value = (rows - rest) / (rows + rest + 2 * (cols - rest) / 23)
    assert stats.icc(np.stack([first, second], 1))["value"] == pytest.approx(value, abs=1e-9)


def test_the_bootstrap_is_seeded() -> None:
    row = np.random.default_rng(0).normal(0.7, 0.1, 40)
    once, again = (stats.bootstrap([row], np.median, 1) for _ in range(2))
    assert once == again
    assert once is not None
    assert once != stats.bootstrap([row], np.median, 2)
    assert once[0] < float(np.median(row)) < once[1]


PAIRED: list[Callable[..., Any]] = [
    stats.paired_t,
    stats.wilcoxon,
    stats.spearman,
    stats.pearson,
    stats.fitted_line,
    stats.ccc,
    stats.bland_altman,
    stats.log_limits,
    stats.within,
    lambda a, b: stats.kappa(a, b, 220),
    lambda a, b: stats.icc(np.stack([a, b], axis=1)),
]
VOLUMES = st.floats(0, 1e5) | st.sampled_from([0.0, 1.0, 220.0, 1e-300, 1e12])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VOLUMES, VOLUMES), max_size=12))
def test_nothing_is_ever_nan(pairs: list[tuple[float, float]]) -> None:
    both = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    for statistic in PAIRED:
        json.dumps(statistic(both[:, 0], both[:, 1]), allow_nan=False)
    json.dumps(stats.describe(both[:, 0]), allow_nan=False)


@pytest.mark.parametrize("column", [np.zeros(5), np.full(5, 0.1), np.array([7.0])])
def test_constant_columns_are_unknown(column: Any) -> None:
    assert stats.paired_t(column, column)["p"] is None
    assert stats.wilcoxon(column, column)["p"] is None
    assert stats.spearman(column, column)["rho"] is None
    assert stats.pearson(column, column)["r"] is None
    assert stats.icc(np.stack([column, column], 1))["value"] is None
    assert stats.kappa(column, column, 220)["value"] is None


def test_raters_who_turn_every_pair_about_have_an_icc_without_an_interval() -> None:
    """Rows and columns have equal means: MSR = MSC = 0, MSE = 2/3, hence (0 - 2/3) / (1/3)."""
    found = stats.icc(np.array([[0, 1], [0, 1], [1, 0], [1, 0]]))
    assert found["value"] == pytest.approx(-2)
    assert found["ci"] is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 1e4)), min_size=3, max_size=20))
def test_swapping_the_sides_turns_the_difference(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    one, two = stats.bland_altman(a, b), stats.bland_altman(b, a)
    assert one["bias_ml"] == pytest.approx(-two["bias_ml"], abs=1e-9)
    assert one["loa_low_ml"] == pytest.approx(-two["loa_high_ml"], abs=1e-6)
    ratio, back = stats.log_limits(a, b)["ratio"], stats.log_limits(b, a)["ratio"]
    assert ratio * back == pytest.approx(1)
