"""What a user sees when a rank is lost: who ends how, what is printed, what is left behind."""

import os
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from harness import run  # noqa: E402
from chaos_test import missing  # noqa: E402

PROGRAM = os.environ["CORE_PROGRAM"]
STUCK = os.environ["STUCK_MPI"]
RAW_GANG = os.environ["RAW_GANG"]
SURVIVING = {"OMPI_MCA_orte_enable_recovery": "1", "MUSTER_HEARTBEAT_TIMEOUT": "1", "MUSTER_DRIVER_CPUS": "0"}


class Lost(unittest.TestCase):
    def test_a_rank_whose_mpi_does_not_come_back_ends_and_its_task_runs_elsewhere(self):
        result = run(STUCK, ranks=3, environment=SURVIVING)
        self.assertIn("survives: 1\n", result.stdout, result)
        self.assertIn("answer 42\n", result.stdout, result)
        self.assertRegex(result.stderr, r"rank \d: its progress thread has not come back from MPI for 3 s", result)
        self.assertEqual(result.left_behind, [], result)

    def test_a_gang_in_mpi_that_loses_a_member_costs_its_ranks_and_the_run_goes_on(self):
        result = run(RAW_GANG, ranks=5, environment=SURVIVING)
        self.assertRegex(result.stdout, r"failed: .*rank \d", result)
        self.assertIn("sum 42\n", result.stdout, result)
        self.assertEqual(len(re.findall(r"rank \d: its member of a gang that calls MPI", result.stderr)), 2, result)
        self.assertEqual(result.left_behind, [], result)

    def test_a_killed_rank_takes_its_commands_along_and_the_run_goes_on(self):
        result = run(PROGRAM, "lose-a-rank-and-go-on", ranks=3, environment=SURVIVING)
        self.assertIn("went on without it\n", result.stdout, result)
        self.assertEqual(result.left_behind, [], result)

    def test_without_the_drivers_rank_every_rank_ends_with_a_sentence(self):
        result = run(PROGRAM, "lose-the-driver", ranks=3, environment=SURVIVING)
        self.assertEqual(result.stderr.count("without the driver's rank there is no run"), 2, result)
        self.assertEqual(result.left_behind, [], result)

    def test_the_start_says_whether_a_dead_rank_will_be_survived(self):
        for environment, answer in ((SURVIVING, "yes"), ({}, "no")):
            result = run(PROGRAM, "add", ranks=2, environment={**environment, "MUSTER_LOG": "info"})
            self.assertRegex(result.stderr, f"lost_ranks survived={answer} why=", result)


if __name__ == "__main__":
    if why := missing():
        print(why)
        sys.exit(77)
    unittest.main(verbosity=2)
