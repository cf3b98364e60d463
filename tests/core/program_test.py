"""Programs as a user starts them: exit codes, messages, signals, and that nothing is left behind."""

import os
import shlex
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from harness import run  # noqa: E402

PROGRAM = os.environ.get("CORE_PROGRAM", "")
OTHER = os.environ.get("CORE_OTHER_PROGRAM", "")
WORLDS = (None, 1, 3)  # None: alone, without a launcher


class Case(unittest.TestCase):
    def expect(self, result, code, stdout=None, stderr=None):
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.left_behind, [], result)
        if stdout is not None:
            self.assertEqual(result.stdout, stdout, result)
        if stderr is not None:
            self.assertEqual(result.stderr, stderr, result)


class Ends(Case):
    def test_exit_codes_and_messages_are_the_drivers(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                self.expect(run(PROGRAM, "add", ranks=ranks), 0, "sum 3\n", "")
                self.expect(run(PROGRAM, "code", ranks=ranks), 7, "", "")
                self.expect(run(PROGRAM, "queued", ranks=ranks), 3, "", "")  # with tasks that never ran
                self.expect(run(PROGRAM, "gang", ranks=ranks), 4, "", "")  # with members that wait
                self.expect(run(PROGRAM, "throw", ranks=ranks), 1, "", "error: no more coffee\n")
                self.expect(run(PROGRAM, "usage", ranks=ranks), 2, "", "error: --trials is 0; use 1 or more\n")

    def test_a_failed_task_is_one_message(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "task-throws", ranks=ranks)
                self.expect(result, 1, "")
                self.assertTrue(result.stderr.startswith("error: task "), result)
                self.assertTrue(result.stderr.endswith("std::out_of_range: row 9\n"), result)
                self.assertEqual(result.stderr.count("\n"), 1, result)

    def test_a_wrong_setting_is_said_once(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, ranks=ranks, environment={"MUSTER_PARKED_MAX": "none"})
                self.expect(result, 2, "")
                self.assertEqual(result.stderr,
                                 'error: MUSTER_PARKED_MAX is "none"; it is a number from 1 to 1048576\n')

    def test_a_closed_standard_output_does_no_harm(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                launcher = [] if ranks is None else shlex.split(os.environ["MUSTER_TEST_MPIEXEC"]) + [str(ranks)]
                line = shlex.join([*launcher, "sh", "-c", f"exec {shlex.quote(PROGRAM)} code >&-"])
                self.expect(run("sh", "-c", line), 7)

    def test_a_task_that_does_not_stop_ends_the_run_with_its_name(self):
        result = run(PROGRAM, "deaf")
        self.expect(result, 1, "")
        self.assertIn("a task did not stop within 5 s of being asked: ", result.stderr)
        self.assertIn("spin", result.stderr)


class Starts(Case):
    def test_different_programs_are_refused(self):
        launcher = shlex.split(os.environ["MUSTER_TEST_MPIEXEC"])
        result = run(launcher[0], *launcher[1:], "1", PROGRAM, ":", launcher[-1], "1", OTHER)
        self.expect(result, 1, "")
        self.assertTrue(result.stderr.startswith("error: ranks run different programs: rank 0 on "), result)
        self.assertEqual(result.stderr.count("error: "), 1, result)
        self.assertIn("Start the same build everywhere", result.stderr)

    def test_singletons_under_a_launcher_that_meant_more_are_refused(self):
        for rank in (0, 1):
            result = run(PROGRAM, environment={"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": str(rank)})
            self.expect(result, 1, "")
            if rank == 0:
                self.assertIn("started 4 processes", result.stderr)
                self.assertEqual(result.stderr.count("error: "), 1, result)

    def test_the_coordinator_may_be_another_rank_than_the_drivers(self):
        for ranks in (2, 3):
            result = run(PROGRAM, ranks=ranks,
                         environment={"MUSTER_COORDINATOR": "1", "MUSTER_DRIVER_CPUS": "0", "MUSTER_LOG": "info"})
            self.expect(result, 0, "sum 3\n")
            self.assertRegex(result.stderr, r"coordinator_elected term=\d+ rank=1 ")


class Signals(Case):
    def check(self, number, ranks):
        result = run(PROGRAM, "busy", ranks=ranks, interrupt_at="running", signal_number=number)
        self.assertEqual(result.left_behind, [], result)
        self.assertNotEqual(result.code, 0, result)
        self.assertLess(result.seconds_to_end, 2.0, result)
        if ranks is None:
            self.assertEqual(result.code, 128 + number, result)
            self.assertEqual(result.stderr.count("\n"), 1, result)

    def test_interrupted_everything_is_gone_within_two_seconds(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                self.check(signal.SIGINT, ranks)

    def test_terminated_everything_is_gone_within_two_seconds(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                self.check(signal.SIGTERM, ranks)

    def test_killed_alone_its_commands_go_with_it(self):
        result = run(PROGRAM, "busy", interrupt_at="running", signal_number=signal.SIGKILL)
        self.assertEqual(result.code, -signal.SIGKILL, result)

    def test_a_lost_rank_ends_the_job_and_leaves_nothing(self):
        for ranks in (2, 3):
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "lose-a-rank", ranks=ranks)
                self.assertNotEqual(result.code, 0, result)
                self.assertEqual(result.left_behind, [], result)


if __name__ == "__main__":
    unittest.main(verbosity=2)
