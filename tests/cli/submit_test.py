#!/usr/bin/env python3
"""muster submit and muster jobs where there is no Slurm, or one that misbehaves. With a real one: tests/slurm."""

import os
import tempfile
import unittest
from pathlib import Path

from harness import run

MUSTER = os.environ["MUSTER"]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.tools = self.folder / "tools"
        self.tools.mkdir()
        self.environment = {"HOME": str(self.folder), "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "",
                            "PATH": str(self.tools)}

    def tool(self, name, text):
        path = self.tools / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{text}\n")
        path.chmod(0o755)

    def muster(self, *arguments, **environment):
        result = run(MUSTER, *arguments, environment={**self.environment, **environment})
        self.assertEqual(result.left_behind, [], result)
        return result


class WithoutSlurm(Case):
    def test_submitting_says_what_is_missing(self):
        result = self.muster("submit", "--", "/bin/true")
        self.assertEqual((result.code, result.stdout), (1, ""), result)
        self.assertRegex(result.stderr, r"\Amuster: sbatch cannot be started: .*--dry-run prints the script\n\Z")

    def test_the_script_can_be_printed_all_the_same(self):
        result = self.muster("submit", "--dry-run", "-n", "4", "--", MUSTER, "sweep")
        self.assertEqual(result.code, 0, result)
        # muster is an MPI program, and nothing here says that srun could start one.
        self.assertIn(f"\nmpirun --bind-to none {MUSTER} sweep &\n", result.stdout)

    def test_looking_says_what_is_missing(self):
        result = self.muster("jobs")
        self.assertEqual(result.code, 1, result)
        self.assertIn("squeue cannot be started", result.stderr)

    def test_without_a_home_jobs_are_submitted_and_not_recorded(self):
        self.tool("sbatch", "cat > /dev/null; echo 12")
        self.assertEqual(self.muster("submit", "--parsable", "--", "/bin/true", HOME="").stdout, "12\n")
        result = self.muster("jobs", HOME="")
        self.assertEqual(result.code, 1, result)
        self.assertIn("HOME is not set", result.stderr)

    def test_command_lines_that_cannot_be_used_are_refused_before_anybody_is_asked(self):
        self.tool("sbatch", f"touch {self.folder}/asked; echo 12")
        for arguments in (["--signal", "x@y", "--", "a"], ["--launch", "rocket", "--", "a"], ["-n", "-1", "--", "a"],
                          ["--template", "/nowhere", "--", "a"], ["--option", "x", "--", "a"], []):
            result = self.muster("submit", *arguments)
            self.assertEqual((result.code, result.stdout), (2, ""), result)
            self.assertTrue(result.stderr.startswith("muster: "), result)
        self.assertFalse((self.folder / "asked").exists())


class OddSlurm(Case):
    def test_a_job_of_a_named_cluster_is_known_by_its_number(self):
        self.tool("sbatch", "cat > /dev/null; echo '12;north'")
        self.assertEqual(self.muster("submit", "--parsable", "--", "/bin/true").stdout, "12\n")

    def test_sbatch_that_does_not_read_the_script_is_no_broken_pipe(self):
        self.tool("sbatch", "echo 'sbatch: error: no' >&2; exit 1")
        result = self.muster("submit", "--", "/bin/echo", "x" * 100_000)
        self.assertEqual((result.code, result.stderr), (1, "muster: sbatch: error: no\n"), result)

    def test_sbatch_that_says_nothing_has_not_taken_it(self):
        self.tool("sbatch", "cat > /dev/null")
        result = self.muster("submit", "--", "/bin/true")
        self.assertEqual((result.code, result.stderr),
                         (1, "muster: sbatch took the script, but said no job's number\n"), result)

    def test_inside_a_job_its_variables_are_not_the_next_ones(self):
        self.tool("sbatch", f"cat > /dev/null; env > {self.folder}/variables; echo 12")
        self.muster("submit", "--", "/bin/true", SLURM_JOB_ID="7", SLURM_CPUS_PER_TASK="3", SLURM_CONF="/c", KEPT="1")
        variables = (self.folder / "variables").read_text().splitlines()
        self.assertIn("SLURM_CONF=/c", variables)
        self.assertIn("KEPT=1", variables)
        self.assertFalse([v for v in variables if v.startswith("SLURM_") and not v.startswith("SLURM_CONF=")])

    def test_jobs_that_nobody_tells_of_are_gone(self):
        self.tool("sbatch", "cat > /dev/null; echo 12")
        self.tool("squeue", "echo nonsense")
        self.tool("sacct", "echo 'accounting is disabled' >&2; exit 1")
        self.muster("submit", "--parsable", "--", "/bin/true")
        result = self.muster("jobs")
        self.assertRegex(result.stdout, r"(?m)^12 +true +GONE ", result)
        self.assertEqual(self.muster("jobs", "--watch").code, 1)
        self.tool("sacct", "echo '12|TIMEOUT|00:10:00|00:10:00|0:15|n1|true'")
        self.assertRegex(self.muster("jobs").stdout, r"(?m)^12 +true +TIMEOUT +00:10:00 +00:10:00 +signal 15 ")


if __name__ == "__main__":
    unittest.main()
