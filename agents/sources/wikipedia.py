"""The beginnings of Wikipedia's articles. No key."""

from typing import Any
from urllib.parse import quote

from django.conf import settings

from agents.sources.base import MOST_ARTICLES, Article, fetch, moment

AGENT = {"User-Agent": "NexTrade (https://www.mediawiki.org/wiki/API:Etiquette)"}


class Wikipedia:
    name = "wikipedia"

    def search(self, query: str) -> tuple[Article, ...]:
        wanted = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "generator": "search",
            "gsrsearch": query,
            "gsrlimit": str(MOST_ARTICLES),
            "prop": "extracts|info",
            "exintro": "1",
            "explaintext": "1",
            "exlimit": str(MOST_ARTICLES),
        }
        found = fetch("GET", f"{settings.WIKIPEDIA_URL}/w/api.php", params=wanted, headers=AGENT)
        pages = found.get("query", {}).get("pages", []) if isinstance(found, dict) else []
        rows = [page for page in pages if isinstance(page, dict)] if isinstance(pages, list) else []
        best_first = sorted(rows, key=lambda page: page["index"] if isinstance(page.get("index"), int) else 99)
        return tuple(_article(page) for page in best_first[:MOST_ARTICLES])


def _article(page: dict[str, Any]) -> Article:
    title = str(page.get("title") or "")
    return Article(
        title=title,
        url=f"{settings.WIKIPEDIA_URL}/wiki/{quote(title.replace(' ', '_'))}",
        text=str(page.get("extract") or ""),
        published_at=moment(page.get("touched")),
    )
