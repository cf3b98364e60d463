"""What test cases on the cluster share. A script of cases ends with `main()`."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from cluster import SKIP, Cluster, Missing

# At most two ranks on a node: slurm_conf.py says why.
SIX_RANKS = ["-N3", "--ntasks-per-node=2"]
JOB_OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL"}


def ranks_of(program, rank_variable="SLURM_PROCID"):
    """Ranks that run it, wherever they are: {(node, rank): pid}."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and os.readlink(process / "exe") == os.path.realpath(program):
                variables = dict(one.split("=", 1) for one in
                                 (process / "environ").read_text(errors="replace").split("\0") if "=" in one)
                # The zygote is the rank's child, with the same variables and a larger pid.
                key = (variables.get("SLURMD_NODENAME"), variables.get(rank_variable))
                found[key] = min(found.get(key, 1 << 30), int(process.name))
        except OSError:
            pass  # Gone meanwhile.
    return found


class SlurmCase(unittest.TestCase):
    cluster = None  # main() sets it.

    def setUp(self):
        # On every node at the same place.
        self.folder = Path(tempfile.mkdtemp(prefix="case-", dir=self.cluster.folder))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.leave_an_idle_cluster)
        self.wait_for_nodes()

    def leave_an_idle_cluster(self):
        self.cluster.run("scancel", "--user=root")

    def wait_for_nodes(self):
        def idle():
            states = self.cluster.call("sinfo", "-h", "-p", "main", "-N", "-o", "%T").split()
            return states == ["idle"] * 3
        self.wait_for("all nodes are idle", idle, 60)

    def wait_for(self, what, condition, seconds=60):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            self.assertLess(time.monotonic(), deadline, f"not within {seconds} s: {what}\n{self.logs()}")
            time.sleep(0.1)
        return value

    def logs(self):
        """What a failure is explained with."""
        texts = [f"--- {f.name}\n{f.read_text(errors='replace')[-4000:]}" for f in sorted(self.folder.glob("*.out"))]
        texts.append(self.cluster.run("squeue", "--states=all").stdout)
        return "\n".join(texts)

    def run_on_head(self, *command, **options):
        return self.cluster.run(*command, folder=self.folder, **options)

    def srun(self, *arguments, **options):
        return self.run_on_head("srun", *arguments, **options)

    def expect(self, done, code=0):
        self.assertEqual(done.returncode, code, f"$ {shlex.join(map(str, done.args))}\n--- stdout\n{done.stdout}"
                                                f"--- stderr\n{done.stderr}---\n{self.logs()}")
        return done

    def sbatch(self, text, *options, environment=None):
        """@return the job's id; its output is in <id>.out in the case's folder."""
        script = self.folder / f"script-{time.monotonic_ns()}.sh"
        script.write_text(text)
        return self.cluster.call("sbatch", "--parsable", "--output=%j.out", *options, script, folder=self.folder,
                                 environment=environment).strip()

    def fields(self, job):
        """What Slurm says of a job."""
        text = self.cluster.call("scontrol", "--oneliner", "show", "job", job)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def wait_for_end(self, job, seconds=60):
        """@return its state and exit code, "COMPLETED 0"."""
        def over():
            fields = self.fields(job)
            return fields if fields["JobState"] in JOB_OVER else None
        fields = self.wait_for(f"job {job} has ended", over, seconds)
        return f"{fields['JobState']} {fields['ExitCode'].split(':')[0]}"

    def restarts(self, job):
        return int(self.fields(job)["Restarts"])

    def is_over(self, job):
        return self.fields(job)["JobState"] in JOB_OVER

    def restart_now(self, job):
        """A requeued job waits two minutes before it starts again; we wait as long as nodes need, which revoke
        the old run's credential by the second."""
        self.wait_for(f"job {job} is requeued", lambda: self.fields(job)["JobState"] == "PENDING", 60)
        self.wait_for("its start is moved", lambda: self.cluster.run(
            "scontrol", "update", f"jobid={job}", "starttime=now+3").returncode == 0)

    def restart_until_over(self, job):
        for restarts in range(1, 10):
            self.wait_for("it ends, or is requeued", lambda: self.restarts(job) == restarts or self.is_over(job))
            if self.is_over(job):
                return
            self.restart_now(job)

    def output(self, job):
        path = self.folder / f"{job}.out"
        return path.read_text() if path.exists() else ""

    def start(self, *command, **options):
        """A client that goes on; it is ended with the case. Its output goes to client.out."""
        with open(self.folder / "client.out", "wb") as out:
            process = self.cluster.start(*command, folder=self.folder, stdout=out, stderr=subprocess.STDOUT, **options)
        self.addCleanup(self.end, process)
        return process

    def client_output(self):
        return (self.folder / "client.out").read_text(errors="replace")

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


def main():
    try:
        SlurmCase.cluster = Cluster.read(os.environ["SLURM_CLUSTER_RECORD"])
    except Missing as reason:
        print(f"skipped: {reason}")
        sys.exit(SKIP)
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped and len(result.skipped) == result.testsRun:
        print("skipped:", result.skipped[0][1])
        sys.exit(SKIP)
    sys.exit(not result.wasSuccessful())
