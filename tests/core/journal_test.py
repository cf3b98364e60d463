"""The journal as its users see it: programs that are run again, killed, started twice at once."""

import collections
import os
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from harness import command_line, run  # noqa: E402

PROGRAM = os.environ.get("CORE_JOURNAL_PROGRAM", "")
CHANGED = os.environ.get("CORE_CHANGED_JOURNAL_PROGRAM", "")
WORLDS = (None, 1, 3)  # None: alone, without a launcher


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.fresh()

    def fresh(self):
        """A journal that does not exist yet, and no executions."""
        self.study = self.folder / f"study{len(list(self.folder.iterdir()))}"
        self.study.mkdir()
        self.journal = self.study / "journal"
        self.executions = self.study / "executions"

    def environment(self, **more):
        return {"MUSTER_JOURNAL": str(self.journal), "EXECUTIONS": str(self.executions), **more}

    def start(self, *arguments, program=PROGRAM, ranks=None, **more):
        return run(program, *arguments, ranks=ranks, environment=self.environment(**more))

    def expect(self, result, code=0, stdout=None, stderr=""):
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.left_behind, [], result)
        if stdout is not None:
            self.assertEqual(result.stdout, stdout, result)
        if stderr is not None:
            self.assertEqual(result.stderr, stderr, result)

    def executed(self):
        """How often what was executed, since the last call."""
        lines = self.executions.read_text().splitlines() if self.executions.exists() else []
        self.executions.unlink(missing_ok=True)
        return collections.Counter(lines)

    def squares(self, numbers):
        return collections.Counter(f"square {i}" for i in numbers)


class Again(Case):
    """What is finished is skipped when the program runs again."""

    def test_map_entries_are_skipped(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                self.fresh()
                self.expect(self.start("map", 300, ranks=ranks), stdout="total 8955050\n")
                self.assertEqual(self.executed(), self.squares(range(300)))
                self.expect(self.start("map", 300, ranks=ranks), stdout="total 8955050\n")
                self.assertEqual(self.executed(), {})
                # More of them, and on another number of ranks: only the new ones.
                self.expect(self.start("map", 310, MUSTER_LOCAL_RANKS="2"), stdout="total 9882335\n")
                self.assertEqual(self.executed(), self.squares(range(300, 310)))

    def test_without_a_journal_everything_runs(self):
        for _ in range(2):
            result = run(PROGRAM, "map", 10, environment={"EXECUTIONS": str(self.executions)})
            self.expect(result, stdout="total 285\n")
            self.assertEqual(self.executed(), self.squares(range(10)))

    def test_a_key_stands_for_the_work_whatever_its_arguments(self):
        first = self.start("named", 3, ranks=2)
        self.expect(first)
        self.assertEqual(sum(self.executed().values()), 3)
        self.expect(self.start("named", 3), stdout=first.stdout)
        self.assertEqual(self.executed(), {})
        second = self.start("named", 4)
        self.assertTrue(second.stdout.startswith(first.stdout), second)
        self.assertEqual(sum(self.executed().values()), 1)

    def test_a_driver_may_look_what_is_there(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                self.fresh()
                squares = self.start("named", 3, ranks=ranks).stdout
                self.executed()
                self.expect(self.start("recorded", 5, ranks=ranks), stdout=squares + "none\nnone\nrecorded()\n")
                self.assertEqual(self.executed(), {})
        result = run(PROGRAM, "recorded", 1)
        self.expect(result, stdout="none\nrecorded()\n")

    def test_large_results_and_futures_as_arguments(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                self.fresh()
                expected = "400000000\n10000\n10000\n400000000\n20000\n"
                self.expect(self.start("chain", 20000, ranks=ranks), stdout=expected)
                # A large argument and put() of it are the same value.
                self.assertEqual(self.executed(), {"row 20000": 1, "sum": 3})
                self.expect(self.start("chain", 20000, ranks=ranks), stdout=expected)
                self.assertEqual(self.executed(), {"sum": 1})  # the one that is not keyed

    def test_one_key_is_one_piece_of_work_also_within_a_run(self):
        for ranks in WORLDS:
            self.fresh()
            self.expect(self.start("same", 7, ranks=ranks), stdout="980\n49\n")
            self.assertEqual(self.executed(), {"square 7": 1})

    def test_failures_are_tried_again(self):
        for _ in range(2):
            self.expect(self.start("fail", 3), stdout="1\n1\n")
            self.assertEqual(self.executed(), {"fail 3": 2})

    def test_gangs_and_commands(self):
        self.expect(self.start("gang", ranks=3), stdout="3\n")
        self.assertEqual(self.executed(), {"member": 3})
        self.expect(self.start("gang", ranks=3), stdout="3\n")
        self.assertEqual(self.executed(), {})
        for executed in ({"ran": 1}, {}):
            self.expect(self.start("command"), stdout="said\n")
            self.assertEqual(self.executed(), executed)

    def test_what_cannot_be_keyed_is_refused_with_the_reason(self):
        lines = self.start("refuse", ranks=2)
        self.expect(lines)
        said = lines.stdout.splitlines()
        self.assertIn("it is a lambda, which has no name of its own", said[0])
        self.assertIn("one of them is, or contains, a future that has none", said[1])
        self.assertIn("only the driver submits keyed tasks", said[2])
        self.assertIn("another task function has the same name", said[3])
        self.assertEqual(said[4:], ["1", "2", "-3"])


class Broken(Case):
    """Crashes, damage and refusals."""

    def test_killed_in_the_middle_it_goes_on_from_there(self):
        for ranks in (None, 2):
            with self.subTest(ranks=ranks):
                self.fresh()
                result = run(PROGRAM, "half", 40, ranks=ranks, interrupt_at="half", signal_number=signal.SIGKILL,
                             environment=self.environment(STUCK_FROM="20", MUSTER_CPUS="40"))
                self.assertNotEqual(result.code, 0)
                self.executed()
                self.expect(self.start("map", 40, ranks=ranks), stdout="total 20540\n")
                self.assertEqual(self.executed(), self.squares(range(20, 40)))

    def test_interrupted_it_keeps_what_is_done(self):
        result = run(PROGRAM, "half", 40, interrupt_at="half",
                     environment=self.environment(STUCK_FROM="20", MUSTER_CPUS="40"))
        self.assertEqual(result.code, 128 + signal.SIGINT, result)
        self.executed()
        self.expect(self.start("map", 40), stdout="total 20540\n")
        self.assertEqual(self.executed(), self.squares(range(20, 40)))

    def test_a_torn_tail_costs_the_torn_record(self):
        self.expect(self.start("map", 20), stdout="total 2470\n")
        self.executed()
        segment = self.journal / "segments" / "000001"
        whole = segment.read_bytes()
        # Behind the results is the record of the end: 48 bytes. Each result has 48, and a value of 8.
        for cut in (47, 48, 49, 48 + 55, 48 + 56):
            segment.write_bytes(whole[:len(whole) - cut])
            for later in sorted((self.journal / "segments").iterdir())[1:]:
                later.unlink()
            self.expect(self.start("map", 20), stdout="total 2470\n")
            self.assertEqual(sum(self.executed().values()), 0 if cut <= 48 else 1, cut)

    def test_damage_costs_the_damaged_record_and_is_said(self):
        self.expect(self.start("map", 20), stdout="total 2470\n")
        self.executed()
        segment = self.journal / "segments" / "000001"
        damaged = bytearray(segment.read_bytes())
        damaged[-48 - 56 * 10 - 3] ^= 0x40
        segment.write_bytes(damaged)
        result = self.start("map", 20)
        self.expect(result, stdout="total 2470\n", stderr=None)
        self.assertIn("journal damaged file=", result.stderr)
        self.assertEqual(sum(self.executed().values()), 1)

    def test_another_version_is_refused(self):
        self.expect(self.start("map", 5))
        self.executed()
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = self.start("map", 5, ranks=ranks, MUSTER_PROGRAM_VERSION="2")
                self.expect(result, 1, "", None)
                self.assertEqual(result.stderr.count("error: "), 1, result)
                self.assertIn(f"error: the journal {self.journal} (MUSTER_JOURNAL): its results are from "
                              'version "1" of the program', result.stderr)
                self.assertIn('this is version "2"', result.stderr)
                self.assertIn("MUSTER_PROGRAM_VERSION=1", result.stderr)
        self.expect(self.start("map", 5, MUSTER_PROGRAM_VERSION="1"), stdout="total 30\n")
        self.assertEqual(self.executed(), {})

    def test_a_result_of_another_type_is_refused(self):
        self.expect(self.start("changing"), stdout="7\n")
        result = self.start("changing", program=CHANGED)
        self.expect(result, 1, "", None)
        self.assertIn("task changing: the journal ", result.stderr)
        self.assertIn("as another type than the one it returns now", result.stderr)

    def test_a_directory_that_cannot_be_used_is_refused(self):
        for ranks in WORLDS:
            self.fresh()
            self.journal.write_text("a file")
            result = self.start("map", 5, ranks=ranks)
            self.expect(result, 1, "", f"error: the journal {self.journal} (MUSTER_JOURNAL): {self.journal} is not "
                                       "a directory\n")
        self.fresh()
        self.journal = Path("/proc/journal")
        result = self.start("map", 5)
        self.expect(result, 1, "", None)
        self.assertIn("cannot make the folder /proc/journal/segments: No such file or directory (ENOENT)",
                      result.stderr)

    def test_a_file_that_is_no_segment_is_refused(self):
        self.expect(self.start("map", 5))
        (self.journal / "segments" / "000002").write_text("my notes\n")
        result = self.start("map", 5)
        self.expect(result, 1, "", None)
        self.assertIn("segments/000002 does not start as a segment does: move it away", result.stderr)

    def test_a_full_disk_is_a_clear_failure_that_loses_nothing(self):
        # A limit on the size of files stands for the disk: writes fail behind it, as with ENOSPC.
        limited = ["prlimit", "--fsize=1000000:", "sh", "-c", 'trap "" XFSZ; exec "$0" "$@"']
        result = run(limited[0], *limited[1:], PROGRAM, "rows", 20, environment=self.environment())
        self.expect(result, 1, "", None)
        self.assertEqual(result.stderr.count("error: "), 1, result)
        self.assertIn(f"error: the journal {self.journal} (MUSTER_JOURNAL): cannot write ", result.stderr)
        self.assertIn("File too large (EFBIG)", result.stderr)
        self.assertIn(" 9 results of this run are recorded", result.stderr)
        self.assertEqual(len(self.executed()), 10)
        self.expect(self.start("rows", 20, ranks=2), stdout="rows\n")
        self.assertEqual(self.executed(), collections.Counter(f"row {12500 + i}" for i in range(9, 20)))

    def test_a_full_disk_is_said_once_also_by_tasks_that_waited_for_it(self):
        limited = ["prlimit", "--fsize=20000:", "sh", "-c", 'trap "" XFSZ; exec "$0" "$@"']
        result = run(limited[0], *limited[1:], PROGRAM, "map", 3000, environment=self.environment())
        self.expect(result, 1, "total ", None)
        self.assertEqual(result.stderr.count("error: "), 1, result)
        self.assertIn("File too large (EFBIG)", result.stderr)

    def test_a_really_full_disk(self):
        mount = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1m none "$0" && exec "$@"']
        self.journal.mkdir()
        if subprocess.run([*mount, str(self.journal), "true"], capture_output=True, check=False).returncode != 0:
            self.skipTest("may not mount a small file system")
        result = run(mount[0], *mount[1:], str(self.journal), PROGRAM, "rows", 20, environment=self.environment())
        self.expect(result, 1, "", None)
        self.assertIn("No space left on device (ENOSPC)", result.stderr)
        self.assertRegex(result.stderr, r" \d+ results of this run are recorded, later ones are not: make room")


class Together(Case):
    """Several jobs on one directory."""

    def begin(self, *arguments, **more):
        process = subprocess.Popen(command_line(PROGRAM, [str(a) for a in arguments], None), text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, **self.environment(**more)})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_they_share_the_work_and_each_gets_all_of_it(self):
        jobs = [self.begin("map", 3000) for _ in range(3)]
        for job in jobs:
            out, err = job.communicate(timeout=60)
            self.assertEqual((job.returncode, out, err), (0, "total 8995500500\n", ""))
        self.assertEqual(self.executed(), self.squares(range(3000)))
        self.assertEqual(len(list((self.journal / "segments").iterdir())), 3)

    def test_what_a_killed_job_had_claimed_is_taken_over(self):
        first = self.begin("half", 40, STUCK_FROM="20", MUSTER_CPUS="40")
        self.assertEqual(first.stdout.readline(), "total 2470\n")
        self.assertEqual(first.stdout.readline(), "half\n")
        self.executed()
        second = self.begin("map", 40, MUSTER_LOG="info")
        # It waits for what the first has claimed, and says so.
        for line in second.stderr:
            if "journal waits " in line:
                self.assertIn("keys=20 for=", line)
                self.assertIn(f"job 1 (process {first.pid} on ", line)
                break
        self.assertEqual(self.executed(), {})
        first.kill()
        out, _ = second.communicate(timeout=60)
        self.assertEqual((second.returncode, out), (0, "total 20540\n"))
        self.assertEqual(self.executed(), self.squares(range(20, 40)))

    def test_a_job_that_ends_in_order_gives_up_its_claims(self):
        first = self.begin("half", 40, STUCK_FROM="20", MUSTER_CPUS="40")
        self.assertEqual(first.stdout.readline(), "total 2470\n")
        second = self.begin("map", 40)
        first.send_signal(signal.SIGTERM)
        out, err = second.communicate(timeout=60)
        self.assertEqual((second.returncode, out, err), (0, "total 20540\n", ""))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main(verbosity=2)
