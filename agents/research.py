"""The research agent: markets and companies. It may only read, and no person's data."""

from agents import tools

NAME = "research"
TOOLS = (
    tools.lookup_symbol,
    tools.get_quote,
    tools.get_price_history,
    tools.get_company_profile,
    tools.search_news,
    tools.search_web,
)
