"""When the exchange trades: New York hours, its holidays and half days. Source: the `holidays` package's NYSE calendar.

Known well enough for a day order's end and for refusing to trade at night; auctions and extended hours are not known.
"""

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays

NEW_YORK = ZoneInfo("America/New_York")
OPEN, CLOSE, EARLY_CLOSE = time(9, 30), time(16, 0), time(13, 0)


def is_open(at: datetime) -> bool:
    """Whether the exchange's regular session is on at a moment (aware)."""
    local = at.astimezone(NEW_YORK)
    return is_trading_day(local.date()) and OPEN <= local.time() < closing_time(local.date())


def is_trading_day(day: date) -> bool:
    return day.weekday() < 5 and day not in _calendar(day.year)


def next_close(at: datetime) -> datetime:
    """The next end of a session after a moment: what a day order is good until."""
    day = at.astimezone(NEW_YORK).date()
    while True:
        close = datetime.combine(day, closing_time(day), NEW_YORK)
        if is_trading_day(day) and close > at:
            return close.astimezone(at.tzinfo)
        day += timedelta(days=1)


def closing_time(day: date) -> time:
    return EARLY_CLOSE if day in _calendar(day.year, half_days=True) else CLOSE


@cache
def _calendar(year: int, *, half_days: bool = False) -> holidays.HolidayBase:
    categories = ("half_day",) if half_days else ("public",)
    return holidays.financial_holidays("NYSE", years=year, categories=categories)
