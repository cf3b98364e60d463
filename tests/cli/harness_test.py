#!/usr/bin/env python3
"""The harness notices what it is there to notice."""

import sys
import unittest

import harness


def python(text, **options):
    return harness.run(sys.executable, "-c", text, **options)


class Harness(unittest.TestCase):
    def test_reports_output_and_exit_code(self):
        run = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
        self.assertEqual((run.code, run.stdout, run.stderr, run.left_behind), (3, "out\n", "err\n", []))

    def test_finds_and_ends_a_process_left_behind_in_a_session_of_its_own(self):
        run = python("import subprocess as s; s.Popen(['sleep', '60'], start_new_session=True,"
                     "stdout=s.DEVNULL, stderr=s.DEVNULL); print('done')", grace=0.1)
        self.assertEqual(run.code, 0)
        self.assertEqual([p.split()[1] for p in run.left_behind], ["sleep"])

    def test_interrupts_when_the_text_appears(self):
        run = python("import time; print('ready', flush=True); time.sleep(60)", interrupt_at="ready")
        self.assertNotEqual(run.code, 0)
        self.assertIn("KeyboardInterrupt", run.stderr)
        self.assertLess(run.seconds_to_end, 30)

    def test_gives_up_on_a_program_that_does_not_end(self):
        with self.assertRaisesRegex(AssertionError, "still running after 0.2 s"):
            python("import time; time.sleep(60)", timeout=0.2)

    def test_gives_up_waiting_for_a_text_that_does_not_appear(self):
        with self.assertRaisesRegex(AssertionError, "did not appear"):
            python("import time; time.sleep(60)", interrupt_at="ready", timeout=0.2)


if __name__ == "__main__":
    unittest.main()
