"""Every setting, read from the environment; `NAME_FILE` names a file that holds the value of NAME.

With nothing set this is the demo that `make run` starts: SQLite, offline model, simulated quotes, paper broker, a
secret key of its own in the data directory, and no host but this machine answered. Production sets SECRET_KEY.
"""

import logging
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from nextrade.headers import POLICY
from nextrade.navigation import SIDEBAR
from nextrade.sqlite import Existing

BASE_DIR = Path(__file__).resolve().parent.parent


class Environment(environ.FileAwareEnv):
    """Names the setting that is not of its type. Raises ImproperlyConfigured."""

    def int(self, var: str, default: Any) -> Any:
        try:
            return super().int(var, default=default)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} must be a whole number") from error


env = Environment()

DATA_DIR = Path(env("NEXTRADE_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)

# Both are read when their libraries are first imported, which is after the settings.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(DATA_DIR / "metrics"))
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

# --- identity of this installation
WELL_KNOWN_KEYS = ("django-insecure", "debug-only", "changeme", "change-me", "insecure", "your-secret")
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="")
_demo_key = DATA_DIR / "demo_secret_key"
DEMO = not SECRET_KEY and _demo_key.exists()
if DEMO:
    SECRET_KEY = _demo_key.read_text().strip()
elif SECRET_KEY.startswith(WELL_KNOWN_KEYS) and not DEBUG:
    raise ImproperlyConfigured("SECRET_KEY is one that everybody knows: make one, of 50 random characters")
elif not SECRET_KEY and DEBUG:
    SECRET_KEY = "debug-only"
elif not SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is not set: set it, or run `make install` for the demo's own key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
if not (DEBUG or DEMO) and "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS may not be * in production: name the hosts")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_NAME = "NexTrade"

# --- databases and cache
DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'nextrade.sqlite3'}")}
SUBJECTS_DATABASE = {  # the keys of personal data, apart from what they open
    **dict.fromkeys(("USER", "PASSWORD", "HOST", "PORT"), ""),
    "ATOMIC_REQUESTS": False,
    "AUTOCOMMIT": True,
    "CONN_MAX_AGE": 0,
    "CONN_HEALTH_CHECKS": False,
    "TIME_ZONE": None,
    "OPTIONS": {},
    **env.db_url("NEXTRADE_SUBJECTS_URL", default=f"sqlite:///{DATA_DIR / 'subjects.sqlite3'}"),
}
# A line that is cut without a word is given up at both ends within 25 s, less than an order's lease: else a process
# waits for a quarter of an hour, and the server keeps the locks of a machine that is gone for two hours.
DB_LINE: dict[str, int] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
DB_LINE_THERE = " ".join(f"-c tcp_{name.removeprefix('tcp_')}={value}" for name, value in DB_LINE.items())
DB_LINE["connect_timeout"] = 5
if "sqlite" in SUBJECTS_DATABASE["ENGINE"]:
    SUBJECTS_DATABASE["OPTIONS"] = {
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;",
    }
else:
    SUBJECTS_DATABASE["OPTIONS"] = {**DB_LINE, "options": DB_LINE_THERE, **SUBJECTS_DATABASE["OPTIONS"]}
_size, _wait_s = env.int("NEXTRADE_DB_POOL_SIZE", default=16), env.int("NEXTRADE_DB_POOL_WAIT_S", default=5)
# While the server is away an attempt to reach it ends as soon as its clients do, and the next client makes another:
# with psycopg's five minutes of ever longer pauses, one that is back would not be seen for as long as it was away.
DB_POOL = {"min_size": min(2, _size), "max_size": _size, "timeout": _wait_s, "reconnect_timeout": _wait_s}
MEMORY_POOL = DB_POOL | {"min_size": 1, "max_size": max(1, _size // 2)}  # of what the supervisor remembers
_database = DATABASES["default"]
SQLITE = "sqlite" in _database["ENGINE"]
# Kept of the WAL once its pages are in the file; without a limit it stays as large as it once was.
WAL_BYTES = 8_000_000
# Of pages, for each connection, and so for each thread of the web; the operating system keeps the file for all of them.
CACHE_KIB = 512
if SQLITE:
    _database["ENGINE"] = "nextrade.sqlite"
    _database["CONN_MAX_AGE"] = None
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA recursive_triggers=ON;"
        f"PRAGMA journal_size_limit={WAL_BYTES}; PRAGMA cache_size=-{CACHE_KIB};",
        "factory": Existing,
    }
else:
    _database["OPTIONS"] = {**DB_LINE, "options": DB_LINE_THERE, **_database.get("OPTIONS", {})}
    _database["CONN_HEALTH_CHECKS"] = True
    if env.bool("NEXTRADE_DB_POOL", default=False):  # set by gunicorn alone: qcluster forks and breaks a pool
        _database["OPTIONS"]["pool"] = DB_POOL
    else:
        _database["CONN_MAX_AGE"] = 60
if env("REPLICA_DATABASE_URL", default="") and not SQLITE:
    DATABASES["replica"] = _replica = _database | env.db_url("REPLICA_DATABASE_URL")
    _replica["OPTIONS"] = _database["OPTIONS"] | {"connect_timeout": 1}
    if "pool" in _database["OPTIONS"]:
        _replica["OPTIONS"]["pool"] = DB_POOL | {"timeout": 1, "reconnect_timeout": 1}
    DATABASE_ROUTERS = ["nextrade.replica.Router"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL", default="")
_stats: dict[str, str] = {
    "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
    "LOCATION": str(DATA_DIR / "stats"),
}
_shared: dict[str, str] = {"BACKEND": "nextrade.caches.TableCache", "LOCATION": "nextrade_cache"}
if REDIS_URL:
    _shared = _stats = {"BACKEND": "nextrade.caches.SharedCache", "LOCATION": REDIS_URL}
CACHE_PREFIX = env("NEXTRADE_CACHE_PREFIX", default="nextrade")
_shared["KEY_PREFIX"] = _stats["KEY_PREFIX"] = CACHE_PREFIX
CACHES = {"default": _shared, "stats": _stats}  # stats: django-q writes its state twice a second, too often for a table

# --- applications
INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "django_q",
    "health_check",
    "csp",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "django_prometheus",
    "django_htmx",
    "compliance",
    "orders",
    "agents",
    "nextrade.ops",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "nextrade.middleware.request_id",
    "nextrade.headers.security_headers",
    "nextrade.headers.ContentSecurityPolicy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "nextrade.middleware.probes",
    "nextrade.error_pages.unreadable",
    "nextrade.polls.quiet",
    "nextrade.replica.tolerant_pages",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "nextrade.addresses.log_in_limit",
    "nextrade.sessions.timeouts",
    "nextrade.second_factor.required",
    "django.contrib.messages.middleware.MessageMiddleware",
    "nextrade.witness.watch_admin",
    "nextrade.profiling.profiled",
    "nextrade.middleware.rate_limit_headers",
    "nextrade.middleware.idempotency",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "nextrade.urls"
WSGI_APPLICATION = "nextrade.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "nextrade" / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "nextrade.static_files.StaticFiles"},
}
WHITENOISE_USE_FINDERS = DEBUG
LANGUAGE_CODE = "en-us"
TIME_ZONE = env("TIME_ZONE", default="UTC")
USE_TZ = True
LOGIN_URL = "admin:login"
CSRF_FAILURE_VIEW = "nextrade.error_pages.csrf_failure"
LOGIN_REDIRECT_URL = "home"

_rules = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"{_rules}.UserAttributeSimilarityValidator"},
    {"NAME": f"{_rules}.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": f"{_rules}.CommonPasswordValidator"},
    {"NAME": f"{_rules}.NumericPasswordValidator"},
]
AUTHENTICATION_BACKENDS = ["nextrade.lockout.PasswordBackend", "nextrade.break_glass.BreakGlassBackend"]

OIDC_ISSUER = env("NEXTRADE_OIDC_ISSUER", default="")
OIDC_GROUPS = env.dict("NEXTRADE_OIDC_GROUPS", default={})
OIDC_RP_CLIENT_ID = env("OIDC_RP_CLIENT_ID", default="")
OIDC_RP_CLIENT_SECRET = env("OIDC_RP_CLIENT_SECRET", default="")
OIDC_OP_AUTHORIZATION_ENDPOINT = env("OIDC_OP_AUTHORIZATION_ENDPOINT", default="")
OIDC_OP_TOKEN_ENDPOINT = env("OIDC_OP_TOKEN_ENDPOINT", default="")
OIDC_OP_USER_ENDPOINT = env("OIDC_OP_USER_ENDPOINT", default="")
OIDC_OP_JWKS_ENDPOINT = env("OIDC_OP_JWKS_ENDPOINT", default="")
OIDC_RP_SIGN_ALGO = env("OIDC_RP_SIGN_ALGO", default="RS256")
OIDC_RP_SCOPES = env("OIDC_RP_SCOPES", default="openid profile email groups")
OIDC_USE_PKCE, OIDC_TIMEOUT, LOGIN_REDIRECT_URL_FAILURE = True, 10, "/login/?provider=refused"
if OIDC_ISSUER:
    AUTHENTICATION_BACKENDS.append("nextrade.oidc.ProviderBackend")

# --- the web's own protections
REQUIRE_2FA = env.bool("NEXTRADE_REQUIRE_2FA", default=not (DEBUG or DEMO))
OTP_TOTP_ISSUER = SITE_NAME
SESSION_COOKIE_AGE = env.int("NEXTRADE_SESSION_S", default=43_200)
SESSION_IDLE_S = env.int("NEXTRADE_SESSION_IDLE_S", default=1_800)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_NUMBER_FILES = 0
CONTENT_SECURITY_POLICY = {"DIRECTIVES": POLICY}
TRUSTED_PROXIES = env.int("NEXTRADE_TRUSTED_PROXIES", default=0)
if not (DEBUG or DEMO):
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^health", r"^ht/", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- the API
RATE_LIMIT = env("NEXTRADE_RATE_LIMIT", default="100/min")
LOGIN_RATE_LIMIT = env("NEXTRADE_LOGIN_RATE_LIMIT", default="100/min")
for _rate in (RATE_LIMIT, LOGIN_RATE_LIMIT):
    if not re.fullmatch(r"[0-9]+/(s|m|h|d)[a-z]*", _rate):
        raise ImproperlyConfigured(f"NEXTRADE_RATE_LIMIT and NEXTRADE_LOGIN_RATE_LIMIT are like 100/min, not {_rate!r}")
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["nextrade.api.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["nextrade.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "nextrade.api.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["nextrade.api.RateLimit"],
    "DEFAULT_THROTTLE_RATES": {"chat": RATE_LIMIT, "login": LOGIN_RATE_LIMIT},
    "EXCEPTION_HANDLER": "nextrade.api.error_response",
    "UNAUTHENTICATED_USER": None,
}
REST_KNOX = {
    "TOKEN_TTL": timedelta(hours=12),
    "AUTH_HEADER_PREFIX": "Bearer",
    "AUTO_REFRESH": False,
    "TOKEN_LIMIT_PER_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "NexTrade API",
    "VERSION": "1.0.0",
    "DESCRIPTION": "Chat with the trading desk, follow your orders, decide on those that wait.",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["nextrade.schema.only_versioned"],
    "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", "nextrade.schema.with_errors"],
    "ENUM_NAME_OVERRIDES": {"OrderStatus": "orders.models.Status"},
}

# --- the worker: acknowledged by the ORM broker; retry stays well above timeout, or tasks run twice
Q_CLUSTER = {
    "name": "nextrade",
    "orm": "default",
    "workers": 2,
    "timeout": 60,
    "retry": 120,
    "max_attempts": 3,
    "queue_limit": 4,
    "poll": 0.2,
    "catch_up": False,
    "save_limit": 250,
    "save_limit_per": "func",
    "cache": "stats",
    "label": "Tasks",
    "guard_cycle": 1,
}

# --- trading
BROKER = env("NEXTRADE_BROKER", default="paper")
PAPER_SLIPPAGE_BPS = env("PAPER_SLIPPAGE_BPS", default="0")
PAPER_COMMISSION_USD = env("PAPER_COMMISSION_USD", default="0")
PAPER_MAX_FILL = env("PAPER_MAX_FILL", default="0")
QUOTES = env("NEXTRADE_QUOTES", default="simulated")
ALPACA_KEY_ID = env("ALPACA_KEY_ID", default="")
ALPACA_SECRET_KEY = env("ALPACA_SECRET_KEY", default="")
ALPACA_BASE_URL = env("ALPACA_BASE_URL", default="https://paper-api.alpaca.markets")
ALPACA_DATA_URL = env("ALPACA_DATA_URL", default="https://data.alpaca.markets")
LIVE_TRADING = env("NEXTRADE_LIVE_TRADING", default="no")
APPROVAL_TTL_S = env.int("NEXTRADE_APPROVAL_TTL_S", default=1800)
APPROVAL_MAIL = env.bool("NEXTRADE_APPROVAL_MAIL", default=False)

# --- language models
OPENAI_API_KEY = env("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env("OPENAI_BASE_URL", default="https://api.openai.com/v1")
MODEL = env("NEXTRADE_MODEL", default="gpt-4o-mini") if OPENAI_API_KEY else "offline-rules"
MODEL_SIMPLE = env("NEXTRADE_MODEL_SIMPLE", default="")
MODEL_FALLBACK = env("NEXTRADE_MODEL_FALLBACK", default="")
AZURE_API_VERSION = env("OPENAI_API_VERSION", default="")
BUDGET_USER_USD = env("NEXTRADE_BUDGET_USER_USD", default="")
BUDGET_FIRM_USD = env("NEXTRADE_BUDGET_FIRM_USD", default="")
ANSWER_CACHE_S = env.int("NEXTRADE_ANSWER_CACHE_S", default=60)
LLM_TIMEOUT_S = env.int("NEXTRADE_LLM_TIMEOUT_S", default=20)
TAVILY_API_KEY = env("TAVILY_API_KEY", default="")
TAVILY_URL = env("TAVILY_URL", default="https://api.tavily.com")
WIKIPEDIA_URL = env("WIKIPEDIA_URL", default="https://en.wikipedia.org")
NEWS = env("NEXTRADE_NEWS", default="tavily" if TAVILY_API_KEY else "none")
WEB = env("NEXTRADE_WEB", default="tavily" if TAVILY_API_KEY else "none")
TURN_DEADLINE_S = env.int("NEXTRADE_TURN_DEADLINE_S", default=30)

GUARD_BLOCK_SCORE = env.int("NEXTRADE_GUARD_BLOCK_SCORE", default=70)
GUARD_FLAG_SCORE = env.int("NEXTRADE_GUARD_FLAG_SCORE", default=40)

# --- logs
LOG_LEVEL = env("LOG_LEVEL", default="INFO").upper()
LOG_FORMAT = env("LOG_FORMAT", default="text")
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(logging.getLevelNamesMapping())}")
if LOG_FORMAT not in ("text", "json"):
    raise ImproperlyConfigured("LOG_FORMAT must be text or json")
LOG_FILE = env("LOG_FILE", default="")
COMPLIANCE_LOG_PATH = env("COMPLIANCE_LOG_PATH", default=str(DATA_DIR / "compliance.log"))
KEYS_DIR = Path(env("NEXTRADE_KEYS_DIR", default=str(DATA_DIR / "keys")))
AUDIT_ORIGIN = env("NEXTRADE_AUDIT_ORIGIN", default="nextrade.example/audit")
ANCHORS = env.list(
    "NEXTRADE_ANCHORS", default=[f"file:{DATA_DIR / 'anchors' / 'trail.jsonl'}", "mailto:compliance@nextrade.example"]
)
COMPLIANCE_YEARS = env.int("NEXTRADE_COMPLIANCE_YEARS", default=3)
TSA_DIR = Path(env("NEXTRADE_TSA_DIR", default=str(DATA_DIR / "anchors" / "timestamps")))
TSA_ROOT = env("NEXTRADE_TSA_ROOT", default="")
if env("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
else:
    EMAIL_BACKEND, EMAIL_FILE_PATH = "django.core.mail.backends.filebased.EmailBackend", str(DATA_DIR / "mail")
_handlers: dict[str, dict[str, object]] = {
    "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT},
    "count": {"class": "nextrade.logs.Counting"},
}
LOG_ROTATION = env("LOG_ROTATION", default="time")
if LOG_FILE:
    _handlers["file"] = {
        "class": "nextrade.log_files.SharedFile",
        "filename": LOG_FILE,
        "rotation": LOG_ROTATION,
        "keep": 5 if LOG_ROTATION == "size" else 90,
        "formatter": LOG_FORMAT,
    }
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "nextrade.logs.text_formatter"},
        "json": {"()": "nextrade.logs.json_formatter"},
    },
    "handlers": _handlers,
    "root": {"handlers": list(_handlers), "level": LOG_LEVEL},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "django_q": {"handlers": [], "propagate": True},
        "health_check": {"level": "ERROR"},  # a warning with a traceback at each probe; nextrade.ops.outages tells
    },
}

logging.captureWarnings(True)  # a library's warning is a line like any other

# --- the watch
SENTRY_DSN = env("SENTRY_DSN", default="")
OTLP_ENDPOINT = env("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
OTEL_SERVICE_NAME = env("OTEL_SERVICE_NAME", default="nextrade")
METRICS_TOKEN = env("NEXTRADE_METRICS_TOKEN", default="")
METRICS_ALLOW = env.list("NEXTRADE_METRICS_ALLOW", default=[])
PROFILING = env.bool("NEXTRADE_PROFILING", default=False)
HEALTH_CHECKS = env.json("HEALTH_CHECKS", default=[])

# --- backups: sets of data and sets of keys, apart
BACKUP_DIR = Path(env("BACKUP_DIR", default=str(DATA_DIR / "backups"))).resolve()
BACKUP_KEYS_DIR = Path(env("NEXTRADE_BACKUP_KEYS_DIR", default=str(DATA_DIR / "backups-keys"))).resolve()
BACKUP_RECIPIENTS = env.list("NEXTRADE_BACKUP_RECIPIENTS", default=[])
BACKUP_OFFSITE = env.list("BACKUP_OFFSITE", default=[])
BACKUP_KEYS_OFFSITE = env.list("NEXTRADE_BACKUP_KEYS_OFFSITE", default=[])
REPLICA_URL = env("NEXTRADE_REPLICA_URL", default="")

# --- alerting: alertd and its channels
PUBLIC_URL = env("NEXTRADE_PUBLIC_URL", default=f"http://127.0.0.1:{env.int('PORT', default=8000)}").rstrip("/")
RUNBOOKS_URL = env("NEXTRADE_RUNBOOKS_URL", default="docs/runbooks").rstrip("/")
ALERTING = env("NEXTRADE_ALERTING", default="embedded")
ALERTD_TARGET = env("NEXTRADE_ALERTD_TARGET", default=f"http://127.0.0.1:{env.int('PORT', default=8000)}")
ALERTD_TARGET_HOST = env(
    "NEXTRADE_ALERTD_HOST", default="" if DEBUG or DEMO else (ALLOWED_HOSTS or [""])[0].lstrip(".")
)
ALERTMANAGER_URL = env("NEXTRADE_ALERTMANAGER_URL", default="http://127.0.0.1:9093")
PROMETHEUS_URL = env("NEXTRADE_PROMETHEUS_URL", default="http://127.0.0.1:9090")
PAGERDUTY_ROUTING_KEY = env("PAGERDUTY_ROUTING_KEY", default="")
PAGERDUTY_URL = env("PAGERDUTY_URL", default="https://events.pagerduty.com/v2/enqueue")
SLACK_WEBHOOK_URL = env("SLACK_WEBHOOK_URL", default="")
SLACK_CHANNEL = env("SLACK_CHANNEL", default="#alerts")
ALERT_EMAIL_TO = env.list("ALERT_EMAIL_TO", default=[])
ALERT_EMAIL_FROM = DEFAULT_FROM_EMAIL = env("ALERT_EMAIL_FROM", default="alerts@nextrade.com")
TICKET_WEBHOOK_URL = env("TICKET_WEBHOOK_URL", default="")
HEARTBEAT_URL = env("HEARTBEAT_URL", default="")
HEARTBEAT_METHOD = env("HEARTBEAT_METHOD", default="GET")

# --- the admin
UNFOLD = {
    "SITE_TITLE": SITE_NAME,
    "SITE_HEADER": SITE_NAME,
    "SITE_SYMBOL": "candlestick_chart",
    "ENVIRONMENT": "nextrade.ops.admin.environment",
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": False,
    "STYLES": ["nextrade.ops.admin.stylesheet"],
    "DASHBOARD_CALLBACK": "nextrade.ops.home.dashboard",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "nextrade.ops.admin.favicon"}],
    "SIDEBAR": {"show_search": False, "navigation": SIDEBAR},
}
