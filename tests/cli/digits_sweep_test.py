#!/usr/bin/env python3
"""digits_sweep from the outside: what bad input gets, Ctrl-C, and the same seed on any ranks."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

import harness

PROGRAM = os.environ["DIGITS_SWEEP"]
DATA = os.environ["DIGITS_DATA"]
ALONE_AND_ON_RANKS = (None, 4)
BANNERS = ("MPI_ABORT", "mpirun detected", "mpirun noticed", "Primary job", "terminate called", "----------")


class Program(unittest.TestCase):
    maxDiff = None

    def sweep(self, *arguments, **options):
        run = harness.run(PROGRAM, *arguments, **options)
        self.assertEqual(run.left_behind, [], run)
        return run

    def assert_refused(self, code, needles, *arguments):
        """One sentence on standard error, once however many ranks, with every one of the needles."""
        for ranks in ALONE_AND_ON_RANKS:
            with self.subTest(arguments=arguments, ranks=ranks):
                run = self.sweep(*arguments, ranks=ranks)
                self.assertEqual(run.code, code, run)
                for needle in needles:
                    self.assertIn(needle, run.stderr, run)
                self.assertEqual(len(sentences(run.stderr)), 1, run)
                self.assertNotIn("accuracy", run.stdout, run)
                for banner in BANNERS:
                    self.assertNotIn(banner, run.stderr + run.stdout, run)


def sentences(stderr):
    """Lines of standard error, without the log's."""
    log = re.compile(r"^\S*\s*.*\b(info|debug|trace)\b", re.IGNORECASE)
    return [line for line in stderr.splitlines() if line.strip() and not log.match(line)]


class Usage(Program):
    def test_refuses_an_unknown_option(self):
        self.assert_refused(2, ["--bananas", "--help"], "--bananas", "3")

    def test_refuses_no_trials(self):
        self.assert_refused(2, ["--trials", "0"], "--trials", "0")

    def test_refuses_a_negative_number_of_epochs(self):
        self.assert_refused(2, ["--epochs", "-1"], "--epochs=-1")

    def test_refuses_what_is_no_number(self):
        self.assert_refused(2, ["many"], "--trials", "many")

    def test_refuses_a_word_that_is_no_option(self):
        self.assert_refused(2, ["extra"], "extra")

    def test_shows_help_once(self):
        for ranks in ALONE_AND_ON_RANKS:
            with self.subTest(ranks=ranks):
                run = self.sweep("--help", ranks=ranks)
                self.assertEqual(run.code, 0, run)
                for option in ("--data", "--trials", "--epochs", "--ranks-per-trial", "--seed"):
                    self.assertEqual(len(re.findall(rf"^\s*{option} ", run.stdout, re.MULTILINE)), 1, run)
                self.assertEqual(sentences(run.stderr), [], run)


class Infeasible(Program):
    def test_more_ranks_per_trial_than_there_are_is_one_sentence(self):
        for ranks in (2, 4):
            with self.subTest(ranks=ranks):
                run = self.sweep("--ranks-per-trial", "5", "--trials", "2", "--epochs", "1", ranks=ranks)
                self.assertEqual(run.code, 1, run)
                self.assertEqual(len(sentences(run.stderr)), 1, run)
                for needle in ("train", "needs 5 ranks", f"{ranks} ranks that there are"):
                    self.assertIn(needle, run.stderr, run)
                self.assertNotIn("accuracy", run.stdout, run)


class BadFiles(Program):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="muster-bad-files-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run([os.environ["BAD_DIGITS"], str(cls.folder)], check=True)

    def assert_file_refused(self, name, *needles):
        path = self.folder / name
        self.assert_refused(1, [str(path), *needles], "--data", path, "--trials", "2", "--epochs", "1")

    def test_names_a_file_that_is_missing(self):
        self.assert_file_refused("missing.h5")

    def test_names_a_file_that_is_cut_short(self):
        (self.folder / "cut.h5").write_bytes(Path(DATA).read_bytes()[:200_000])
        self.assert_file_refused("cut.h5")

    def test_names_a_file_that_is_not_hdf5(self):
        (self.folder / "text.h5").write_text("not HDF5\n" * 100)
        self.assert_file_refused("text.h5")

    def test_names_a_file_that_is_empty(self):
        (self.folder / "empty.h5").write_bytes(b"")
        self.assert_file_refused("empty.h5")

    def test_names_a_folder(self):
        (self.folder / "folder.h5").mkdir()
        self.assert_file_refused("folder.h5")

    def test_names_images_of_the_wrong_shape(self):
        self.assert_file_refused("wrong_shape.h5", "images", "28")

    def test_names_images_of_the_wrong_type(self):
        self.assert_file_refused("wrong_type.h5", "images")

    def test_names_a_file_whose_datasets_differ_in_length(self):
        self.assert_file_refused("wrong_length.h5", "labels")

    def test_names_a_dataset_that_is_missing(self):
        self.assert_file_refused("no_labels.h5", "labels")


class Interrupt(Program):
    """Two seconds are promised; a few tenths are usual."""

    def assert_ends(self, ranks, signal_number, *arguments):
        run = harness.run(PROGRAM, "--trials", "2", "--epochs", "200", *arguments, ranks=ranks,
                          interrupt_at="best so far", signal_number=signal_number)
        self.assertLess(run.seconds_to_end, 2.0, run)
        self.assertEqual(run.left_behind, [], run)
        self.assertNotEqual(run.code, 0, run)
        self.assertNotIn("test accuracy", run.stdout, run)

    def test_ends_within_two_seconds_alone(self):
        self.assert_ends(None, signal.SIGINT)

    def test_ends_within_two_seconds_on_four_ranks(self):
        self.assert_ends(4, signal.SIGINT)

    def test_ends_within_two_seconds_while_gangs_train(self):
        self.assert_ends(4, signal.SIGINT, "--ranks-per-trial", "2")

    def test_ends_within_two_seconds_when_terminated(self):
        self.assert_ends(4, signal.SIGTERM)


class SameResults(Program):
    def results(self, ranks, seed, ranks_per_trial=1):
        run = self.sweep("--trials", "6", "--epochs", "2", "--seed", seed, "--ranks-per-trial", ranks_per_trial,
                         ranks=ranks, timeout=120)
        self.assertEqual(run.code, 0, run)
        table = re.findall(r"^ +\d+ +\d+ +\d+\.\d+ % .*(?:stopped|completed)$", run.stdout, re.MULTILINE)
        best = re.findall(r"^best: .*\n.*$", run.stdout, re.MULTILINE)
        test = re.findall(r"^test accuracy .*$", run.stdout, re.MULTILINE)
        self.assertEqual((len(table), len(best), len(test)), (6, 1, 1), run)
        self.assertIn(f"best: trial {table[0].split()[0]},", best[0], run)
        return table, best, test

    def test_a_seed_gives_the_same_trials_and_winner_on_any_number_of_ranks(self):
        alone = self.results(None, 11)
        for ranks in (1, 4, 7):
            with self.subTest(ranks=ranks):
                self.assertEqual(self.results(ranks, 11), alone)

    def test_a_seed_gives_the_same_with_two_ranks_per_trial_too(self):
        self.assertEqual(self.results(4, 11, ranks_per_trial=2), self.results(2, 11, ranks_per_trial=2))

    def test_another_seed_gives_other_trials(self):
        self.assertNotEqual(self.results(None, 11)[0], self.results(None, 12)[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)
