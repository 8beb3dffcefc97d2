"""A big past by SQL alone: events, orders, executions and model calls, on SQLite and PostgreSQL.

The rows look like the product's and are enough for lists, filters and searches; the events are neither sealed nor
signed. Ids are scrambled so that they begin unlike one another.
"""

import json
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from orders.models import Account

TRADERS = 50
DAYS = 90
TYPES = ("USER_ACTION", "VALIDATION", "VALIDATION", "ORDER", "APPROVAL", "EXECUTION", "ACCESS", "SYSTEM")
ACTIONS = ("chat_request", "input", "output", "order_proposed", "order_approved", "order_filled", "login", "alert")
STATUSES = ("filled", "filled", "filled", "filled", "denied", "declined", "lapsed", "withdrawn")
SYMBOLS = ("AAPL", "MSFT", "NVDA", "KO", "PEP", "F", "INTC", "DIS")
WAITING = 40
HURRY_POSTGRES = ("SET synchronous_commit = off", "SET session_replication_role = replica")
HURRY_SQLITE = ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -600000", "PRAGMA temp_store = MEMORY")


def fill(*, events: int, orders: int) -> None:
    """Put so many in, spread over ninety days until now, of fifty traders."""
    first = _traders()
    with connection.cursor() as cursor:
        for sql in _statements(events=events, orders=orders, first=first):
            cursor.execute(sql)
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
        else:
            cursor.execute("PRAGMA optimize=0x10002")


def hurry() -> None:
    """Let this connection write without what guards against a loss of power, and with memory for the indexes; before
    `fill`, outside of a transaction, on a database that is thrown away."""
    is_postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        for sql in HURRY_POSTGRES if is_postgres else HURRY_SQLITE:
            cursor.execute(sql)


def _traders() -> int:
    """The account's id of the first; the users' ids follow one another, and so do the accounts'."""
    users = User.objects.bulk_create([User(username=f"trader{number}") for number in range(TRADERS)])
    now = timezone.now()
    accounts = [Account(owner=user, cash_usd=Decimal(100_000), opened_at=now - timedelta(days=DAYS)) for user in users]
    return int(Account.objects.bulk_create(accounts)[0].pk)


def _statements(*, events: int, orders: int, first: int) -> list[str]:
    user = User.objects.get(username="trader0").pk
    return [
        _events(events, orders, user),
        _orders(orders, user, first),
        _executions(orders, first),
        _calls(orders, user),
    ]


def _numbers(count: int) -> str:
    if connection.vendor == "postgresql":
        return f"WITH n AS (SELECT generate_series(1, {count}) AS i)"
    return f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"


def _uuid(number: str) -> str:
    """A UUID from a number, the first eight digits scrambled."""
    scrambled = f"(({number}) * 2654435761) % 4294967296"
    if connection.vendor == "postgresql":
        head = f"lpad(to_hex(({number})::bigint * 2654435761 % 4294967296), 8, '0')"
        tail = f"lpad(to_hex(({number})::bigint), 24, '0')"
        return f"({head} || {tail})::uuid"
    return f"printf('%08x%024x', {scrambled}, {number})"


def _at(count: int) -> str:
    """A moment for row i of so many: the last is now."""
    seconds = f"{timezone.now().timestamp():.0f} - ({count} - i) * {DAYS * 86_400 / count:.6f}"
    if connection.vendor == "postgresql":
        return f"to_timestamp({seconds})"
    return f"strftime('%Y-%m-%d %H:%M:%f', {seconds}, 'unixepoch')"


def _pick(values: tuple[str, ...], number: str = "i") -> str:
    whens = " ".join(f"WHEN {place} THEN '{value}'" for place, value in enumerate(values))
    return f"CASE ({number}) % {len(values)} {whens} END"


def _events(count: int, orders: int, user: int) -> str:
    is_postgres = connection.vendor == "postgresql"
    told = '{"from": "proposed", "to": "pending_approval", "symbol": "AAPL", "quantity": "10", "reason": "row '
    details = f"""('{told}' || i || '"}}')"""
    who = f"'user:' || ({user} + i % {TRADERS})"
    kind = f"CASE WHEN i % 500 = 0 THEN 'SAFETY_VIOLATION' ELSE {_pick(TYPES)} END"
    blob = "decode(repeat('7b', 600), 'hex')" if is_postgres else "zeroblob(600)"
    return f"""
        INSERT INTO compliance_complianceevent (event_uuid, ts_utc, retention_class, type, action, severity, outcome,
            actor_pid, on_behalf_of, subject_pid, order_id, thread_id, request_id, details, schema_v, canonical,
            pii_key_id, mac_key_id)
        {_numbers(count)}
        SELECT {_uuid("i + 3000000000")}, {_at(count)}, 'compliance', {kind}, {_pick(ACTIONS)}, 'INFO',
            CASE WHEN i % 100 = 0 THEN 'refused' ELSE 'success' END, {who}, '', {who}, {_uuid(f"1 + i % {orders}")},
            {_uuid(f"2000000000 + i % {orders}")}, 'req-' || i, {details}{"::jsonb" if is_postgres else ""}, 1, {blob},
            '', ''
        FROM n"""


def _orders(count: int, user: int, first: int) -> str:
    is_postgres = connection.vendor == "postgresql"
    check = {"code": "STALE_QUOTE", "severity": "HARD", "passed": True, "limit": "10", "actual": "1", "phase": "P"}
    checks = f"'{json.dumps([check] * 25)}'"
    cast, false, true = ("::jsonb", "false", "true") if is_postgres else ("", "0", "1")
    status = f"CASE WHEN i > {count - WAITING} THEN 'pending_approval' ELSE {_pick(STATUSES)} END"
    return f"""
        INSERT INTO orders_order (id, client_order_id, proposal_key, account_id, maker_id, symbol, side, quantity,
            order_type, time_in_force, payload_sha256, status, version, cum_qty, in_doubt, is_tainted,
            approvals_needed, broker_order_id, broker_status, user_words, rationale, model, quote_source,
            reserve_price_usd, limits_version, checks, snapshot, expires_at, created_at, updated_at)
        {_numbers(count)}
        SELECT {_uuid("i")}, 'nx-' || i, 'fill:' || i, {first} + i % {TRADERS}, {user} + i % {TRADERS},
            {_pick(SYMBOLS)}, 'buy', 10, 'market', 'day', 'x', {status}, 1,
            CASE WHEN ({status}) = 'filled' THEN 10 ELSE 0 END, {false},
            CASE WHEN i % 200 = 0 THEN {true} ELSE {false} END, 1, '', '', 'Buy 10 shares, please',
            'asked for by the trader', 'offline-rules', 'simulated', 231.5, 'firm=1', {checks}{cast},
            '{{}}'{cast}, {_at(count)}, {_at(count)}, {_at(count)}
        FROM n"""


def _executions(count: int, first: int) -> str:
    return f"""
        INSERT INTO orders_execution (exec_id, order_id, account_id, symbol, side, quantity, price_usd, commission_usd,
            broker, executed_at)
        {_numbers(count)}
        SELECT 'fill-' || i, {_uuid("i")}, {first} + i % {TRADERS}, {_pick(SYMBOLS)}, 'buy', 10, 231.5, 0, 'paper',
            {_at(count)}
        FROM n WHERE i % 2 = 0"""


def _calls(count: int, user: int) -> str:
    return f"""
        INSERT INTO agents_modelcall (user_id, agent, provider, model, input_tokens, output_tokens, cached_tokens,
            latency_ms, outcome, cost_usd, at, thread_id, turn_id)
        {_numbers(count)}
        SELECT {user} + i % {TRADERS}, {_pick(("supervisor", "research", "portfolio"))}, '', 'offline-rules', 100, 20,
            0, 3, 'ok', 0, {_at(count)}, {_uuid("i")}, {_uuid("i")}
        FROM n"""
