"""Combinations of settings that must not start."""

import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from agents.sources import NEWS, WEB
from nextrade.ops import components, metrics
from nextrade.ops.alerting import MODES
from nextrade.ops.setup import GROUPS
from orders.brokers import BROKERS
from orders.quotes import PROVIDERS


@register()
def settings_fit(**_: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    if settings.BROKER not in BROKERS:
        problems.append(Error(f"NEXTRADE_BROKER must be one of {', '.join(BROKERS)}", id="nextrade.E001"))
    if settings.QUOTES not in PROVIDERS:
        problems.append(Error(f"NEXTRADE_QUOTES must be one of {', '.join(PROVIDERS)}", id="nextrade.E002"))
    if settings.LOG_FORMAT not in ("text", "json"):
        problems.append(Error("LOG_FORMAT must be text or json", id="nextrade.E003"))
    if settings.LOG_ROTATION not in ("time", "size", "none"):
        problems.append(Error("LOG_ROTATION must be time, size or none", id="nextrade.E023"))
    if int(str(settings.Q_CLUSTER["retry"])) <= int(str(settings.Q_CLUSTER["timeout"])):
        problems.append(Error("the queue's retry must be above its timeout, or tasks run twice", id="nextrade.E004"))
    if settings.COMPLIANCE_YEARS < 3:
        problems.append(Error("NEXTRADE_COMPLIANCE_YEARS must be 3 or more", id="nextrade.E010"))
    return [
        *problems,
        *_alpaca_fits(),
        *_sources_fit(),
        *_health_checks_fit(),
        *_backups_fit(),
        *_metrics_fit(),
        *_provider_fits(),
    ]


def _metrics_fit() -> Iterator[CheckMessage]:
    try:
        metrics.allowed()
    except ValueError as error:
        yield Error(f"NEXTRADE_METRICS_ALLOW must be networks such as 10.0.0.0/8: {error}", id="nextrade.E022")


def _health_checks_fit() -> Iterator[CheckMessage]:
    """Each is a dotted path of a check and its options, and its component's name is nobody else's."""
    try:
        names = [check.component for check in components.installed()]
    except (ImportError, TypeError, ValueError, AttributeError) as error:
        yield Error(f"HEALTH_CHECKS must be a JSON list of [dotted path, options]: {error}", id="nextrade.E020")
        return
    if len(set(names)) < len(names) or not all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in names):
        yield Error(f"HEALTH_CHECKS needs names of a-z, 0-9 and _, each once: {names}", id="nextrade.E021")


def _backups_fit() -> Iterator[CheckMessage]:
    if settings.BACKUP_KEYS_DIR.is_relative_to(settings.BACKUP_DIR):
        yield Error("NEXTRADE_BACKUP_KEYS_DIR lies within BACKUP_DIR: keys go apart", id="nextrade.E030")
    if set(settings.BACKUP_OFFSITE) & set(settings.BACKUP_KEYS_OFFSITE):
        yield Error("one place off-site may not take both data and keys", id="nextrade.E031")
    if (settings.BACKUP_OFFSITE or settings.BACKUP_KEYS_OFFSITE) and not settings.BACKUP_RECIPIENTS:
        yield Error("nothing leaves unencrypted: set NEXTRADE_BACKUP_RECIPIENTS", id="nextrade.E032")


def _provider_fits() -> Iterator[CheckMessage]:
    if not settings.OIDC_ISSUER:
        return
    ends = ("AUTHORIZATION", "TOKEN", "USER", "JWKS")
    wanted = ("OIDC_RP_CLIENT_ID", "OIDC_RP_CLIENT_SECRET", *(f"OIDC_OP_{end}_ENDPOINT" for end in ends))
    missing = [name for name in wanted if not getattr(settings, name)]
    if missing:
        yield Error(f"NEXTRADE_OIDC_ISSUER needs {', '.join(missing)} too", id="nextrade.E014")
    unknown = set(settings.OIDC_GROUPS.values()) - set(GROUPS)
    if unknown or not settings.OIDC_GROUPS:
        yield Error(f"NEXTRADE_OIDC_GROUPS maps to {', '.join(GROUPS)}", id="nextrade.E015")
    if not settings.OIDC_RP_SIGN_ALGO.startswith(("RS", "ES")):
        yield Error("OIDC_RP_SIGN_ALGO is one with a public key: RS256 or ES256", id="nextrade.E016")


def _sources_fit() -> Iterator[CheckMessage]:
    if settings.NEWS not in ("none", *NEWS):
        yield Error(f"NEXTRADE_NEWS must be none or one of {', '.join(NEWS)}", id="nextrade.E011")
    if settings.WEB not in ("none", *WEB):
        yield Error(f"NEXTRADE_WEB must be none or one of {', '.join(WEB)}", id="nextrade.E012")
    if "tavily" in (settings.NEWS, settings.WEB) and not settings.TAVILY_API_KEY:
        yield Error("Tavily needs TAVILY_API_KEY", id="nextrade.E013")


def _alpaca_fits() -> Iterator[CheckMessage]:
    has_keys = bool(settings.ALPACA_KEY_ID.strip() and settings.ALPACA_SECRET_KEY.strip())
    if "alpaca" in (settings.BROKER, settings.QUOTES) and not has_keys:
        yield Error("Alpaca needs ALPACA_KEY_ID and ALPACA_SECRET_KEY", id="nextrade.E005")
    if settings.BROKER == "paper" and settings.ALPACA_BASE_URL == "https://paper-api.alpaca.markets":
        return
    from orders.brokers.alpaca import mode_of  # its HTTP client takes a tenth of a second

    if mode_of(settings.ALPACA_BASE_URL) == "live" and settings.LIVE_TRADING != "yes":
        yield Error(
            "ALPACA_BASE_URL is for real money: set NEXTRADE_LIVE_TRADING=yes too, or the paper address",
            id="nextrade.E006",
        )


@register()
def alerting_fits(**_: Any) -> list[CheckMessage]:
    if settings.ALERTING in MODES:
        return []
    return [Error(f"NEXTRADE_ALERTING must be one of {', '.join(MODES)}", id="nextrade.E033")]
