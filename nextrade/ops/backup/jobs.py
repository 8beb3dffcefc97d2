"""What the schedule runs of backups."""

from django.utils import timezone

from nextrade.ops.backup import manifest, offsite, prune, shelf, take, verify
from nextrade.ops.backup.shelf import BackupProblem
from nextrade.ops.maintenance import Done


def back_up() -> Done:
    name = take.take()
    folder = shelf.data().find(name)
    told = manifest.read(folder)
    size = sum(file["bytes"] for file in told["files"].values())
    summary = f"{name}: {sum(told['rows'].values())} rows, {size} bytes, read back"
    return Done(summary=summary, artefact=str(folder), sha256=manifest.sha256(folder / manifest.MANIFEST))


def back_up_keys() -> str:
    return take.take_keys()


def prune_old() -> str:
    done = prune.prune(at=timezone.now())
    return "; ".join(done) or "nothing is old enough"


def verify_each() -> str:
    """Look at every set, here and off-site. Raises BackupProblem where one is wrong."""
    names = shelf.data().names()
    wrong = {name: found for name in names if (found := verify.verify(name, at=timezone.now()))}
    if names and (elsewhere := offsite.verify(names[-1])):
        wrong[f"{names[-1]} off-site"] = elsewhere
    if wrong:
        raise BackupProblem("; ".join(f"{name}: {found[0]}" for name, found in wrong.items()))
    return f"{len(names)} sets are what they were"
