"""Several machines in one box: Linux namespaces with an address, a process table, a home and a /tmp of their own each.

What runs in one sees no process of another one, nor of the box: `ray stop` ends its own machine's Ray and nobody
else's. When a machine is left, or the test that made it dies, the kernel kills all that ran in it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from namespaces import Place, namespaces

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
PATIENCE_S = 60.0
PACKAGES = {
    "ip": "iproute2",
    "unshare": "util-linux",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "rsync": "rsync",
    "shellcheck": "shellcheck",
}
IDLE = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"  # reaps what is left
SETTLE = """
set -eu
own=$1; name=$2; shift 2
mount --make-rprivate /
for kept in "$@"; do  # what the new /tmp would hide
    case $kept in /tmp/*) mkdir -p "$own/tmp${kept#/tmp}"; mount --bind "$kept" "$own/tmp${kept#/tmp}";; esac
done
mount --rbind "$own/tmp" /tmp
mount -t proc proc /proc
mount -t tmpfs shm /dev/shm
mount --bind "$own/passwd" /etc/passwd
mount --bind "$own/hosts" /etc/hosts
hostname "$name"
"""


def require_programs(*names: str) -> None:
    """Fails a test where one of these programs is missing, and names the Debian package that has it."""
    missing = [name for name in names if program(name) is None]
    assert not missing, f"missing: {missing}; apt-get install {' '.join(PACKAGES[name] for name in missing)}"


def program(name: str) -> str | None:
    """Where a program lies; the system's own, too, which are not on everybody's PATH."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Machine:
    """One of them. ``pid``: its first process, as the box sees it."""

    name: str
    address: str
    folder: Path
    holder: subprocess.Popen[bytes]
    pid: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def within(self) -> list[str]:
        """What a command has to begin with to run here."""
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--uts", "--ipc"]

    @property
    def home(self) -> Path:
        """Its user's home, where the box sees it."""
        return self.folder / "home"

    def start(self, *argv: str, environment: dict[str, str] | None = None, **further: object) -> subprocess.Popen[str]:
        """Starts a program in it, in a session of its own, with an environment that holds nothing of the box's."""
        path = f"{BIN}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        clean = {"HOME": str(self.home), "PATH": path, "USER": "root", "LC_ALL": "C.UTF-8"}
        given = {**clean, "RAY_USAGE_STATS_ENABLED": "0", **(environment or {})}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **further}
        command = [*self.within, "env", f"--chdir={ROOT}", *argv]
        # nothing to read from: what asks back must fail, not wait
        process = subprocess.Popen(  # type: ignore[call-overload]
            command, env=given, text=True, stdin=subprocess.DEVNULL, start_new_session=True, **streams
        )
        self.started.append(process)
        return process

    def run(self, *argv: str, timeout: float = 120.0, **further: object) -> str:
        """Runs a program in it to its good end; returns what it said."""
        status, said = self.finish(*argv, timeout=timeout, **further)
        assert status == 0, f"{self.name}: {' '.join(argv)}: {status}\n{said}"
        return said

    def finish(self, *argv: str, timeout: float = 120.0, **further: object) -> tuple[int, str]:
        """Runs a program in it to its end; returns its status and what it said."""
        process = self.start(*argv, **further)  # type: ignore[arg-type]
        try:
            said, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"{self.name}: {' '.join(argv)}: no end in {timeout:g} s") from None
        return process.returncode, said

    def processes(self) -> list[str]:
        """The command lines of all that runs in it, less its first process."""
        ours = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(OSError, psutil.Error):
                if process.pid != self.pid and os.readlink(f"/proc/{process.pid}/ns/pid") == ours:
                    found.append(" ".join(process.cmdline()) or process.name())
        return found

    def pull_the_plug(self) -> None:
        """Ends it as a power cut would: every process at once, without a last word."""
        self.holder.kill()
        self.holder.wait()
        for process in self.started:
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


def _hold(*argv: str) -> subprocess.Popen[bytes]:
    """A process in new namespaces that lasts until it is killed, or we are."""
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *argv])


@contextlib.contextmanager
def machines(folder: Path, *names: str) -> Iterator[list[Machine]]:
    """Machines of these names, in one network of their own; each can be called by its name from the others.

    ``folder``: becomes their disks, seen by all of them at the same path.
    """
    require_programs("ip", "unshare")
    with contextlib.ExitStack() as ending:
        places = ending.enter_context(namespaces(len(names)))
        hosts = "".join(f"{place.address} {name}\n" for place, name in zip(places, names, strict=True))
        made: list[Machine] = []
        for place, name in zip(places, names, strict=True):
            made.append(_machine(folder, name, place, f"127.0.0.1 localhost\n{hosts}"))
            ending.callback(made[-1].pull_the_plug)
        yield made


def _machine(folder: Path, name: str, place: Place, hosts: str) -> Machine:
    own = folder / name
    for part in ("home", "tmp"):
        (own / part).mkdir(parents=True)
    (own / "passwd").write_text(f"root:x:0:0:root:{own}/home:/bin/bash\nsshd:x:65533:65534::/run/sshd:/bin/false\n")
    (own / "hosts").write_text(hosts)
    alone = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
    # setpriv comes first and goes on as `ip`, which goes on as unshare: one process, the one to be killed
    holder = _hold(*place.within, *alone, sys.executable, "-c", IDLE)
    machine = Machine(name, place.address, own, holder, _idle(holder))
    kept = dict.fromkeys(map(str, (folder, ROOT, Path(sys.prefix), Path(sys.base_prefix))))
    subprocess.run([*machine.within, "sh", "-c", SETTLE, "sh", str(own), name, *kept], check=True)
    return machine


def _idle(holder: subprocess.Popen[bytes]) -> int:
    """The namespace's first process, once it runs Python: before, a signal from within could end it."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and holder.poll() is None:
        for child in psutil.Process(holder.pid).children():
            with contextlib.suppress(psutil.Error):
                if child.cmdline()[-2:] == ["-c", IDLE]:
                    return child.pid
        time.sleep(0.05)
    raise AssertionError("no namespaces: this test needs root, with CAP_SYS_ADMIN and CAP_NET_ADMIN")
