"""The desk in the admin; each module registers its own."""

from orders.admin import agreements, books, breaks, limits, queue, states

__all__ = ["agreements", "books", "breaks", "limits", "queue", "states"]
