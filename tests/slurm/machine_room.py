#!/usr/bin/env python3
"""machine_room.py FOLDER WATCHED: the test cluster's machines; cluster.py starts it in name spaces of its own.

This process is the head node: slurmctld and the clients share its network, host name and mounts. Each
other node is a network, host name, process table, shared memory and mounts of its own, whose first
process is our child. Ends with the process WATCHED, at SIGTERM or on request, and with it all that it
started; also when it is killed itself, since every child asked the kernel for that.
"""

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import slurm_conf

NODE_INIT = r"""
mount --bind "$2/hosts" /etc/hosts
mount -t proc proc /proc
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount --bind "$2/nodes/$1/tmp" "$2/tmp"
hostname "$1"
ip link set lo up
trap : CHLD  # As a node's first process it reaps what others leave.
: > "$2/nodes/$1/ready"
while :; do sleep 1000000 & wait $!; done
"""


class Refused(Exception):
    pass


def start(log, *command):
    """A child that dies with us."""
    with open(log, "ab") as out:
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, command)], stdin=subprocess.DEVNULL,
                                stdout=out, stderr=out, cwd="/", start_new_session=True)


def call(*command):
    done = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise Refused(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


def wait_for(what, seconds, condition):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Refused(f"{what} did not come within {seconds} s")
        time.sleep(0.02)
    return value


class MachineRoom:
    def __init__(self, folder):
        self.folder = folder
        self.log = folder / "log"
        self.nodes = {}    # name: the process that holds it
        self.inits = {}    # name: the node's first process
        self.daemons = {}  # name: slurmd, slurmctld or munged

    def up(self):
        folder = self.folder
        for name in ("munge", "log", "state", "dev", "tmp", "nodes"):
            (folder / name).mkdir()
        for name, text in (("hosts", slurm_conf.hosts()), ("slurm.conf", slurm_conf.slurm_conf(folder)),
                           ("gres.conf", slurm_conf.gres_conf(folder)), ("mpi.conf", slurm_conf.mpi_conf()),
                           ("cgroup.conf", "")):
            (folder / name).write_text(text)
        for i in range(max(n.gpus for n in slurm_conf.NODES)):
            # Slurm wants a device; this one is /dev/null's.
            call("mknod", folder / "dev" / f"gpu{i}", "c", 1, 3)
        key = folder / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        call("mount", "--bind", folder / "hosts", "/etc/hosts")
        call("hostname", "head")
        call("ip", "link", "set", "lo", "up")
        call("ip", "link", "add", "br0", "type", "bridge")
        call("ip", "addr", "add", f"{slurm_conf.HEAD_ADDRESS}/24", "dev", "br0")
        call("ip", "link", "set", "br0", "up")
        self.daemons["munged"] = start(
            self.log / "munged.out", "munged", "--foreground", "--force", f"--key-file={key}",
            f"--socket={folder}/munge/socket", f"--pid-file={folder}/munge/pid", f"--log-file={self.log}/munged.log",
            f"--seed-file={folder}/munge/seed", "--num-threads=2")
        wait_for("munged's socket", 20, (folder / "munge" / "socket").exists)
        for node in slurm_conf.NODES:
            self.boot(node)
        self.daemons["slurmctld"] = start(self.log / "slurmctld.out", "slurmctld", "-D", "-i", "-f", folder / "slurm.conf")
        for node in slurm_conf.NODES:
            self.start_slurmd(node.name)
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        wait_for("the nodes", 60, self.all_idle)

    def all_idle(self):
        try:
            return call("sinfo", "-h", "-p", "main", "-N", "-o", "%T").split() == ["idle"] * len(slurm_conf.NODES)
        except (Refused, subprocess.TimeoutExpired):
            return False

    def boot(self, node):
        home = self.folder / "nodes" / node.name
        # A power cut leaves the pmix plugin's sockets behind, on which a requeued job would fail.
        shutil.rmtree(home, ignore_errors=True)
        (home / "spool").mkdir(parents=True)
        (home / "tmp").mkdir()
        (home / "tmp").chmod(0o1777)
        log = self.log / f"init-{node.name}.log"
        holder = start(log, "unshare", "--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "--kill-child=SIGKILL",
                       "--propagation", "private", "bash", "-e", "-c", NODE_INIT, f"init-{node.name}", node.name,
                       self.folder)
        self.nodes[node.name] = holder

        def booted():
            if holder.poll() is not None:
                raise Refused(f"{node.name} did not boot: {log.read_text().strip()}")
            return (home / "ready").exists()

        wait_for(node.name, 20, booted)
        init = int(Path(f"/proc/{holder.pid}/task/{holder.pid}/children").read_text().split()[0])
        self.inits[node.name] = init
        cable = f"v-{node.name}"
        subprocess.run(["ip", "link", "del", cable], capture_output=True)
        call("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", init)
        call("ip", "link", "set", cable, "master", "br0", "up")
        call("nsenter", "-t", init, "-n", "ip", "addr", "add", f"{node.address}/24", "dev", "eth0")
        call("nsenter", "-t", init, "-n", "ip", "link", "set", "eth0", "up")

    def start_slurmd(self, name, *options):
        self.daemons[name] = start(
            self.log / f"slurmd-{name}.out", "nsenter", "-t", self.inits[name], "-n", "-u", "-i", "-p", "-m", "--wd=/",
            "slurmd", "-D", "-f", self.folder / "slurm.conf", "-N", name, *options)

    def off(self, name):
        """Pulls the plug: nothing on the node gets to say anything."""
        holder = self.nodes.pop(name)
        holder.kill()
        holder.wait()

    def on(self, name):
        if name in self.nodes:
            raise Refused(f"{name} is on")
        self.boot(next(n for n in slurm_conf.NODES if n.name == name))
        # -b: else slurmctld believes that the node's old job still runs.
        self.start_slurmd(name, "-b")

    def answer(self, request):
        verb, _, name = request.partition(" ")
        if name not in {n.name for n in slurm_conf.NODES}:
            raise Refused(f"there is no node '{name}'")
        if verb == "off":
            self.off(name)
        elif verb == "on":
            self.on(name)
        elif verb in ("unplug", "plug"):
            call("ip", "link", "set", f"v-{name}", "down" if verb == "unplug" else "up")
        else:
            raise Refused(f"there is no request '{verb}'")

    def down(self):
        children = [*self.nodes.values(), *self.daemons.values()]
        for child in children:
            child.kill()
        for child in children:
            child.wait()
        # Clients that a test left on the head node: whoever is in our network was started for it.
        own = os.readlink("/proc/self/ns/net")
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and int(process.name) != os.getpid() and \
                        os.readlink(process / "ns" / "net") == own:
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                pass  # Gone meanwhile.
        shutil.rmtree(self.folder, ignore_errors=True)


def serve(room, listener, watched):
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(watched, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj == watched:
                    return
                connection, _ = listener.accept()
                with connection:
                    connection.settimeout(5)
                    try:
                        room.answer(connection.recv(256).decode().strip())
                        reply = "ok"
                    except (Refused, OSError, subprocess.TimeoutExpired) as error:
                        reply = str(error)
                    try:
                        connection.sendall(reply.encode())
                    except OSError:
                        pass  # Who asked has left.


def end(_number, _frame):
    sys.exit(0)


def main():
    folder, watched = Path(sys.argv[1]), int(sys.argv[2])
    room = MachineRoom(folder)
    signal.signal(signal.SIGTERM, end)
    try:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "requests"))
        listener.listen()
        room.up()
        os.write(1, b"ready\n")
        serve(room, listener, watched)
    except Refused as error:
        for log in sorted(room.log.glob("slurm*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}", file=sys.stderr)
        print(f"machine room: {error}", file=sys.stderr)
        return 1
    finally:
        room.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
