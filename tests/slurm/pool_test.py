#!/usr/bin/env python3
"""muster pool on a real Slurm: jobs that come and go share a sweep."""

import collections
import os

from slurm_case import SlurmCase, main

MUSTER = os.environ["MUSTER_PROGRAM"]


class Pool(SlurmCase):
    def setUp(self):
        super().setUp()
        self.environment = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state"),
                            "XDG_CONFIG_HOME": str(self.folder / "config")}

    def pool(self, *arguments, submit=""):
        return self.run_on_head(MUSTER, "pool", "--journal", "out", "--interval", "500ms", "--idle", "1s", "--submit",
                                "-n 1 -c 2 -t 5 --output %j.out " + submit, *arguments, "--", "--range", "n=1-60",
                                "sh", "-c", "echo {n} >> ran; sleep 0.3", environment=self.environment, timeout=150)

    def ran(self):
        path = self.folder / "ran"
        return collections.Counter(path.read_text().split()) if path.exists() else collections.Counter()

    def test_jobs_share_a_sweep_until_it_is_done(self):
        done = self.expect(self.pool("--max-jobs", "3", "--backlog", "3"))
        self.assertGreaterEqual(done.stdout.count("submitted job"), 3, done.stdout)
        # Which limit is met first depends on how soon Slurm starts them.
        self.assertRegex(done.stdout, r"submits no further job: .*\((--backlog|--max-jobs)\)")
        self.assertIn("all commands are done", done.stdout)
        self.assertEqual(self.ran(), collections.Counter(map(str, range(1, 61))))
        # Nothing is left to do, and it says so.
        again = self.expect(self.pool())
        self.assertNotIn("submitted", again.stdout)

    def test_a_job_that_cannot_work_is_given_up(self):
        done = self.expect(self.pool("--max-jobs", "1", submit="--setup 'exit 7'"), 1)
        self.assertIn("3 jobs in a row ended without finishing a command", done.stderr)
        self.assertEqual(done.stdout.count("submitted job"), 3, done.stdout)

    def test_a_dry_run_submits_nothing(self):
        done = self.expect(self.pool("--dry-run"))
        self.assertIn("60 of 60 commands are left", done.stdout)
        self.assertIn("#SBATCH", done.stdout)
        self.assertEqual(self.cluster.run("squeue", "-h").stdout, "")


if __name__ == "__main__":
    main()
