"""The portfolio agent: what is held, and proposals. Its orders wait for a person who is not the one who asked."""

from agents import tools

NAME = "portfolio"
TOOLS = (
    tools.lookup_symbol,
    tools.get_quote,
    tools.get_portfolio,
    tools.get_performance,
    tools.propose_order,
    tools.withdraw_order,
)
