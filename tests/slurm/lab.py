"""A real SLURM on this one machine: Debian's packages, two nodes, four pretended GPUs each.

    python tests/slurm/lab.py up FOLDER      prints the line to type; `down FOLDER` ends it

No systemd, nothing outside FOLDER. The daemons run as root, for jobs belong to users.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
INSTALL = "apt-get install -y --no-install-recommends slurmctld slurmd slurm-client munge"
NODES = ("n1", "n2")
GPUS = 4
ARRAY_LIMIT = 5  # indices below it
PATIENCE_S = 30.0
SBIN = ("/usr/sbin", "/sbin")

# cred_expire: a requeued job waits until the old credential is gone. DefMemPerCPU: else one job
# takes all memory of a node. MinJobAge: finished jobs can still be asked for. ReturnToService: a
# node that is down stays so. CPUs are pretended, too.
CONF = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={root}/run/munge.sock,cred_expire=5
SlurmctldPidFile={root}/run/slurmctld.pid
SlurmctldLogFile={root}/log/slurmctld
StateSaveLocation={root}/state
SlurmdPidFile={root}/run/slurmd-%n.pid
SlurmdLogFile={root}/log/slurmd-%n
SlurmdSpoolDir={root}/spool/%n
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
GresTypes=gpu
ReturnToService=0
KillWait=5
MinJobAge=600
EnforcePartLimits=ALL
MaxArraySize={array_limit}
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} {node}
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} {node}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=closed Nodes=ALL AllowAccounts=somebody MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """What keeps this machine from running it, with the remedy; None when nothing does."""
    if missing := [name for name in PROGRAMS if _which(name) is None]:
        return f"{', '.join(missing)} not installed: {INSTALL}"
    if os.geteuid() != 0:
        return "the one-machine SLURM needs root (jobs belong to users)"
    return None


@dataclass(frozen=True)
class Lab:
    """A running SLURM; `environment` is what its users need."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([os.environ.get("PATH", ""), *SBIN])
        return os.environ | {"SLURM_CONF": str(self.root / "slurm.conf"), "PATH": path}

    def call(self, *command: str, check: bool = True) -> str:
        """What a command of SLURM prints."""
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start_controller(self) -> None:
        self.call("slurmctld")

    def stop_controller(self) -> None:
        _end(self.root / "run" / "slurmctld.pid")

    def up(self) -> "Lab":
        """Write the configuration, start the daemons, wait until both nodes are idle."""
        for name in ("log", "run", "state", "dev", *(f"spool/{node}" for node in NODES)):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self._write()
        run = self.root / "run"
        self.call(
            "munged",
            *(f"--key-file={self.root}/munge.key", f"--socket={run}/munge.sock"),
            *(f"--pid-file={run}/munged.pid", f"--seed-file={run}/munge.seed"),
            f"--log-file={self.root}/log/munged",
        )
        self.start_controller()
        for node in NODES:
            self.call("slurmd", "-N", node)
        deadline = time.monotonic() + PATIENCE_S
        while self.states() != {"idle"}:
            if time.monotonic() > deadline:
                raise RuntimeError(f"SLURM does not come up: see {self.root}/log")
            time.sleep(0.05)
        return self

    def states(self) -> set[str]:
        """States of the nodes, empty while the controller does not answer."""
        return set(self.call("sinfo", "-h", "-N", "-o", "%T", check=False).split())

    def down(self) -> None:
        """Cancel what runs, end the daemons, remove the folder."""
        jobs = set(self.call("squeue", "-h", "-o", "%F", check=False).split())
        if jobs:
            self.call("scancel", *jobs, check=False)
        deadline = time.monotonic() + PATIENCE_S
        while self.call("squeue", "-h", check=False) and time.monotonic() < deadline:
            time.sleep(0.05)
        run = self.root / "run"
        _end(*run.glob("slurmd-*.pid"), run / "slurmctld.pid")
        _end(run / "munged.pid")
        shutil.rmtree(self.root, ignore_errors=True)

    def _write(self) -> None:
        key = self.root / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        devices = [self.root / "dev" / f"gpu{k}" for k in range(GPUS)]
        for device in devices:  # as /dev/null
            if not device.exists():
                os.mknod(device, 0o666 | 0o020000, os.makedev(1, 3))
        (self.root / "gres.conf").write_text(
            f"AutoDetect=off\nNodeName={','.join(NODES)} Name=gpu Type=fake "
            f"File={self.root}/dev/gpu[0-{GPUS - 1}]\n"
        )
        text = CONF.format(
            root=self.root,
            host=socket.gethostname().split(".")[0],
            ports=_free_ports(3),
            nodes=NODES,
            node=f"CPUs=64 RealMemory=65536 Gres=gpu:fake:{GPUS} State=UNKNOWN",
            array_limit=ARRAY_LIMIT,
        )
        (self.root / "slurm.conf").write_text(text)


def _which(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SBIN]))


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _end(*pid_files: Path) -> None:
    """End the daemons of these pid files, all at a time."""
    alive = [pid for pid in map(_daemon, pid_files) if pid is not None]
    for how in (signal.SIGTERM, signal.SIGKILL):
        for pid in alive:
            os.kill(pid, how)
        deadline = time.monotonic() + PATIENCE_S / 3
        while alive and time.monotonic() < deadline:
            time.sleep(0.02)
            alive = [pid for pid in alive if Path(f"/proc/{pid}").exists()]


def _daemon(pid_file: Path) -> int | None:
    """Process of a pid file, if it lives and is a daemon of SLURM or munge."""
    try:
        pid = int(pid_file.read_text())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name in PROGRAMS else None


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    if (reason := why_not()) is not None:
        sys.exit(f"error: {reason}")
    if what == "up":
        Lab(folder).up()
        print(f"export SLURM_CONF={folder}/slurm.conf")
    else:
        Lab(folder).down()
