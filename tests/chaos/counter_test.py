"""An actor's rank is killed while calls of it are under way: what its callers get, and its state."""

import os
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from harness import run  # noqa: E402

COUNTER = os.environ["COUNTER"]
SURVIVING = {"OMPI_MCA_orte_enable_recovery": "1", "MUSTER_HEARTBEAT_TIMEOUT": "2", "MUSTER_DRIVER_CPUS": "0"}
OUTCOME = re.compile(r"calls (\d+) value (\d+) right (\d+) wrong (\d+) restarted (\d+) missing (-?\d+) hosts (\d+)\n")


class Counter(unittest.TestCase):
    def count(self, *arguments):
        result = run(COUNTER, *arguments, ranks=4, environment=SURVIVING)
        found = OUTCOME.search(result.stdout)
        self.assertIsNotNone(found, result)
        self.assertEqual(result.left_behind, [], result)
        print(*arguments, "->", found[0], end="", flush=True)
        return [int(number) for number in found.groups()]

    def test_with_replay_every_call_counts_once_and_none_fails(self):
        for how, save_every, kills in (("replay", 1, 1), ("replay", 7, 1), ("replay", 64, 2), ("replay", 100_000, 2),
                                       ("isolated", 16, 1)):
            with self.subTest(how=how, save_every=save_every, kills=kills):
                calls, value, right, wrong, restarted, missing, hosts = self.count(how, save_every, kills)
                self.assertEqual((value, right, wrong, restarted, missing), (calls, calls, 0, 0, 0))
                self.assertGreaterEqual(calls, 2000)
                self.assertEqual(hosts, kills + 1)

    def test_without_replay_calls_under_way_fail_and_the_saved_state_goes_on(self):
        calls, value, right, wrong, restarted, _, hosts = self.count("plain", 1, 1)
        self.assertGreater(restarted, 0)
        self.assertEqual(right + wrong + restarted, calls)
        # A save behind each call: only those whose result left the host ahead of their save may be lost, too.
        # No more than that are under way at a time.
        self.assertLessEqual(value, calls)
        self.assertGreaterEqual(value, calls - restarted - 512)
        self.assertEqual(hosts, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
