"""The trader's pages: the talk at `/`, the books, the week.

Everything is rendered here, and works by links and plain forms. Scripts add three things: an answer is streamed while
it is written, what moves is fetched anew (htmx), and figures are drawn (Chart.js).
"""
