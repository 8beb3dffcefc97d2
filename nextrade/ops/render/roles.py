"""The processes of an installation, one table: every engine that starts them is rendered from it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Role:
    """command: after `.venv/bin/`. stop_s: how long it may take to end well. secrets: of SECRETS, those it needs and
    nobody else is given."""

    name: str
    what: str
    command: str
    stop_s: int
    secrets: tuple[str, ...] = ()


BROKER_KEYS = ("ALPACA_KEY_ID", "ALPACA_SECRET_KEY")
CHANNELS = ("PAGERDUTY_ROUTING_KEY", "SLACK_WEBHOOK_URL", "METRICS_TOKEN")
ROLES = (
    Role(
        name="web",
        what="web pages and API",
        command="gunicorn -c deploy/gunicorn.conf.py nextrade.wsgi",
        stop_s=45,
        secrets=("OPENAI_API_KEY", "METRICS_TOKEN"),
    ),
    Role(
        name="worker",
        what="execution, reconciliation, jobs",
        command="python manage.py worker",
        stop_s=40,
        secrets=("OPENAI_API_KEY", *BROKER_KEYS),
    ),
    Role(name="sealer", what="seals and anchors the trail", command="python manage.py sealer", stop_s=20),
    Role(name="alertd", what="raises alerts", command="python manage.py alertd", stop_s=20, secrets=CHANNELS),
)
