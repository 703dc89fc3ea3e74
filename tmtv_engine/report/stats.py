"""Two columns of numbers, measured against each other. What cannot be known is None, never NaN.

The difference is always the second column minus the first: predicted minus reference. SciPy does
the statistics; written out here is what it lacks, with its source. Plain numbers in, plain
dictionaries out, in the keys of ``tmtv.report/1``.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

Row = npt.NDArray[np.float64]
Values = Iterable[float | None] | Row
Numbers = dict[str, Any]
Interval = list[float] | None

LIMIT_SD = 1.96
NORMAL_95 = 1.959963984540054
RESAMPLES = 2000


def known(values: Values) -> Row:
    """The values that are finite numbers, (n,)."""
    row = np.array([math.nan if v is None else float(v) for v in values], dtype=np.float64)
    return row[np.isfinite(row)]


def describe(values: Values) -> Numbers:
    """n, mean, SD (ddof 1), median, quartiles (linear interpolation), min and max."""
    row = known(values)
    keys = ("min", "max", "mean", "sd", "median", "q1", "q3")
    if not len(row):
        return {"n": 0, **dict.fromkeys(keys)}
    q1, median, q3 = np.percentile(row, [25, 50, 75])
    told = (row.min(), row.max(), row.mean(), _sd(row), median, q1, q3)
    return {"n": len(row), **{k: _finite(v) for k, v in zip(keys, told, strict=True)}}


def paired_t(first: Row, second: Row) -> Numbers:
    """Student's t for pairs; None where fewer than two pairs or all differ by the same."""
    from scipy.stats import ttest_rel

    n = len(first)
    if n < 2 or _constant(second - first):
        return {"n": n, "t": None, "df": n - 1 if n > 1 else None, "p": None}
    with _quiet():
        found = ttest_rel(second, first)
    return {"n": n, "t": _finite(found.statistic), "df": n - 1, "p": _finite(found.pvalue)}


def wilcoxon(first: Row, second: Row) -> Numbers:
    """Wilcoxon's signed ranks, pairs without a difference dropped; None where none is left."""
    from scipy.stats import wilcoxon as signed_ranks

    change = second - first
    left = int(np.count_nonzero(change))
    if not left:
        return {"n": 0, "statistic": None, "p": None}
    with _quiet():
        found = signed_ranks(change)
    return {"n": left, "statistic": _finite(found.statistic), "p": _finite(found.pvalue)}


def spearman(first: Row, second: Row) -> Numbers:
    """Spearman's rho, p and a 95 % interval (Bonett and Wright, Psychometrika 65 (2000) 23)."""
    from scipy.stats import spearmanr

    n = len(first)
    if n < 3 or _constant(first) or _constant(second):
        return {"n": n, "rho": None, "p": None, "ci": None}
    with _quiet():
        found = spearmanr(first, second)
    rho = _finite(found.statistic)
    ci = None if rho is None or n < 4 else _fisher(rho, math.sqrt((1 + rho**2 / 2) / (n - 3)))
    return {"n": n, "rho": rho, "p": _finite(found.pvalue), "ci": ci}


def pearson(first: Row, second: Row) -> Numbers:
    """Pearson's r, p and a 95 % interval by Fisher's z."""
    from scipy.stats import pearsonr

    n = len(first)
    if n < 3 or _constant(first) or _constant(second):
        return {"n": n, "r": None, "p": None, "ci": None}
    with _quiet():
        found = pearsonr(first, second)
    r = _finite(found.statistic)
    ci = None if r is None or n < 4 else _fisher(r, 1 / math.sqrt(n - 3))
    return {"n": n, "r": r, "p": _finite(found.pvalue), "ci": ci}


def fitted_line(first: Row, second: Row) -> Numbers:
    """The least-squares line of the second on the first; None where the first is constant."""
    if len(first) < 2 or _constant(first):
        return {"slope": None, "intercept_ml": None}
    from scipy.stats import linregress

    with _quiet():
        found = linregress(first, second)
    return {"slope": _finite(found.slope), "intercept_ml": _finite(found.intercept)}


def ccc(first: Row, second: Row) -> Numbers:
    """Lin's concordance and its 95 % interval (Biometrics 45 (1989) 255; corrected 56 (2000) 324).

    Variances have ddof 0, as Lin's. None where both columns are constant and equal, or n < 2.
    """
    n = len(first)
    means = float(first.mean() - second.mean()) if n else 0.0
    v1, v2 = (float(first.var()), float(second.var())) if n else (0.0, 0.0)
    below = v1 + v2 + means**2
    if n < 2 or not below or not math.isfinite(below):
        return {"n": n, "value": None, "ci": None}
    covariance = float(np.mean((first - first.mean()) * (second - second.mean())))
    value = 2 * covariance / below
    return {"n": n, "value": value, "ci": _ccc_interval(value, covariance, v1, v2, means, n)}


def _ccc_interval(
    value: float, covariance: float, v1: float, v2: float, means: float, n: int
) -> Interval:
    if n < 4 or v1 == 0 or v2 == 0 or covariance == 0 or abs(value) >= 1:
        return None
    r = covariance / math.sqrt(v1 * v2)
    u2 = means**2 / math.sqrt(v1 * v2)
    rest = 1 - value**2
    variance = (
        (1 - r**2) * value**2 / (rest * r**2)
        + 2 * value**3 * (1 - value) * u2 / (r * rest**2)
        - value**4 * u2**2 / (2 * r**2 * rest**2)
    ) / (n - 2)
    return _fisher(value, math.sqrt(variance)) if variance > 0 else None


def icc(columns: Sequence[Sequence[float]] | Row) -> Numbers:
    """ICC(2,1), two-way random, absolute agreement, single rater; (n, k) ratings.

    Shrout and Fleiss, Psychol. Bull. 86 (1979) 420; interval: McGraw and Wong, Psychol. Methods 1
    (1996) 30. None where fewer than two subjects or nothing varies.
    """
    x = np.asarray(columns, dtype=np.float64)
    n, k = x.shape
    if n < 2 or k < 2 or _constant(x.ravel()):
        return {"n": n, "value": None, "ci": None}
    grand = x.mean()
    rows, cols = x.mean(axis=1), x.mean(axis=0)
    ms_rows = k * float(((rows - grand) ** 2).sum()) / (n - 1)
    ms_cols = n * float(((cols - grand) ** 2).sum()) / (k - 1)
    rest = x - rows[:, None] - cols[None, :] + grand
    ms_rest = float((rest**2).sum()) / ((n - 1) * (k - 1))
    below = ms_rows + (k - 1) * ms_rest + k * (ms_cols - ms_rest) / n
    value = _finite((ms_rows - ms_rest) / below) if below else None
    ci = None if value is None else _icc_interval(value, ms_rows, ms_cols, ms_rest, n, k)
    return {"n": n, "value": value, "ci": ci}


def _icc_interval(value: float, rows: float, cols: float, rest: float, n: int, k: int) -> Interval:
    from scipy.stats import f as fisher

    if rest <= 1e-12 * max(rows, cols):
        return None
    ratio = cols / rest
    share = n * (1 + (k - 1) * value) - k * value
    above = (k - 1) * (n - 1) * (k * value * ratio + share) ** 2
    below = (n - 1) * k**2 * value**2 * ratio**2 + share**2
    if not below:  # the freedom is 0 / 0, of two raters who turn every pair about, say
        return None
    freedom = above / below
    low_f = float(fisher.ppf(0.975, n - 1, freedom))
    high_f = float(fisher.ppf(0.975, freedom, n - 1))
    common = k * cols + (k * n - k - n) * rest
    low = n * (rows - low_f * rest) / (low_f * common + n * rows)
    high = n * (high_f * rows - rest) / (common + n * high_f * rows)
    return _interval(low, high)


def bland_altman(first: Row, second: Row) -> Numbers:
    """Bias and limits (1.96 SD, ddof 1) with 95 % intervals.

    Bland and Altman, Lancet i (1986) 307: a limit's standard error is sqrt(3 / n) SD.
    """
    keys = ("bias_ml", "sd_ml", "loa_low_ml", "loa_high_ml", "bias_ci", "loa_low_ci", "loa_high_ci")
    change = second - first
    n = len(change)
    if n < 2:
        bias = _finite(change[0]) if n else None
        return {"n": n, **dict.fromkeys(keys), "bias_ml": bias}
    from scipy.stats import t as student

    bias, sd = float(change.mean()), float(change.std(ddof=1))
    reach = float(student.ppf(0.975, n - 1)) * sd / math.sqrt(n)
    low, high = bias - LIMIT_SD * sd, bias + LIMIT_SD * sd
    wide = math.sqrt(3) * reach
    told = (
        *map(_finite, (bias, sd, low, high)),
        _interval(bias - reach, bias + reach),
        _interval(low - wide, low + wide),
        _interval(high - wide, high + wide),
    )
    return {"n": n, **dict(zip(keys, told, strict=True))}


def log_limits(first: Row, second: Row) -> Numbers:
    """Geometric mean and limits of second / first, from pairs that are both above 0."""
    both = (first > 0) & (second > 0)
    ratio = np.log(second[both]) - np.log(first[both])
    n, left_out = len(ratio), int(len(first) - np.count_nonzero(both))
    if n < 2:
        only = _exp(float(ratio[0])) if n else None
        return {"n": n, "left_out": left_out, "ratio": only, "low": None, "high": None}
    mean, reach = float(ratio.mean()), LIMIT_SD * float(ratio.std(ddof=1))
    told = (_exp(mean), _exp(mean - reach), _exp(mean + reach))
    return {
        "n": n,
        "left_out": left_out,
        **dict(zip(("ratio", "low", "high"), told, strict=True)),
    }


def within(first: Row, second: Row, share: float = 0.1, ml: float = 10.0) -> Numbers:
    """How many pairs lie within 10 % of the first or 10 mL (the international benchmark's rule)."""
    n = len(first)
    # 110 against 100 is within 10 %, though 0.1 · 100 and 110 − 100 are rounded in binary
    allowed = np.maximum(share * first, ml) * (1 + 1e-12)
    count = int(np.count_nonzero(np.abs(second - first) <= allowed))
    return {"n": n, "within": count, "share": count / n if n else None}


def kappa(first: Row, second: Row, cutoff_ml: float) -> Numbers:
    """Cohen's kappa of "above the cut-off" (strictly), its 95 % interval and plain agreement.

    The interval's variance: Fleiss, Cohen and Everitt, Psychol. Bull. 72 (1969) 323, eq. 13.
    None where both columns lie wholly on one side, for then chance explains everything.
    """
    n = len(first)
    one, two = first > cutoff_ml, second > cutoff_ml
    agree = float(np.mean(one == two)) if n else None
    if not n or ((one == one[0]).all() and (two == one[0]).all()):
        return {"n": n, "value": None, "ci": None, "agreement": agree}
    sides = (True, False)
    shares = np.array([[np.mean((one == a) & (two == b)) for b in sides] for a in sides])
    value, error = _kappa(shares, n)
    ci = _interval(value - NORMAL_95 * error, value + NORMAL_95 * error)
    return {"n": n, "value": _finite(value), "ci": ci, "agreement": agree}


def _kappa(shares: Row, n: int) -> tuple[float, float]:
    """Kappa and its standard error, of the shares of ``n`` pairs in each field."""
    by_one, by_two, same = shares.sum(axis=1), shares.sum(axis=0), float(np.trace(shares))
    chance = float(by_one @ by_two)
    apart = shares * (by_two[:, None] + by_one[None, :]) ** 2
    variance = (
        (np.diag(shares) * (1 - chance - (by_one + by_two) * (1 - same)) ** 2).sum()
        + (1 - same) ** 2 * (apart.sum() - np.trace(apart))
        - (same * chance - 2 * chance + same) ** 2
    ) / ((1 - chance) ** 4 * n)
    return (same - chance) / (1 - chance), math.sqrt(max(float(variance), 0.0))


def bootstrap(
    columns: Sequence[Row], statistic: Callable[..., Any], seed: int, resamples: int = RESAMPLES
) -> Interval:
    """A 95 % percentile interval of ``statistic(*columns, axis=-1)``, resampled in pairs.

    The same seed gives the same interval; None with fewer than two rows.
    """
    from scipy.stats import bootstrap as resample

    n = len(columns[0])
    if n < 2:
        return None
    with _quiet():
        found = resample(
            tuple(columns),
            statistic,
            paired=True,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, 2_000_000 // n),
            method="percentile",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    return _interval(found.low, found.high)


def difference_of_medians(first: Row, second: Row, axis: int = -1) -> Any:
    """Median of the second minus median of the first, as the paper compares them (3.4)."""
    return np.median(second, axis=axis) - np.median(first, axis=axis)


def _sd(row: Row) -> float:
    return float(row.std(ddof=1)) if len(row) > 1 else math.nan


def _constant(row: Row) -> bool:
    """Whether nothing varies beyond rounding."""
    if not len(row):
        return True
    return bool(np.ptp(row) <= 1e-12 * np.abs(row).max())


def _fisher(value: float, error: float) -> Interval:
    """None where ``value`` is 1 or −1 but for rounding."""
    if abs(value) >= 1 - 1e-12 or not math.isfinite(error):
        return None
    middle = math.atanh(value)
    reach = NORMAL_95 * error
    return _interval(math.tanh(middle - reach), math.tanh(middle + reach))


def _exp(value: float) -> float | None:
    with np.errstate(over="ignore"):
        return _finite(np.exp(value))


def _interval(low: float, high: float) -> Interval:
    return [float(low), float(high)] if math.isfinite(low) and math.isfinite(high) else None


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Small samples make SciPy warn; what it then cannot tell comes out as None."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
