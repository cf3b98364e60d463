"""Programs as a user starts them: exit codes, messages, signals, and that nothing is left behind."""

import os
import shlex
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from harness import run  # noqa: E402

PROGRAM = os.environ.get("CORE_PROGRAM", "")
OTHER = os.environ.get("CORE_OTHER_PROGRAM", "")
WORLDS = (None, 1, 3)  # None: alone, without a launcher
TWO_CPUS = {"MUSTER_CPUS": "2"}  # for each rank: then 200 tasks are more than can run


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

    def test_an_isolated_task_that_does_not_stop_is_killed_and_ends_nothing_else(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                self.expect(run(PROGRAM, "isolated-deaf", ranks=ranks), 5, "", "")


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
        return result

    def test_interrupted_everything_is_gone_within_two_seconds(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = self.check(signal.SIGINT, ranks)
                if ranks is None:
                    self.assertEqual(result.code, 130, result)
                    self.assertEqual(result.stderr, "interrupted (SIGINT); once more ends it at once\n")

    def test_terminated_everything_is_gone_within_two_seconds(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = self.check(signal.SIGTERM, ranks)
                if ranks is None:
                    self.assertEqual(result.code, 75, result)
                    self.assertIn("ending (SIGTERM): no task starts any more", result.stderr)
                    self.assertRegex(result.stderr, r"ended by force, .*spin \(task 0:\d+\)")
                    self.assertEqual(result.stderr.count("\n"), 2, result)

    def test_killed_alone_its_commands_and_isolated_tasks_go_with_it(self):
        result = run(PROGRAM, "busy", interrupt_at="running", signal_number=signal.SIGKILL)
        self.assertEqual(result.code, -signal.SIGKILL, result)
        self.assertEqual(result.left_behind, [], result)

    def test_a_lost_rank_ends_the_job_and_leaves_nothing(self):
        for ranks in (2, 3):
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "lose-a-rank", ranks=ranks)
                self.assertNotEqual(result.code, 0, result)
                self.assertEqual(result.left_behind, [], result)


class Endings(Case):
    """What the program sees when it must end; nothing here depends on how fast the machine is."""

    def check_saved(self, result, ranks, why):
        self.expect(result, 75)
        count = ranks or 1
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "running", result)
        self.assertIn("hook: saved 1, time left 1", lines, result)
        self.assertIn(f"finished {count} of {count}", lines, result)
        self.assertIn("task's hook ran 1", lines, result)
        self.assertEqual(lines.count("code 11: not started: the run is ending"), 2, result)
        self.assertEqual(lines[-1], "saved 2", result)
        self.assertIn(f"ending ({why}): no task starts any more", result.stderr)
        self.assertIn("an on_deadline hook threw: disk full", result.stderr)

    def test_near_a_time_limit_what_runs_finishes_and_what_waits_fails(self):
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "end-early", ranks=ranks, timeout=120,
                             environment=TWO_CPUS | {"MUSTER_TIME_LIMIT": "70s", "MUSTER_TIME_LEAD": "60s"})
                self.check_saved(result, ranks, "time limit")

    def test_the_end_of_a_slurm_job_is_a_time_limit(self):
        result = run(PROGRAM, "end-early",
                     environment=TWO_CPUS | {"SLURM_JOB_END_TIME": str(int(time.time()) + 70),
                                             "MUSTER_TIME_LEAD": "60s"})
        self.check_saved(result, None, "time limit")

    def test_told_by_a_signal_it_ends_in_order(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "end-early", ranks=ranks, interrupt_at="running",
                             signal_number=signal.SIGUSR2, environment=TWO_CPUS | {"MUSTER_TIME_LEAD": "60s"})
                self.check_saved(result, ranks, "SIGUSR2")

    def test_terminated_it_ends_in_order(self):
        result = run(PROGRAM, "end-early", interrupt_at="running", signal_number=signal.SIGTERM,
                     environment=TWO_CPUS | {"MUSTER_TERM_GRACE": "60s"})
        self.check_saved(result, None, "SIGTERM")

    def test_a_driver_that_does_not_catch_it_adds_no_message(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "end-early-uncaught", ranks=ranks, interrupt_at="running",
                             signal_number=signal.SIGUSR2, environment=TWO_CPUS | {"MUSTER_TIME_LEAD": "60s"})
                self.expect(result, 75)
                self.assertNotIn("error: task", result.stderr)

    def test_a_driver_may_look_and_return(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "looks", ranks=ranks, interrupt_at="running",
                             signal_number=signal.SIGUSR2, environment=TWO_CPUS | {"MUSTER_TIME_LEAD": "60s"})
                self.expect(result, 75, "running\nstopping 1\n")

    def test_a_hook_that_hangs_is_ended_with_the_run(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, "hook-hangs", ranks=ranks, interrupt_at="running",
                             signal_number=signal.SIGUSR2, environment={"MUSTER_TIME_LEAD": "1s"})
                self.expect(result, 75, "running\n")
                self.assertIn("ended by force", result.stderr)

    def test_interrupted_twice_it_is_gone_at_once(self):
        # With a grace that the test would notice, were it waited for.
        process = subprocess.Popen([PROGRAM, "deaf-driver"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.assertEqual(process.stdout.readline(), "running\n")
        process.send_signal(signal.SIGINT)
        self.assertIn("interrupted", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)


class Pages(Case):
    def page(self, ranks):
        launcher = [] if ranks is None else [*shlex.split(os.environ["MUSTER_TEST_MPIEXEC"]), str(ranks)]
        process = subprocess.Popen([*launcher, PROGRAM, "waits"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, start_new_session=True, env={**os.environ, **TWO_CPUS})
        try:
            self.assertEqual(process.stdout.readline(), "running\n")
            process.send_signal(signal.SIGUSR1)
            lines = []
            while not lines or not lines[-1].startswith("  report "):
                lines.append(process.stderr.readline())
                self.assertNotEqual(lines[-1], "", lines)
            return "".join(lines)
        finally:
            process.terminate()
            process.communicate()

    def test_it_says_what_waits_on_whom(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                page = self.page(ranks)
                count = ranks or 1
                self.assertTrue(page.startswith("muster at "), page)
                self.assertIn("1 rank," if count == 1 else f"{count} ranks,", page)
                self.assertRegex(page, rf"rank {count - 1}  .*wait_for_stop \(0:1\)", page)
                self.assertIn("ready, and waiting for room:", page)
                self.assertRegex(page, r"wait_for_stop \([\d,]+ tasks, priority 2\): 1 cpu; the most that is free is 0 cpus on rank ",
                                 page)
                self.assertRegex(page, rf"rank {count - 1}  .* \(0:2\), in get\(\)\n")
                self.assertIn("  report (0:8): merge (0:7), which waits itself\n", page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
