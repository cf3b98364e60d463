#!/usr/bin/env python3
"""What the race says of figures, and that it leaves no process behind."""

import json
import os
import pathlib
import unittest

import harness
import process_tree
import race
import race_table
from race import Bar, Figure, Row

HERE = pathlib.Path(__file__).resolve().parent
RAY = Figure("ray", "rate")
RATE = Row("g", "Rate", "rate", "tasks/s", True, (RAY,), (Bar(100, RAY),))
TIME = Row("g", "Time", "time", "µs", False, (Figure("ray", "time"),), (Bar(1 / 30, Figure("ray", "time")), Bar(300)))


def result(figures, missing=None, rounds=2):
    return {"rounds": rounds, "groups": ["g"], "date": "2026-01-01", "versions": ["Muster 1"],
            "machine": {"cpu": "a CPU", "cores": "2", "memory": "24 GiB", "kernel": "Linux 6",
                        "load_before": "0.00", "load_after": "1.00"},
            "figures": {who: {name: {"unit": "", "rounds": samples} for name, samples in measures.items()}
                        for who, measures in figures.items()},
            "missing": missing or {}}


def judge(row, figures):
    made = result(figures)
    return race_table.verdict(row, race_table.summary(made, "muster", row.measure), made)


class Statistics(unittest.TestCase):
    def test_a_summary_is_the_median_of_the_rounds_medians_and_the_extremes_of_all_samples(self):
        made = race_table.Summary([[1, 2, 90], [5], [3, 4]])
        self.assertEqual((made.min, made.median, made.max), (1, 3.5, 90))

    def test_derived_measures_join_others_sample_by_sample(self):
        made = race_table.derive({"idle.cpu.rank0": ("%", [1, 5]), "idle.cpu.rank1": ("%", [2, 3])})
        self.assertEqual(made["idle.cpu.largest"], ("%", [2, 5]))
        self.assertEqual(made["idle.cpu.all"], ("%", [3, 8]))
        self.assertNotIn("memory.pss.all", made)

    def test_a_derived_measure_needs_all_it_is_made_of(self):
        self.assertNotIn("coordinator.map", race_table.derive({"map_100us.deciding": ("ns/task", [1])}))

    def test_numbers_have_three_digits_and_no_exponent(self):
        shown = [race_table.number(value) for value in (0, 1234567, 999.6, 45.64, 1, 0.0027834, 2e-7)]
        self.assertEqual(shown, ["0", "1,230,000", "1,000", "45.6", "1.00", "0.00278", "0.000000200"])


class Verdicts(unittest.TestCase):
    def test_more_is_better_passes_at_the_factor_and_fails_below(self):
        self.assertEqual(judge(RATE, {"muster": {"rate": [[200]]}, "ray": {"rate": [[2]]}}), "pass")
        self.assertEqual(judge(RATE, {"muster": {"rate": [[199]]}, "ray": {"rate": [[2]]}}), "FAIL")

    def test_less_is_better_passes_at_the_share_and_fails_above(self):
        self.assertEqual(judge(TIME, {"muster": {"time": [[10]]}, "ray": {"time": [[300]]}}), "pass")
        self.assertEqual(judge(TIME, {"muster": {"time": [[11]]}, "ray": {"time": [[300]]}}), "FAIL")

    def test_one_bar_missed_is_a_failure_even_if_another_cannot_be_judged(self):
        self.assertEqual(judge(TIME, {"muster": {"time": [[301]]}}), "FAIL")

    def test_a_missing_peer_or_figure_is_not_judged(self):
        self.assertEqual(judge(RATE, {"muster": {"rate": [[200]]}}), "not judged")
        self.assertEqual(judge(RATE, {"ray": {"rate": [[2]]}}), "not judged")

    def test_a_row_with_nothing_to_reach_has_no_verdict(self):
        self.assertEqual(judge(Row("g", "Plain", "rate", "", True), {"muster": {"rate": [[1]]}}), "")


class Cells(unittest.TestCase):
    def test_a_figure_has_its_extremes_and_a_peers_the_ratio(self):
        made = result({"muster": {"rate": [[250], [200]]}, "ray": {"rate": [[2], [2.5]]}})
        title, own, beside, bars, word = race_table.cells(RATE, made)
        self.assertEqual((title, own), ("Rate", "225 tasks/s (200 to 250)"))
        self.assertEqual((beside, bars, word), (["Ray: 2.25 (2.00 to 2.50), 100×"], ["100× Ray"], "pass"))

    def test_what_failed_in_some_rounds_says_so(self):
        made = result({"muster": {"rate": [[250]]}})
        self.assertEqual(race_table.cells(RATE, made)[1], "250 tasks/s (250 to 250; 1 of 2 rounds)")

    def test_what_was_not_measured_says_why(self):
        made = result({}, {"ray": {"g": "it broke"}, "muster": {"g": "not built"}})
        _, own, beside, _, word = race_table.cells(RATE, made)
        self.assertEqual((own, beside, word), ("not measured: not built", ["Ray: not measured: it broke"], "not judged"))

    def test_bars_read_as_limits_factors_and_shares(self):
        self.assertEqual([race_table.bar_text(bar, TIME) for bar in TIME.bars], ["1/30 of Ray", "under 300 µs"])
        self.assertEqual(race_table.bar_text(Bar(400_000), RATE), "at least 400,000 tasks/s")
        self.assertEqual(race_table.bar_text(Bar(1.5, Figure("mpi", "time")), TIME), "1.5× bare MPI")


class Documents(unittest.TestCase):
    def test_only_what_is_between_the_markers_is_replaced(self):
        document = f"before\n{race_table.BEGIN}\nold\n{race_table.END}\nafter\n"
        self.assertEqual(race_table.replace_between_markers(document, "new\n"),
                         f"before\n{race_table.BEGIN}\n\nnew\n\n{race_table.END}\nafter\n")

    def test_a_document_without_markers_is_refused(self):
        with self.assertRaises(ValueError):
            race_table.replace_between_markers("no markers", "new")

    def test_the_readme_shows_the_committed_result(self):
        saved = HERE / "results/race.json"
        readme = (HERE.parent / "README.md").read_text()
        shown = race_table.markdown(json.loads(saved.read_text()))
        self.assertEqual(race_table.replace_between_markers(readme, shown), readme,
                         "bench/compare --show bench/results/race.json --write-readme renews it")


class Rows(unittest.TestCase):
    def test_everybody_in_a_row_runs_in_its_group(self):
        for row in race.ROWS:
            running = {run.who for run in race.GROUPS[row.group].runs}
            wanted = {"muster"} | {figure.who for figure in row.beside} | {bar.peer.who for bar in row.bars if bar.peer}
            self.assertLessEqual(wanted, running, row.title)

    def test_every_group_has_a_row(self):
        self.assertEqual({row.group for row in race.ROWS}, set(race.GROUPS))


class Processes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        harness.take_charge()

    def test_a_daemon_that_a_program_leaves_is_ended(self):
        output = harness.run_program(["sh", "-c", "setsid sleep 1000 > /dev/null & echo started"])
        self.assertEqual(output.text, "started\n")
        self.assertLessEqual(output.first_line, output.whole)
        self.assertEqual(process_tree.descendants(os.getpid()), [])

    def test_a_program_that_fails_is_reported_with_its_last_words(self):
        with self.assertRaisesRegex(harness.Broken, "sh ended with status 3: no luck"):
            harness.run_program(["sh", "-c", "echo no luck >&2; exit 3"])

    def test_a_report_that_is_no_json_is_refused(self):
        with self.assertRaisesRegex(harness.Broken, "no JSON"):
            harness.report_of(["echo", "hello"])


if __name__ == "__main__":
    unittest.main()
