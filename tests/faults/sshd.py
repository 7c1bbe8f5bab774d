"""sshd in a machine of this box: a configuration, host keys and authorised keys of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

from machines import Machine, program, require_programs

CONFIG = """
Port 22
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
"""


def new_key(file: Path) -> Path:
    """A key pair without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    return file


def serve(machine: Machine, public_key: Path) -> subprocess.Popen[str]:
    """Starts sshd in a machine; who has the key may come in as root."""
    require_programs("ssh", "sshd", "rsync")
    folder = machine.folder / "sshd"
    folder.mkdir()
    new_key(folder / "host_key")
    (folder / "authorized_keys").write_text(public_key.read_text())
    (folder / "config").write_text(CONFIG.format(address=machine.address, folder=folder))
    machine.run("mkdir", "-p", "/run/sshd")  # where sshd locks itself up; Debian makes it when it starts the service
    where = program("sshd")
    assert where is not None
    with (folder / "log").open("w") as log:
        return machine.start(where, "-D", "-e", "-f", str(folder / "config"), stdout=log)
