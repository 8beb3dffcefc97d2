"""The database agent: the person's own orders, fills and positions. It may only read."""

from agents import tools

NAME = "database"
TOOLS = (tools.list_orders, tools.get_order, tools.get_positions, tools.list_executions)
