"""Yahoo's news, by yfinance: no key, no promise."""

from datetime import UTC, datetime
from typing import Any

from agents.sources.base import MOST_ARTICLES, Article, SourceMissing
from orders.quotes import yahoo


class YahooNews:
    name = "yahoo"

    def search(self, query: str) -> tuple[Article, ...]:
        with yahoo.asking() as (yfinance, session):
            try:
                rows = yfinance.Search(query, max_results=0, news_count=MOST_ARTICLES, session=session).news
                return tuple(_article(row) for row in rows[:MOST_ARTICLES])
            except Exception as error:  # yfinance promises nothing: its own, curl's, KeyError, TypeError
                raise SourceMissing(f"Yahoo gives no news ({type(error).__name__})") from error


def _article(row: dict[str, Any]) -> Article:
    at = row.get("providerPublishTime")
    return Article(
        title=str(row.get("title") or ""),
        url=str(row.get("link") or ""),
        text=str(row.get("summary") or ""),
        published_at=datetime.fromtimestamp(at, UTC) if isinstance(at, int) else None,
    )
