"""Machines of a network of their own on this one: each a network namespace with an address on a bridge.

`enter()` starts the program anew in namespaces of network, mounts and processes, as root on Linux: whatever it starts
ends with it, and nothing of it is seen outside. The program itself stands at `HUB` and may speak from many addresses.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

HUB, NOBODY = "10.77.0.1", "02:00:00:00:00:01"
INSIDE = "NEXTRADE_NETWORK"
NEEDED = ("ip", "unshare", "setpriv", "nginx", "socat", "openssl", "redis-server")
POSTGRES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/none/bin"))


def missing() -> str:
    """Why there can be no such network here, or nothing."""
    if os.environ.get(INSIDE):
        return ""
    lacking = [name for name in NEEDED if shutil.which(name, path=PATH) is None]
    if not (POSTGRES / "initdb").exists():
        lacking.append("initdb")
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    tried = subprocess.run(
        [*UNSHARE, "sh", "-c", "mount -t tmpfs none /run && ip link add v0 type veth peer name v1 && ip netns add n0"],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip()


PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
UNSHARE = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")


def enter(module: str) -> None:
    """Come back only inside: outside, the program becomes the module that runs there."""
    if not os.environ.get(INSIDE):
        command = [*UNSHARE, sys.executable, "-m", module, *sys.argv[1:]]
        os.execvpe(command[0], command, {**os.environ, INSIDE: "yes", "PATH": PATH})
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
    ip("link", "set", "lo", "up")
    ip("link", "add", "bridge", "type", "bridge")
    ip("addr", "add", f"{HUB}/16", "dev", "bridge")
    ip("link", "set", "bridge", "up")


def ip(*args: str) -> str:
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=True)
    return done.stdout


def sources(count: int) -> list[str]:
    """So many further addresses of the hub, one for each client."""
    found = [f"10.77.{1 + number // 250}.{1 + number % 250}" for number in range(count)]
    for address in found:
        ip("addr", "add", f"{address}/16", "dev", "bridge")
    return found


@dataclass
class Machine:
    """programs: by name, the command line of each; they are started again whenever they end, as systemd does, unless
    the machine is down."""

    name: str
    address: str
    folder: Path
    env: dict[str, str]
    programs: dict[str, list[str]]
    is_down: bool = False
    starts: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def plug_in(self) -> None:
        ip("netns", "add", self.name)
        ip("link", "add", f"v-{self.name}", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", f"v-{self.name}", "master", "bridge", "up")
        ip("-n", self.name, "addr", "add", f"{self.address}/16", "dev", "eth0")
        for device in ("eth0", "lo"):
            ip("-n", self.name, "link", "set", device, "up")

    def start(self) -> None:
        self.is_down = False
        for name, command in self.programs.items():
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    ["ip", "netns", "exec", self.name, *command],
                    cwd=self.env.get("PWD"),
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self.starts += 1

    def kill(self) -> None:
        """`kill -9` of everything that runs on it."""
        with self.lock:
            while pids := ip("netns", "pids", self.name).split():
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                for process in self.processes.values():
                    process.poll()
                time.sleep(0.05)

    def power_off(self) -> None:
        self.is_down = True
        self.kill()

    def revive(self) -> None:
        """Start again what has ended."""
        with self.lock:
            if not self.is_down and any(process.poll() is not None for process in self.processes.values()):
                self.kill()
                self.start()


def cut(one: Machine, other: Machine) -> None:
    """From now on no packet of either reaches the other, and neither is told."""
    for here, there in ((one, other), (other, one)):
        ip("-n", here.name, "neigh", "replace", there.address, "lladdr", NOBODY, "nud", "permanent", "dev", "eth0")


def mend(one: Machine, other: Machine) -> None:
    for here, there in ((one, other), (other, one)):
        ip("-n", here.name, "neigh", "del", there.address, "dev", "eth0")


def keep(machines: Iterable[Machine], over: threading.Event) -> threading.Thread:
    """Look after all of them, twice a second, until it is over."""
    machines = list(machines)

    def look() -> None:
        while not over.wait(0.5):
            for machine in machines:
                machine.revive()

    keeper = threading.Thread(target=look, daemon=True)
    keeper.start()
    return keeper
