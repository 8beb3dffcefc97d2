"""Kubernetes: the four processes on PostgreSQL and Redis, with the guide's probe numbers.

Liveness asks `/health/live`, which depends on nothing: on the database's health it would restart every pod in an outage
of the database. The sealer and alertd are one at a time (Recreate); their locks hold where two overlap all the same.
"""

from typing import Any

import yaml

from nextrade.ops.render.roles import ROLES, Role
from nextrade.ops.render.site import HEADER, Files, Site

PORT = 8000
LIVENESS = {"initialDelaySeconds": 30, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}
READINESS = {"initialDelaySeconds": 10, "periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 3}
BEATS = {"worker": "scheduler", "sealer": "sealer", "alertd": "alerting"}
MEMORY = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def files(site: Site) -> Files:
    documents = [_settings(site), _claim(), *(_deployment(role, site) for role in ROLES), _service(), _budget()]
    text = yaml.safe_dump_all(documents, sort_keys=False, explicit_start=True, width=10_000)
    return {"kubernetes/nextrade.yaml": HEADER.format(source="nextrade/ops/render/kubernetes.py") + text}


def _settings(site: Site) -> dict[str, Any]:
    told = {
        "ALLOWED_HOSTS": site.host,
        "CSRF_TRUSTED_ORIGINS": f"https://{site.host}",
        "NEXTRADE_TRUSTED_PROXIES": "1",
        "NEXTRADE_DATA_DIR": "/data",
        "BACKUP_DIR": "/data/backups",
        "LOG_FORMAT": "json",
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "nextrade"}, "data": told}


def _claim() -> dict[str, Any]:
    """What every pod sees: keys, outages, the HALT file. It takes a volume that many may write."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "20Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "nextrade"}, "spec": spec}


def _deployment(role: Role, site: Site) -> dict[str, Any]:
    labels = {"app": "nextrade", "role": role.name}
    many = role.name == "web"
    spec = {
        "replicas": 2 if many else 1,
        "strategy": {"type": "RollingUpdate" if many or role.name == "worker" else "Recreate"},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": _pod(role, site)},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"nextrade-{role.name}"}, "spec": spec}


def _pod(role: Role, site: Site) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": role.stop_s + 10,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(role, site)],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "nextrade"}},
            {"name": "tmp", "emptyDir": {}},
            {"name": "metrics", "emptyDir": {}},
            {"name": "run", "emptyDir": {}},
        ],
    }


def _container(role: Role, site: Site) -> dict[str, Any]:
    command = [f"{site.home}/.venv/bin/{role.command.split()[0]}", *role.command.split()[1:]]
    made: dict[str, Any] = {"name": role.name, "image": site.image, "command": command, "workingDir": site.home}
    if role.name == "web":
        made["command"] = [*command, "--bind", f"0.0.0.0:{PORT}"]
        made["ports"] = [{"name": "http", "containerPort": PORT}]
        # the endpoint is taken out while this waits, so that no new request meets a process that is leaving
        made["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    names = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", *role.secrets)
    made["envFrom"] = [{"configMapRef": {"name": "nextrade"}}]
    made["env"] = [{"name": "PROMETHEUS_MULTIPROC_DIR", "value": "/metrics"}, *map(_secret, names)]
    mounts = {"data": "/data", "tmp": "/tmp", "metrics": "/metrics", "run": "/data/run"}  # noqa: S108
    made["volumeMounts"] = [{"name": name, "mountPath": path} for name, path in mounts.items()]
    return {**made, **_probes(role, site), "resources": MEMORY, "securityContext": SECURITY}


def _secret(name: str) -> dict[str, Any]:
    is_needed = name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")
    reference = {"name": "nextrade", "key": name, **({} if is_needed else {"optional": True})}
    return {"name": name, "valueFrom": {"secretKeyRef": reference}}


def _probes(role: Role, site: Site) -> dict[str, Any]:
    if role.name == "web":
        return {
            "livenessProbe": {"httpGet": {"path": "/health/live", "port": PORT}, **LIVENESS},
            "readinessProbe": {"httpGet": {"path": "/health/ready", "port": PORT}, **READINESS},
        }
    command = [f"{site.home}/.venv/bin/python", "manage.py", "health", "--component", BEATS[role.name]]
    slow = {"initialDelaySeconds": 60, "periodSeconds": 60, "timeoutSeconds": 30, "failureThreshold": 3}
    return {"readinessProbe": {"exec": {"command": command}, **slow}}


def _service() -> dict[str, Any]:
    spec = {
        "selector": {"app": "nextrade", "role": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nextrade"}, "spec": spec}


def _budget() -> dict[str, Any]:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "nextrade", "role": "web"}}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "nextrade-web"},
        "spec": spec,
    }
