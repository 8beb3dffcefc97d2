"""The product's settings on a data directory and a database of the tests' own."""

import os
import tempfile
from pathlib import Path

os.environ["NEXTRADE_DATA_DIR"] = tempfile.mkdtemp(prefix="nextrade-test-")
# xdist's workers would inherit the first one's, and count one another's requests
os.environ["PROMETHEUS_MULTIPROC_DIR"] = f"{os.environ['NEXTRADE_DATA_DIR']}/metrics"
os.environ["SECRET_KEY"] = "for-tests-only"
os.environ["DEBUG"] = ""
os.environ["SECURE_SSL_REDIRECT"] = "no"
os.environ["NEXTRADE_REQUIRE_2FA"] = "no"
for name in ("DATABASE_URL", "REDIS_URL"):
    os.environ.pop(name, None)
    if os.environ.get(f"TEST_{name}"):
        os.environ[name] = os.environ[f"TEST_{name}"]
for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "NEXTRADE_RATE_LIMIT"):
    os.environ.pop(name, None)

from nextrade.settings import *  # noqa: E402, F403
from nextrade.settings import CACHES, DATA_DIR, DATABASES, SQLITE, STATIC_ROOT, STORAGES, SUBJECTS_DATABASE  # noqa: E402

SUBJECTS_DATABASE["OPTIONS"]["init_command"] = "PRAGMA synchronous=OFF; PRAGMA secure_delete=ON;"
if SQLITE:  # a file, since tools run in threads of their own; no fsync, since no test pulls the plug
    DATABASES["default"]["TEST"] = {"NAME": str(Path(DATA_DIR) / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
CACHES["default"]["KEY_FUNCTION"] = "tests.caching.key"
STATIC_ROOT.mkdir()
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "sessionid", "csrftoken"  # a browser keeps a __Host- cookie only over HTTPS
