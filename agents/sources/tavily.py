"""Tavily's search of the news and the web. Needs TAVILY_API_KEY."""

from django.conf import settings

from agents.sources.base import MOST_ARTICLES, Article, SourceMissing, articles, fetch


def _search(query: str, topic: str) -> tuple[Article, ...]:
    if not settings.TAVILY_API_KEY:
        raise SourceMissing("TAVILY_API_KEY is not set")
    found = fetch(
        "POST",
        f"{settings.TAVILY_URL}/search",
        headers={"Authorization": f"Bearer {settings.TAVILY_API_KEY}"},
        json={"query": query, "topic": topic, "max_results": MOST_ARTICLES},
    )
    rows = found.get("results") if isinstance(found, dict) else None
    return articles(rows, title="title", url="url", text="content", published="published_date")


class TavilyNews:
    name = "tavily"

    def search(self, query: str) -> tuple[Article, ...]:
        return _search(query, "news")


class TavilyWeb:
    name = "tavily"

    def search(self, query: str) -> tuple[Article, ...]:
        return _search(query, "general")
