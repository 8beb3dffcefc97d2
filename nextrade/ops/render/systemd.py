"""systemd: a unit for each process, one for litestream, a target for all. Each has its own secrets alone, by
credentials, and may write only where it must."""

from nextrade.ops.render.roles import ROLES, Role
from nextrade.ops.render.site import HEADER, Files, Site

SOURCE = "nextrade/ops/render/systemd.py"
HARDENING = """\
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
CapabilityBoundingSet=
AmbientCapabilities=
UMask=0077
"""
LITESTREAM = Role(
    name="litestream",
    what="continuous copies of the SQLite databases; leave it disabled with PostgreSQL",
    command="python manage.py backup replicate",
    stop_s=20,
)


def files(site: Site) -> Files:
    units = {f"systemd/nextrade-{role.name}.service": _unit(role, site) for role in (*ROLES, LITESTREAM)}
    return {**units, "systemd/nextrade.target": _target()}


def _unit(role: Role, site: Site) -> str:
    binary = f"{site.home}/.venv/bin"
    names = (*role.secrets, "SECRET_KEY")
    loads = "".join(f"LoadCredential={name}:{site.secrets}/{name}\n" for name in names)
    named = "".join(f"Environment={name}_FILE=%d/{name}\n" for name in names)
    return f"""{HEADER.format(source=SOURCE)}[Unit]
Description=NexTrade {role.name}: {role.what}
Documentation=file://{site.home}/docs/operations.md
After=network-online.target
Wants=network-online.target
PartOf=nextrade.target
StartLimitIntervalSec=300
StartLimitBurst=10

[Service]
Type=exec
User={site.user}
Group={site.user}
WorkingDirectory={site.home}
EnvironmentFile=-/etc/nextrade/nextrade.env
Environment=NEXTRADE_DATA_DIR={site.data} BACKUP_DIR={site.backups} LOG_FILE={site.logs}/nextrade.log
{named}{loads}ExecStart={binary}/{role.command}
# SIGTERM lets what runs finish: a chat, a task of the queue, a round. SIGKILL comes only after the time below.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec={role.stop_s}
Restart=always
RestartSec=2
StateDirectory=nextrade
LogsDirectory=nextrade
ReadWritePaths={site.data} -{site.backups} -{site.logs}
{HARDENING}
[Install]
WantedBy=nextrade.target
"""


def _target() -> str:
    wanted = " ".join(f"nextrade-{name}.service" for name in (*(role.name for role in ROLES), LITESTREAM.name))
    return f"""{HEADER.format(source=SOURCE)}[Unit]
Description=NexTrade
Wants={wanted}

[Install]
WantedBy=multi-user.target
"""
