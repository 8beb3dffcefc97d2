"""`manage.py ops render --out deploy/`: configuration of other programs, made from the tables that we run by.

To add one: write a module here with a function `files(site: Site) -> Files`, which gives the text of each file by its
path below the output directory (`site.as_yaml` writes YAML as the others have it), and add it to RENDERERS. It reads no
clock, no environment and no database: what it depends on is in the Site (add a field with the committed default), so
that the same Site always gives the same bytes. Then `manage.py ops render --out deploy/` and commit: a test holds the
committed files to the rendering of `Site()`.
"""

from collections.abc import Callable
from pathlib import Path

from nextrade.ops.render import alertmanager, compose, grafana, kubernetes, nginx, prometheus, rule_tests, systemd
from nextrade.ops.render.site import Files, Site

__all__ = ("RENDERERS", "Files", "Site", "differing", "render", "write")

RENDERERS: tuple[Callable[[Site], Files], ...] = (
    prometheus.files,
    rule_tests.files,
    alertmanager.files,
    grafana.files,
    systemd.files,
    kubernetes.files,
    compose.files,
    nginx.files,
)


def render(site: Site) -> dict[str, str]:
    """Every file. Raises ValueError where two renderers write the same one."""
    made: dict[str, str] = {}
    for files in RENDERERS:
        for path, text in files(site).items():
            if path in made:
                raise ValueError(f"two renderers write {path}")
            made[path] = text
    return made


def write(site: Site, out: Path) -> list[str]:
    """Write what differs from what lies there; the paths that did."""
    made = render(site)
    changed = differing(site, out)
    for path in changed:
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(made[path])
    return changed


def differing(site: Site, out: Path) -> list[str]:
    """The files of the rendering that are missing under `out`, or are other than rendered."""
    return [
        path for path, text in render(site).items() if not (out / path).is_file() or (out / path).read_text() != text
    ]
