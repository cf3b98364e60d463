#!/usr/bin/env python3
"""muster sweep on a real Slurm: on ranks, on tasks that know nothing of MPI, and on what a lost node leaves."""

import collections
import os

from slurm_case import SIX_RANKS, SlurmCase, main

MUSTER = os.environ["MUSTER_PROGRAM"]


class Sweep(SlurmCase):
    def ran(self):
        path = self.folder / "ran"
        return collections.Counter(path.read_text().split()) if path.exists() else collections.Counter()

    def cat(self):
        return self.expect(self.run_on_head(MUSTER, "cat", "out")).stdout

    def expect_all_recorded_once(self, count, commands):
        """Whoever resumes has nothing to do, and each command's output is there once."""
        self.assertEqual(sorted(map(int, self.cat().split())), list(range(1, count + 1)))
        before = self.ran()
        done = self.expect(self.run_on_head(MUSTER, "sweep", "--resume", "--journal", "out", *commands))
        self.assertIn(f"{count:,} commands ({count:,} of them before): {count:,} succeeded", done.stderr)
        self.assertEqual(self.ran(), before)

    def test_two_thousand_commands_and_a_node_that_is_lost(self):
        # Slurm may kill a command before its rank, which then reports it as failed: hence --retries.
        commands = ["--array", "1-2000", "sh", "-c", "echo {} >> ran; echo {}; sleep 0.01"]
        process = self.start("srun", "--mpi=pmix", "--kill-on-bad-exit=0", "--no-kill", *SIX_RANKS, MUSTER, "sweep",
                             "--retries", "2", "--journal", "out", *commands, environment={"MUSTER_HEARTBEAT_TIMEOUT": "2"})
        self.wait_for("some have run", lambda: len(self.ran()) > 300)
        self.cluster.call("scontrol", "update", "nodename=n3", "state=down", "reason=test")
        self.wait_for("all have run", lambda: "2,000 commands: 2,000 succeeded" in self.client_output(), 120)
        process.wait(60)
        ran = self.ran()
        self.assertEqual(set(ran), set(map(str, range(1, 2001))))
        # What the lost ranks had under way, or ahead.
        self.assertLess(sum(ran.values()), 2100)
        self.expect_all_recorded_once(2000, commands)

    def test_tasks_without_mpi_share_a_sweep(self):
        commands = ["--array", "1-90", "sh", "-c", "echo {} >> ran; echo {}; sleep 0.1"]
        done = self.expect(self.srun("--mpi=none", "-N3", "--export=ALL,MUSTER_TRANSPORT=local", MUSTER, "sweep",
                                     "--resume", "--journal", "out", *commands))
        self.assertEqual(done.stderr.count("90 succeeded"), 3, done.stderr)
        self.assertEqual(self.ran(), collections.Counter(map(str, range(1, 91))))
        self.expect_all_recorded_once(90, commands)


if __name__ == "__main__":
    main()
