#!/usr/bin/env python3
"""`muster doctor` on this machine, and on it spoilt in ways that need no privileges."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import harness

MUSTER = os.environ["MUSTER"]
AREAS = {"MPI", "Slurm", "muster run", "PMI", "shared memory", "limits", "clocks", "GPUs", "CPUs", "file systems"}


class Doctor(unittest.TestCase):
    def findings(self, **options):
        run = harness.run(MUSTER, "doctor", "--json", **options)
        self.assertEqual(run.left_behind, [], run)
        page = json.loads(run.stdout)
        self.assertEqual(page["problems"], sum(each["verdict"] == "problem" for each in page["findings"]))
        self.assertEqual(run.code, 1 if page["problems"] else 0, run)
        return page["findings"]

    def problems(self, area, **options):
        return [each["text"] for each in self.findings(**options)
                if each["verdict"] == "problem" and each["area"] == area]

    def test_looks_at_everything_and_gives_advice_for_every_problem(self):
        findings = self.findings()
        self.assertEqual({each["area"] for each in findings}, AREAS)
        for each in findings:
            self.assertIn(each["verdict"], ("ok", "note", "problem"))
            self.assertTrue(each["text"])
            if each["verdict"] == "problem" and each["area"] != "muster run":
                self.assertTrue(each["advice"], each)

    def test_says_the_same_to_people(self):
        run = harness.run(MUSTER, "doctor")
        for area in AREAS:
            self.assertIn(area, run.stdout)
        self.assertRegex(run.stdout, r"\n\d+ problems?, \d+ notes?\n$")

    def test_a_temporary_folder_that_is_not_there_is_a_problem(self):
        self.assertEqual(self.problems("file systems", environment={"TMPDIR": "/no/such/folder"}),
                         ["TMPDIR (/no/such/folder) does not exist"])

    def test_no_launcher_in_path_is_a_problem(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertIn("no mpirun or mpiexec in PATH", self.problems("MPI", environment={"PATH": folder}))

    def test_a_low_limit_of_open_files_is_a_problem(self):
        run = subprocess.run(["sh", "-c", f"ulimit -n 64; exec {MUSTER} doctor --json"], capture_output=True, text=True,
                             timeout=60)
        texts = [each["text"] for each in json.loads(run.stdout)["findings"] if each["verdict"] == "problem"]
        self.assertIn("open files: 64", texts)
        self.assertEqual(run.returncode, 1)

    def test_one_cpu_of_several_is_noted(self):
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) == 1:
            self.skipTest("there is only one CPU")
        run = subprocess.run(["taskset", "-c", str(cpus[0]), MUSTER, "doctor"], capture_output=True, text=True,
                             timeout=60)
        self.assertRegex(run.stdout, r"note +CPUs +1 of the machine's \d+ CPUs may be used")

    def test_under_mpirun_it_says_that_ranks_are_started_already(self):
        run = harness.run(MUSTER, "doctor", ranks=2)
        self.assertIn("a program is executed in place", run.stdout, run)

    def test_refuses_what_it_does_not_know(self):
        run = harness.run(MUSTER, "doctor", "please")
        self.assertEqual(run.code, 2, run)


if __name__ == "__main__":
    unittest.main(verbosity=2)
