"""The statistics where there is least to tell: none, one, two or three rows, ties, constants.

Expected by hand; Student's t with one degree of freedom is Cauchy's, t(0.975, 1) = tan(0.475 π).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from tmtv_engine.report import stats

T1 = math.tan(0.475 * math.pi)  # 12.706
Z = 1.959963984540054


def row(*values: float) -> npt.NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def fisher(value: float, error: float) -> list[float]:
    """A 95 % interval by Fisher's z."""
    return [math.tanh(math.atanh(value) + side * Z * error) for side in (-1, 1)]


def test_what_is_no_number_is_not_known() -> None:
    assert stats.known([1.0, None, math.nan, math.inf, -math.inf, -2.0]).tolist() == [1.0, -2.0]
    nothing = {"n": 0, **dict.fromkeys(("min", "max", "mean", "sd", "median", "q1", "q3"))}
    assert stats.describe([None, math.nan]) == nothing
    one = {"n": 1, **dict.fromkeys(("min", "max", "mean", "median", "q1", "q3"), 5.0), "sd": None}
    assert stats.describe([5.0]) == one
    assert stats.describe([1.0, 4.0])["sd"] == pytest.approx(math.sqrt(4.5))


def test_t_of_few_pairs() -> None:
    assert stats.paired_t(row(), row()) == {"n": 0, "t": None, "df": None, "p": None}
    assert stats.paired_t(row(1), row(3)) == {"n": 1, "t": None, "df": None, "p": None}
    same = stats.paired_t(row(1, 2, 5), row(3, 4, 7))
    assert same == {"n": 3, "t": None, "df": 2, "p": None}
    assert stats.paired_t(row(1, 2), row(3, 4))["df"] == 1
    two = stats.paired_t(row(1, 1), row(2, 4))  # 1 and 3: mean 2, SD √2
    assert two["t"] == pytest.approx(2.0)
    assert two["df"] == 1
    assert two["p"] == pytest.approx(1 - 2 * math.atan(2) / math.pi)


def test_signed_ranks_of_one_pair() -> None:
    found = stats.wilcoxon(row(1, 5), row(1, 7))
    assert found == {"n": 1, "statistic": 0.0, "p": 1.0}
    assert stats.wilcoxon(row(), row()) == {"n": 0, "statistic": None, "p": None}


def test_correlations_begin_with_three_rows_and_their_intervals_with_four() -> None:
    first, second = row(1, 2, 3, 4), row(1, 3, 2, 4)
    for statistic, key in ((stats.spearman, "rho"), (stats.pearson, "r")):
        two = statistic(first[:2], second[:2])
        assert two == {"n": 2, key: None, "p": None, "ci": None}
        three = statistic(first[:3], second[:3])
        assert three[key] == pytest.approx(0.5)
        assert three["p"] == pytest.approx(2 / 3)  # t = 1/√3 with one degree of freedom
        assert three["ci"] is None
        assert statistic(first, second)[key] == pytest.approx(0.8)
        for one, other in ((row(2, 2, 2, 2), second), (first, row(7, 7, 7, 7))):
            assert statistic(one, other)[key] is None
    assert stats.pearson(first, second)["ci"] == pytest.approx(fisher(0.8, 1.0))
    wide = math.sqrt(1 + 0.8**2 / 2)
    assert stats.spearman(first, second)["ci"] == pytest.approx(fisher(0.8, wide))
    five = stats.pearson(row(1, 2, 3, 4, 5), row(2, 1, 4, 3, 5))  # 8 of 10
    assert five["ci"] == pytest.approx(fisher(0.8, 1 / math.sqrt(2)))


def test_a_perfect_correlation_has_no_interval() -> None:
    first = row(1, 2, 3, 4, 5)
    for sign in (1.0, -1.0):
        for found in (stats.spearman(first, sign * first), stats.pearson(first, sign * first)):
            assert found.get("rho", found.get("r")) == pytest.approx(sign)
            assert found["ci"] is None


def test_a_line_needs_two_rows_that_differ_in_the_first() -> None:
    nothing = {"slope": None, "intercept_ml": None}
    for first, second in ((row(), row()), (row(1), row(2)), (row(3, 3, 3), row(1, 2, 3))):
        assert stats.fitted_line(first, second) == nothing
    two = stats.fitted_line(row(1, 3), row(10, 4))
    assert two == {"slope": pytest.approx(-3.0), "intercept_ml": pytest.approx(13.0)}
    flat = stats.fitted_line(row(1, 3), row(4, 4))
    assert flat == {"slope": pytest.approx(0.0), "intercept_ml": pytest.approx(4.0)}


def test_concordance_of_few_rows() -> None:
    nothing = {"value": None, "ci": None}
    assert stats.ccc(row(), row()) == {"n": 0, **nothing}
    assert stats.ccc(row(1), row(2)) == {"n": 1, **nothing}
    assert stats.ccc(row(4, 4, 4, 4), row(4, 4, 4, 4)) == {"n": 4, **nothing}
    # means 2 and 3, variances 1 and 1, covariance 1: 2 / (1 + 1 + 1)
    assert stats.ccc(row(1, 3), row(2, 4)) == {"n": 2, "value": pytest.approx(2 / 3), "ci": None}
    assert stats.ccc(row(4, 4), row(6, 6)) == {"n": 2, "value": 0.0, "ci": None}
    assert stats.ccc(row(1, 2, 3, 4), row(1, 2, 3, 4))["ci"] is None
    for one, other in ((row(5, 5, 5, 5), row(1, 2, 3, 4)), (row(1, 2, 3, 4), row(5, 5, 5, 5))):
        assert stats.ccc(one, other) == {"n": 4, "value": 0.0, "ci": None}
    assert stats.ccc(row(1, 1, 3, 3), row(1, 3, 1, 3)) == {"n": 4, "value": 0.0, "ci": None}
    assert stats.ccc(row(1, 2, 3), row(1, 3, 2))["ci"] is None


def test_the_interval_of_a_concordance_of_four() -> None:
    """Means 2.5, variances 1.25, covariance 1: r = ccc = 0.8, where Lin's variance is r's."""
    found = stats.ccc(row(1, 2, 3, 4), row(1, 3, 2, 4))
    assert found["value"] == pytest.approx(0.8)
    assert found["ci"] == pytest.approx(fisher(0.8, math.sqrt(1 / 2)))


def test_intraclass_correlation_of_few() -> None:
    nothing = {"value": None, "ci": None}
    assert stats.icc([[1.0, 2.0]]) == {"n": 1, **nothing}
    assert stats.icc([[1.0], [2.0]]) == {"n": 2, **nothing}
    assert stats.icc([[3.0, 3.0], [3.0, 3.0]]) == {"n": 2, **nothing}
    # one judge always one higher: rows 2, columns 1.5, rest 0: 2 / (2 + 2 · 1.5 / 3)
    apart = stats.icc([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])
    assert apart == {"n": 3, "value": pytest.approx(2 / 3), "ci": None}
    # rows 1, 2; columns 1, 2: mean squares 9/4, 1/4, 1/4: (9/4 − 1/4) / (9/4 + 1/4)
    two = stats.icc([[1.0, 1.0], [2.0, 3.0]])
    assert two["value"] == pytest.approx(0.8)
    assert two["ci"] is not None
    close = stats.icc([[1.0, 1 + 1e-9], [2.0, 2 - 1e-9], [3.0, 3 + 1e-9]])
    assert close == {"n": 3, "value": pytest.approx(1.0), "ci": None}


def test_limits_of_few() -> None:
    keys = ("sd_ml", "loa_low_ml", "loa_high_ml", "bias_ci", "loa_low_ci", "loa_high_ci")
    empty = dict.fromkeys(keys)
    assert stats.bland_altman(row(), row()) == {"n": 0, "bias_ml": None, **empty}
    assert stats.bland_altman(row(2), row(5)) == {"n": 1, "bias_ml": 3.0, **empty}
    two = stats.bland_altman(row(1, 1), row(2, 4))  # 1 and 3: mean 2, SD √2, SE 1
    low, high, wide = 2 - 1.96 * math.sqrt(2), 2 + 1.96 * math.sqrt(2), math.sqrt(3) * T1
    assert two == {
        "n": 2,
        "bias_ml": 2.0,
        "sd_ml": pytest.approx(math.sqrt(2)),
        "loa_low_ml": pytest.approx(low),
        "loa_high_ml": pytest.approx(high),
        "bias_ci": pytest.approx([2 - T1, 2 + T1]),
        "loa_low_ci": pytest.approx([low - wide, low + wide]),
        "loa_high_ci": pytest.approx([high - wide, high + wide]),
    }


def test_ratios_of_few() -> None:
    none = {"ratio": None, "low": None, "high": None}
    assert stats.log_limits(row(), row()) == {"n": 0, "left_out": 0, **none}
    assert stats.log_limits(row(0, 3), row(3, 0)) == {"n": 0, "left_out": 2, **none}
    one = stats.log_limits(row(2, 0), row(5, 5))
    assert one == {"n": 1, "left_out": 1, "ratio": pytest.approx(2.5), "low": None, "high": None}
    two = stats.log_limits(row(1, 1), row(2, 8))  # ln 2 and ln 8: mean ln 4, SD √2 ln 2
    reach = 2 ** (1.96 * math.sqrt(2))
    assert two == {
        "n": 2,
        "left_out": 0,
        "ratio": pytest.approx(4.0),
        "low": pytest.approx(4 / reach),
        "high": pytest.approx(4 * reach),
    }


def test_a_ratio_beyond_all_numbers_is_unknown() -> None:
    assert stats.log_limits(row(1e-150), row(1e150))["ratio"] == pytest.approx(1e300, rel=1e-9)
    assert stats.log_limits(row(1e-300), row(1e300))["ratio"] is None


@pytest.mark.parametrize(
    ("first", "second", "count"),
    [
        (0.0, 10.0, 1),
        (0.0, 10.05, 0),
        (99.0, 109.0, 1),
        (99.0, 109.05, 0),
        (1000.0, 1100.0, 1),
        (1000.0, 900.0, 1),
        (1000.0, 1100.5, 0),
        (1000.0, 899.5, 0),
        (300.0, 330.0, 1),
        (0.3, 10.3, 1),  # in binary 10.3 − 0.3 is a little above 10
        (70.0, 77.0, 1),
    ],
)
def test_ten_percent_or_ten_ml_at_their_edges(first: float, second: float, count: int) -> None:
    found = stats.within(row(first), row(second))
    assert found == {"n": 1, "within": count, "share": float(count)}


def test_nothing_is_within_nothing() -> None:
    assert stats.within(row(), row()) == {"n": 0, "within": 0, "share": None}


@pytest.mark.parametrize(
    ("first", "second", "value", "agreement"),
    [
        ((), (), None, None),
        ((300,), (300,), None, 1.0),
        ((300,), (100,), -0.0, 0.0),
        ((300, 250), (400, 260), None, 1.0),
        ((100, 220), (0, 220), None, 1.0),  # the cut-off itself is below
        ((220.5, 220), (220.5, 220), 1.0, 1.0),
        ((300, 300), (300, 100), 0.0, 0.5),
        ((300, 100), (300, 300), 0.0, 0.5),
        ((300, 300), (100, 100), 0.0, 0.0),
        ((300, 100, 300, 100), (300, 100, 100, 300), 0.0, 0.5),
        ((300, 100, 300, 100, 300), (300, 100, 100, 100, 300), 8 / 13, 0.8),
    ],
)
def test_kappa_of_few(
    first: Sequence[float], second: Sequence[float], value: float | None, agreement: float | None
) -> None:
    """The last: 4 of 5 agree, by chance (3·2 + 2·3) / 25 = 12/25: (20 − 12) / (25 − 12)."""
    found = stats.kappa(row(*first), row(*second), 220)
    assert found["n"] == len(first)
    assert found["value"] == (None if value is None else pytest.approx(value, abs=1e-12))
    assert found["agreement"] == agreement
    assert (found["ci"] is None) == (value is None)


def test_a_perfect_kappa_has_no_width() -> None:
    found = stats.kappa(row(300, 100, 250), row(300, 100, 250), 220)
    assert found["ci"] == pytest.approx([1.0, 1.0])


def test_the_bootstrap_is_the_percentiles_of_resampled_pairs() -> None:
    """By numpy alone: rows drawn with replacement, both columns by the same ones."""
    first, second = row(1, 5, 2, 8, 4, 9, 3), row(2, 4, 4, 9, 3, 11, 1)
    found = stats.bootstrap([first, second], stats.difference_of_medians, 7)
    drawn = np.random.default_rng(7).integers(0, 7, (2000, 7))
    values = np.median(second[drawn], axis=1) - np.median(first[drawn], axis=1)
    assert found == pytest.approx(np.percentile(values, [2.5, 97.5]).tolist())
    assert stats.bootstrap([row()], np.median, 7) is None
    assert stats.bootstrap([row(4)], np.median, 7) is None
    assert stats.bootstrap([row(4, 4)], np.median, 7) == [4.0, 4.0]
    few = stats.bootstrap([first], np.mean, 7, resamples=9)
    drawn = np.random.default_rng(7).integers(0, 7, (9, 7))
    assert few == pytest.approx(np.percentile(first[drawn].mean(axis=1), [2.5, 97.5]).tolist())


def test_the_difference_of_medians_is_second_minus_first() -> None:
    assert stats.difference_of_medians(row(1, 2, 9), row(4, 7, 5, 6)) == 3.5
    both = np.array([[1.0, 2.0, 9.0], [3.0, 5.0, 4.0]])
    assert stats.difference_of_medians(both, both + row(1, 2, 3)).tolist() == [2.0, 3.0]


def test_what_varies_by_rounding_alone_is_constant() -> None:
    first = row(1, 2, 3, 4)
    for factor, rho in ((1e-13, None), (1e-11, 1.0)):
        found = stats.spearman(first, 1e6 * (1 + factor * first))
        assert found["rho"] == (None if rho is None else pytest.approx(rho))
        turned = stats.spearman(first, -1e6 * (1 + factor * first))
        assert turned["rho"] == (None if rho is None else pytest.approx(-rho))
