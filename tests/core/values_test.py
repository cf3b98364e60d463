"""Values that take more room than there is: on disk, then held back, then refused."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from harness import run  # noqa: E402

PROGRAM = os.environ.get("CORE_VALUES_PROGRAM", "")
WORLDS = (None, 1, 3)


class Values(unittest.TestCase):
    def run_with(self, what, memory, spill, ranks, wait=20, directory=None):
        parts = ranks or 1
        environment = {
            "MUSTER_OBJECT_MEMORY": f"{memory * parts}MiB", "MUSTER_OBJECT_WAIT": str(wait), "MUSTER_CPUS": "1",
            "MUSTER_SPILL_SIZE": f"{spill * parts}MiB" if spill else "0"}
        if directory is not None:
            environment["MUSTER_SPILL_DIRECTORY"] = directory
        result = run(PROGRAM, what, ranks=ranks, environment=environment)
        self.assertEqual(result.left_behind, [], result)
        return result

    def test_what_does_not_fit_into_memory_is_read_on_disk(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks), tempfile.TemporaryDirectory() as folder:
                result = self.run_with("spill", 2, 64, ranks, directory=folder)
                self.assertEqual(result.code, 0, result)
                read = 48 * (ranks or 1)
                self.assertEqual(result.stdout, f"right {read} of {read}\nmemory 2 MiB, disk the rest\n", result)
                self.assertEqual(os.listdir(folder), [])

    def test_who_makes_values_too_fast_waits_until_they_are_consumed(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = self.run_with("run-ahead", 3, 0, ranks)
                self.assertEqual((result.code, result.stdout, result.stderr), (0, "right 60\n", ""), result)

    def test_what_fits_nowhere_is_refused_in_a_sentence(self):
        for ranks in WORLDS:
            with self.subTest(ranks=ranks):
                result = self.run_with("fill", 4, 0, ranks, wait=1)
                self.assertEqual(result.code, 1, result)
                self.assertRegex(result.stderr, "no room for a value of .*: values take 4 MiB of 4 MiB in memory")
                self.assertIn("and none was freed for 1 s; drop futures", result.stderr)
                self.assertEqual(result.stderr.count("\n"), 1, result)

    def test_a_task_whose_result_fits_nowhere_fails_with_that_sentence(self):
        result = self.run_with("fill-from-task", 4, 4, 3, wait=1)
        self.assertEqual(result.code, 1, result)
        self.assertIn("rank 2 on ", result.stderr)
        self.assertIn("values take 4 MiB of 4 MiB in memory", result.stderr)
        self.assertIn("and 4 MiB of 4 MiB on disk", result.stderr)

    def test_what_can_never_fit_is_refused_at_once(self):
        result = self.run_with("too-large", 4, 8, 3, wait=3600)
        self.assertEqual(result.code, 1, result)
        self.assertIn("no room for a value of 64 MiB", result.stderr)
        self.assertIn("it is larger than either", result.stderr)

    def test_a_directory_that_is_not_there_is_said_at_once(self):
        result = self.run_with("spill", 2, 64, 3, directory="/nonexistent")
        self.assertEqual((result.code, result.stdout), (2, ""), result)
        self.assertEqual(result.stderr, "error: MUSTER_SPILL_DIRECTORY is \"/nonexistent\": No such file or directory\n")


if __name__ == "__main__":
    unittest.main()
