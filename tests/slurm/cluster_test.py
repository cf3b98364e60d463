#!/usr/bin/env python3
"""The test cluster leaves nothing behind, however it ends."""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import cluster

SCRIPT = cluster.FOLDER / "cluster.py"


def processes_of(folder):
    """Those that name it on their command line: all daemons and holders of nodes do."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and int(process.name) != os.getpid() and \
                    str(folder).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            pass  # Gone meanwhile.
    return found


class Ends(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.record = Path(folder.name) / "record.json"

    def start(self):
        """@return its parent, which goes on, and its folder."""
        # "$@" and then something of its own to do: a shell that only had to start it would become it.
        parent = subprocess.Popen(["sh", "-c", '"$@" || exit; echo started; read line', "sh", sys.executable, SCRIPT,
                                   "start", self.record], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.end, parent)
        self.assertEqual(parent.stdout.readline(), "started\n")
        folder = Path(json.loads(self.record.read_text())["folder"])
        self.assertGreater(len(processes_of(folder)), 8)
        return parent, folder

    def end(self, parent):
        parent.kill()
        parent.communicate()

    def wait_until_gone(self, folder):
        deadline = time.monotonic() + 30
        while processes_of(folder):
            self.assertLess(time.monotonic(), deadline, processes_of(folder))
            time.sleep(0.05)

    def test_with_the_process_that_started_it(self):
        parent, folder = self.start()
        parent.kill()
        self.wait_until_gone(folder)
        self.assertFalse(folder.exists())

    def test_with_its_head_node_whose_folder_stop_removes(self):
        _, folder = self.start()
        os.kill(json.loads(self.record.read_text())["head"], 9)
        self.wait_until_gone(folder)
        subprocess.run([sys.executable, SCRIPT, "stop", self.record], check=True)
        self.assertFalse(folder.exists())

    def test_where_it_cannot_be_had_it_is_a_skip_that_says_why(self):
        for verb in (["start"], ["run"], ["stop"]):
            done = subprocess.run([sys.executable, SCRIPT, *verb, self.record, "true"], capture_output=True, text=True,
                                  env={**os.environ, "PATH": "/nowhere"})
            self.assertEqual(done.returncode, cluster.SKIP, done)
            self.assertRegex(done.stdout, r"\Askipped: there is no \w+ here: scripts/install-packages slurm\n\Z")


if __name__ == "__main__":
    try:
        cluster.find_programs()
    except cluster.Missing as reason:
        print(f"skipped: {reason}")
        sys.exit(cluster.SKIP)
    unittest.main(verbosity=2)
