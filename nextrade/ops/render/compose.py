"""docker compose: everything on one machine, with PostgreSQL, Redis, Prometheus, Alertmanager and Grafana. Only nginx'
place, the web port, is published, and on loopback; secrets are files beside it, which are not in the repository."""

from typing import Any

from nextrade.ops.render.roles import ROLES, Role
from nextrade.ops.render.site import HEADER, Files, Site, as_yaml

SOURCE = "nextrade/ops/render/compose.py"
SECRETS = sorted(
    {"SECRET_KEY", "DATABASE_URL", "POSTGRES_PASSWORD", *(name for role in ROLES for name in role.secrets)}
)
HARDENED = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
DOCKERFILE = """\
FROM python:3.11-slim-bookworm AS built
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*
WORKDIR {home}
COPY Makefile requirements.lock ./
RUN make .venv/installed
COPY . .
RUN DEBUG=1 NEXTRADE_DATA_DIR=/tmp/build .venv/bin/python manage.py check

FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/* \\
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin nextrade \\
    && install --directory --owner=nextrade --mode=0700 /data
COPY --from=built {home} {home}
WORKDIR {home}
USER nextrade
ENV NEXTRADE_DATA_DIR=/data PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD [".venv/bin/gunicorn", "-c", "deploy/gunicorn.conf.py", "--bind", "0.0.0.0:8000", "nextrade.wsgi"]
"""
IGNORED = (
    *(".git", ".venv", "var", "deploy/compose/secrets", "**/__pycache__", "**/.*_cache"),
    *("**/.env*", "**/*.key", "**/*.pem", "**/*.sqlite3*", "**/demo_secret_key"),
)


def files(site: Site) -> Files:
    return {
        "compose/docker-compose.yml": as_yaml(_compose(site), source=SOURCE),
        "compose/prometheus.yml": as_yaml(_scraping(), source=SOURCE),
        "Dockerfile": HEADER.format(source=SOURCE) + DOCKERFILE.format(home=site.home),
        "Dockerfile.dockerignore": "".join(f"{each}\n" for each in IGNORED),
    }


def _compose(site: Site) -> dict[str, Any]:
    services = {"migrate": _migrate(site), **{role.name: _ours(role, site) for role in ROLES}, **_others()}
    return {
        "name": "nextrade",
        "services": services,
        "volumes": dict.fromkeys(("data", "postgres", "redis", "prometheus", "alertmanager", "grafana")),
        "secrets": {name.lower(): {"file": f"./secrets/{name}"} for name in SECRETS},
    }


def _environment(site: Site, names: tuple[str, ...]) -> dict[str, str]:
    return {
        "ALLOWED_HOSTS": f"{site.host},web",
        "DATABASE_URL_FILE": "/run/secrets/database_url",
        "REDIS_URL": "redis://redis:6379/0",
        "NEXTRADE_DATA_DIR": "/data",
        "PROMETHEUS_MULTIPROC_DIR": "/tmp/metrics",  # noqa: S108 - a file system of the container's own
        "NEXTRADE_TRUSTED_PROXIES": "1",
        "NEXTRADE_ALERTD_TARGET": "http://web:8000",
        **{f"{name}_FILE": f"/run/secrets/{name.lower()}" for name in ("SECRET_KEY", *names)},
    }


def _base(site: Site, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "image": site.image,
        "build": {"context": "../..", "dockerfile": "deploy/Dockerfile"},
        "environment": _environment(site, names),
        "secrets": [name.lower() for name in ("SECRET_KEY", "DATABASE_URL", *names)],
        "volumes": ["data:/data"],
        "tmpfs": ["/tmp"],  # noqa: S108
        **HARDENED,
    }


def _migrate(site: Site) -> dict[str, Any]:
    command = [f"{site.home}/.venv/bin/python", "manage.py", "migrate"]
    healthy = {name: {"condition": "service_healthy"} for name in ("postgres", "redis")}
    return {**_base(site, ()), "command": command, "depends_on": healthy}


def _ours(role: Role, site: Site) -> dict[str, Any]:
    first, *rest = role.command.split()
    made = {
        **_base(site, role.secrets),
        "command": [f"{site.home}/.venv/bin/{first}", *rest],
        "depends_on": {"migrate": {"condition": "service_completed_successfully"}},
        "restart": "unless-stopped",
        "stop_grace_period": f"{role.stop_s}s",
    }
    if role.name == "web":
        made["command"] += ["--bind", "0.0.0.0:8000"]
        made["ports"] = ["127.0.0.1:8000:8000"]
        asked = "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health/live', timeout=5)"
        test = ["CMD", f"{site.home}/.venv/bin/python", "-c", asked]
        made["healthcheck"] = {"test": test, "interval": "10s", "timeout": "5s", "retries": 3, "start_period": "30s"}
    return made


def _others() -> dict[str, Any]:
    def checked(*test: str) -> dict[str, Any]:
        return {"test": ["CMD", *test], "interval": "5s", "timeout": "3s", "retries": 12}

    kept = {"restart": "unless-stopped"}
    return {
        "postgres": {
            "image": "postgres:15",
            "environment": {
                "POSTGRES_USER": "nextrade",
                "POSTGRES_DB": "nextrade",
                "POSTGRES_PASSWORD_FILE": "/run/secrets/postgres_password",
            },
            "secrets": ["postgres_password"],
            "volumes": ["postgres:/var/lib/postgresql/data"],
            "healthcheck": checked("pg_isready", "--username=nextrade"),
            "stop_grace_period": "60s",
            **kept,
        },
        "redis": {
            "image": "redis:7",
            "command": ["redis-server", "--appendonly", "yes"],
            "volumes": ["redis:/data"],
            "healthcheck": checked("redis-cli", "ping"),
            **kept,
        },
        "prometheus": {
            "image": "prom/prometheus:v2.53.3",
            "volumes": [
                "./prometheus.yml:/etc/prometheus/prometheus.yml:ro",
                "../prometheus/nextrade.rules.yml:/etc/prometheus/nextrade.rules.yml:ro",
                "prometheus:/prometheus",
            ],
            "secrets": ["metrics_token"],
            **kept,
        },
        "alertmanager": {
            "image": "prom/alertmanager:v0.27.0",
            "volumes": [
                "../alertmanager/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro",
                "alertmanager:/alertmanager",
            ],
            **kept,
        },
        "grafana": {
            "image": "grafana/grafana:11.4.0",
            "ports": ["127.0.0.1:3000:3000"],
            "volumes": [
                "../grafana/provisioning:/etc/grafana/provisioning:ro",
                "../grafana/dashboards:/var/lib/grafana/dashboards:ro",
                "grafana:/var/lib/grafana",
            ],
            **kept,
        },
    }


def _scraping() -> dict[str, Any]:
    token = {"type": "Bearer", "credentials_file": "/run/secrets/metrics_token"}
    return {
        "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
        "rule_files": ["nextrade.rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["alertmanager:9093"]}]}]},
        "scrape_configs": [
            {
                "job_name": "nextrade",
                "honor_labels": True,
                "authorization": token,
                "static_configs": [{"targets": ["web:8000"]}],
            }
        ],
    }
