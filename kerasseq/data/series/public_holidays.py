"""Public holidays as a covariate that is known ahead, by the library `holidays`."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.frequency import Stamps

__all__ = ["check_place", "check_steps", "holiday_feature"]


def check_place(place: str) -> None:
    """Raise an error unless the holidays of a place are known.

    Args:
        place: the code of a country (ISO 3166), such as "DE", or with a subdivision, "DE-BY".

    Raises:
        ModuleNotFoundError: if the package `holidays` is not installed.
        ValueError: if there is no such country or subdivision.
    """
    _holidays(place, [2024])


def check_steps(frequency: str | None, place: str) -> None:
    """Raise a ValueError unless steps are at most a day long.

    Args:
        frequency: a pandas offset alias, or None where steps are counted.
        place: the setting `holidays`, for the error message.

    Example:

    >>> check_steps("h", "DE")
    >>> check_steps("MS", "DE")
    Traceback (most recent call last):
    ValueError: holidays need stamps, at most a day apart, and those of the series have the \
frequency 'MS'. Leave holidays= out. Received: holidays='DE'
    """
    first = pd.Timestamp("2001-01-01")
    # From one business day to the next may be three days.
    days = frequency is not None and first + to_offset(frequency) - first <= pd.Timedelta(days=1)
    if not days:
        have = f"the frequency {frequency!r}" if frequency else "no stamps, but counted steps"
        raise ValueError(
            f"holidays need stamps, at most a day apart, and those of the series have {have}. "
            f"Leave holidays= out. Received: holidays={place!r}"
        )


def holiday_feature(stamps: Stamps, place: str) -> tuple[np.ndarray, list[str]]:
    """Whether stamps are on a public holiday, in their own time zone.

    Args:
        stamps: the stamps of one series.
        place: as for `check_place`.

    Returns:
        float64 (time, 1), 1 or 0, and the name of the column.

    Raises:
        ModuleNotFoundError: if the package `holidays` is not installed.
        ValueError: if there is no such country or subdivision.
    """
    days = stamps.tz_localize(None).normalize()
    known = _holidays(place, [*range(days[0].year, days[-1].year + 1)])
    values = days.isin(pd.DatetimeIndex([*known]))
    return np.asarray(values, dtype=np.float64)[:, None], [f"holiday {place}"]


def _holidays(place: str, years: list[int]) -> Any:
    """The holidays of some years, by day."""
    if find_spec("holidays") is None:
        raise ModuleNotFoundError(
            f"holidays={place!r} needs the package holidays: "
            "python -m pip install 'kerasseq[holidays]'"
        )
    import holidays

    country, _, subdivision = place.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=subdivision or None, years=years)
    except NotImplementedError:
        known = holidays.list_supported_countries()
        within = f"a subdivision of {country}: {', '.join(known.get(country, ()))}"
        expected = within if country in known else "the code of a country, such as 'DE' or 'DE-BY'"
        raise ValueError(f"holidays must be {expected}. Received: holidays={place!r}") from None
