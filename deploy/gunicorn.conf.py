"""The web process: threads, because a chat turn waits for a model; the pool of database connections only here."""

import gc
import os
from pathlib import Path

data = Path(os.environ.get("NEXTRADE_DATA_DIR") or Path(__file__).resolve().parent.parent / "var").resolve()
# prometheus_client decides when it is first imported whether it counts for one process or for all
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(data / "metrics"))
Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).mkdir(parents=True, exist_ok=True)
bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = 160  # 128 chats that wait for a model in one process leave the probes some
keepalive = 75  # longer than a proxy keeps its end: one that is closed under a POST is an error to the person
timeout = 60
graceful_timeout = 40
control_socket_disable = True
raw_env = ["NEXTRADE_DB_POOL=yes"]


logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"ours": {"()": f"nextrade.logs.{os.environ.get('LOG_FORMAT', 'text')}_formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "ours"}},
    "root": {"handlers": [], "level": "INFO"},
    "loggers": {"gunicorn.error": {"handlers": ["stderr"], "level": "INFO", "propagate": False}},
}


def post_worker_init(worker):
    """Say with which settings it starts, and build the graph before the first request, not during it."""
    from nextrade.ops import starting

    starting.web()
    gc.collect()
    gc.freeze()  # a full look at all that is loaded would stop every thread for a sixth of a second


def child_exit(server, worker):
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
