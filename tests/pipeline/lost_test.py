"""What becomes of a pipeline whose rank is killed, or that is interrupted."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from harness import run  # noqa: E402
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "chaos"))
from chaos_test import missing  # noqa: E402

PROGRAM = os.environ["PIPELINE_PROGRAM"]
SURVIVING = {"OMPI_MCA_orte_enable_recovery": "1", "MUSTER_HEARTBEAT_TIMEOUT": "1", "MUSTER_CPUS": "2"}


class Lost(unittest.TestCase):
    def test_the_blocks_of_a_killed_rank_are_made_again(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run(PROGRAM, "sum", Path(folder) / "sign", ranks=3, environment=SURVIVING)
        self.assertIn("died: 1, rows in order: 1 100000\n", result.stdout, result)
        self.assertEqual(result.left_behind, [], result)

    def test_an_interrupted_pipeline_ends(self):
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                result = run(PROGRAM, ranks=ranks, interrupt_at="running")
                self.assertEqual(result.left_behind, [], result)
                if ranks is None:
                    self.assertEqual(result.code, 130, result)


if __name__ == "__main__":
    if why := missing():
        print(why)
        sys.exit(77)
    unittest.main(verbosity=2)
