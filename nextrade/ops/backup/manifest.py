"""What a set says of itself: `manifest.json`, never changed, and `SHA256SUMS`, as `sha256sum -c` reads it."""

import gzip
import hashlib
import json
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from nextrade.ops.backup.shelf import BackupProblem

MANIFEST, SUMS, VERIFIED = "manifest.json", "SHA256SUMS", "verified.json"
APART = (SUMS, VERIFIED)
CHUNK = 1 << 20


def sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write(folder: Path, facts: Mapping[str, Any]) -> None:
    """The manifest with every file's hash, and the sums over all of it."""
    files = {file.name: {"sha256": sha256(file), "bytes": file.stat().st_size} for file in _files(folder)}
    told = {**facts, **version(), "files": files}
    (folder / MANIFEST).write_text(json.dumps(told, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    write_sums(folder, _files(folder))


def write_sums(folder: Path, files: Iterable[Path]) -> None:
    draft = folder / f".{SUMS}"
    draft.write_text("".join(f"{sha256(file)}  {file.name}\n" for file in files), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(folder / SUMS)


def read(folder: Path) -> dict[str, Any]:
    """Raises BackupProblem."""
    try:
        found: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {**found, "files": dict(found["files"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupProblem(f"{folder.name} has no manifest that can be read") from error


def sums_problems(folder: Path) -> list[str]:
    """Files that are not what they were, are missing, or are named by the manifest and under no sum."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except (OSError, UnicodeDecodeError):
        return [f"{SUMS} cannot be read"]
    found = []
    for name, digest in listed.items():
        file = folder / name
        if Path(name).name != name or not file.is_file() or file.is_symlink():
            found.append(f"{name[:80]} is missing")
        elif sha256(file) != digest:
            found.append(f"{name} is not what it was")
    try:
        unsummed = [name for name in (MANIFEST, *read(folder)["files"]) if not listed.keys() & {name, f"{name}.gz"}]
    except BackupProblem as problem:
        return [*found, problem.message]
    return [*found, *(f"{name} is under no sum" for name in unsummed)]


def plain(folder: Path, name: str, scratch: Path) -> Path:
    """A file of the set as it was made: itself, or unpacked into scratch where it was compressed since."""
    if (folder / name).is_file():
        return folder / name
    target = scratch / name
    with gzip.open(folder / f"{name}.gz", "rb") as packed, target.open("wb") as out:
        target.chmod(0o600)
        while chunk := packed.read(CHUNK):
            out.write(chunk)
    return target


def version() -> dict[str, str]:
    """Which code this is: what a restore has to run with, or newer."""
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]
    asked = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(asked, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
        commit = done.stdout.strip() if done.returncode == 0 else ""
    except OSError:
        commit = ""
    return {"app_version": project["version"], "app_commit": commit}


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.name not in APART and not file.name.startswith("."))
