"""muster sweep, cat, grep and follow as their users see them: real commands, alone and on several ranks."""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import command_line, run  # noqa: E402

MUSTER = os.environ.get("MUSTER", "")


def wait_until(true, process, seconds=60):
    """Until something that the process does is there; the process must not end before."""
    deadline = time.monotonic() + seconds
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"it did not come: the process has exit code {process.poll()}\n"
                                 f"{process.stderr.read() if process.stderr else ''}")


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.journal = self.folder / "journal"

    def sweep(self, *arguments, **options):
        return run(MUSTER, "sweep", *arguments, **options)

    def piped(self, text, *arguments):
        return subprocess.run([MUSTER, "sweep", *arguments], input=text, text=True, capture_output=True, timeout=60,
                              cwd=self.folder)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def expect(self, result, code, lines=None):
        self.assertEqual(result.code, code, result)
        self.assertEqual(result.left_behind, [], result)
        if lines is not None:
            self.assertEqual(sorted(result.stdout.splitlines()), sorted(lines), result)


class Values(Case):
    def test_every_combination_runs(self):
        result = self.sweep("echo", "{1}-{2}", ":::", "a", "b c", ":::", "1", "2")
        self.expect(result, 0, ["a-1", "a-2", "b c-1", "b c-2"])
        self.assertIn("4 commands: 4 succeeded", result.stderr)

    def test_linked_sources_go_together(self):
        self.expect(self.sweep("echo", "{1}-{2}", ":::", "a", "b", ":::+", "1", "2"), 0, ["a-1", "b-2"])

    def test_files_tables_ranges_and_json(self):
        lines = self.write("lines", "x 1\ny\n")
        table = self.write("t.csv", 'lr,name\n0.1,"a, b"\n0.2,c\n')
        records = self.write("t.jsonl", '{"lr": 0.5, "opt": "adam"}\n')
        self.expect(self.sweep("echo", "{.}", "::::", lines), 0, ["x 1", "y"])
        self.expect(self.sweep("--table", table, "echo", "{name}={lr}"), 0, ["a, b=0.1", "c=0.2"])
        self.expect(self.sweep("--table", records, "--range", "seed=1-2", "echo", "{opt} {lr} {seed}"), 0,
                    ["adam 0.5 1", "adam 0.5 2"])
        self.expect(self.sweep("--array", "1-3:2", "echo"), 0, ["1", "3"])

    def test_standard_input_has_values_or_commands(self):
        self.assertEqual(self.piped("a b\nc\n", "-k", "echo", "got").stdout, "got a b\ngot c\n")
        self.assertEqual(self.piped("echo 'a  b'\necho c # d\n\n", "-k").stdout, "a  b\nc\n")

    def test_values_are_not_seen_by_a_shell(self):
        nasty = "$(touch hacked); `id` * ' \" \\"
        for options in ([], ["--shell"]):
            with self.subTest(options=options):
                result = self.sweep(*options, "printf %s\\\\n {}" if options else "echo", ":::", nasty)
                self.expect(result, 0, [nasty])
        self.expect(self.sweep("--shell", "echo {} | tr a-z A-Z; echo $((1+1))", ":::", "x"), 0, ["X", "2"])

    def test_a_command_gets_what_was_asked_for(self):
        self.write("7.in", "from the file\n")
        result = self.sweep("--env", "SEED={}", "--dir", str(self.folder), "--stdin", f"{self.folder}/{{}}.in", "sh",
                            "-c", "pwd; echo $SEED $MUSTER_COMMAND_NUMBER $MUSTER_COMMAND_ATTEMPT; cat", ":::", "7")
        self.expect(result, 0, [str(self.folder), "7 1 1", "from the file"])

    def test_slots_of_what_runs_at_once_differ(self):
        result = self.sweep("--cpus", "0", "-j", "4", "sh", "-c", "echo {%}", ":::", *map(str, range(40)))
        self.assertTrue(set(map(int, result.stdout.split())) <= {1, 2, 3, 4}, result)

    def test_dry_run_prints_and_runs_nothing(self):
        result = self.sweep("--dry-run", "touch", f"{self.folder}/a {{}}", ":::", "1", "2")
        self.expect(result, 0, [f"touch '{self.folder}/a 1'", f"touch '{self.folder}/a 2'"])
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_mistakes_are_refused(self):
        table = self.write("t.csv", "lr\n0.1\n")
        for arguments, word in ((["--halt", "x", "true", ":::", "1"], "now,fail=1"),
                                (["--cpus", "many", "true", ":::", "1"], "many"),
                                (["--table", table, "echo", "{rl}"], "{lr}"),
                                (["--table", str(self.folder / "none.csv"), "true"], "none.csv"),
                                (["--resume", "true", ":::", "1"], "--journal"),
                                (["--nix", "true"], "--nix"),
                                (["echo", "{3}", ":::", "1"], "{3}"),
                                ([":::", "1", ":::", "2"], "no command")):
            with self.subTest(arguments=arguments):
                result = self.sweep(*arguments)
                self.expect(result, 2)
                self.assertIn(word, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1, result)

    def test_what_no_rank_has_is_refused_at_once(self):
        result = self.sweep("--gpus", "64", "true", ":::", "1")
        self.expect(result, 1)
        self.assertIn("64 gpus", result.stderr)


class Ends(Case):
    def test_failures_are_shown_and_counted(self):
        result = self.sweep("sh", "-c", "echo to-err >&2; exit {}", ":::", "0", "3", "4")
        self.expect(result, 1)
        self.assertIn("command 2 ended with exit code 3", result.stderr)
        self.assertIn("1 succeeded, 2 failed", result.stderr)
        result = self.sweep("sh", "-c", "kill -9 $$", ":::", "1")
        self.assertIn("signal 9 (Killed)", result.stderr)
        result = self.sweep("no-such-program-anywhere", ":::", "1")
        self.expect(result, 1)
        self.assertIn("no-such-program-anywhere", result.stderr)

    def test_a_failed_command_is_tried_again(self):
        script = f"echo x >> {self.folder}/tries; test $MUSTER_COMMAND_ATTEMPT = 3"
        self.expect(self.sweep("--retries", "2", "sh", "-c", script, ":::", "1"), 0)
        self.assertEqual((self.folder / "tries").read_text(), "x\nx\nx\n")
        self.expect(self.sweep("--retries", "1", "sh", "-c", script, ":::", "1"), 1)
        self.assertEqual((self.folder / "tries").read_text(), "x\n" * 5)

    def test_a_command_that_takes_too_long_is_ended(self):
        result = self.sweep("--timeout", "200ms", "sh", "-c", "sleep {}", ":::", "1000", "0")
        self.expect(result, 1)
        self.assertIn("command 1 took too long", result.stderr)
        self.assertIn("1 succeeded, 1 failed", result.stderr)

    def test_order_and_tags(self):
        result = self.sweep("-k", "--tag", "-j", "4", "sh", "-c", "test {} = 1 && sleep 0.3; echo {}", ":::", "1", "2",
                            "3")
        self.assertEqual(result.stdout, "1\t1\n2\t2\n3\t3\n", result)

    def test_groups_run_after_one_another(self):
        job = self.write("job.json", json.dumps({"group": [
            {"name": "two", "command": ["sh", "-c", f"cat {self.folder}/one-*; echo {{}}"], "after": ["one"],
             "values": {"": ["a", "b"]}},
            {"name": "one", "command": f"touch {self.folder}/one-{{n}}", "values": {"n": {"range": "1-3"}}},
            {"name": "broken", "command": "false"},
            {"name": "never", "command": "echo never", "after": "broken"}]}))
        result = self.sweep("--file", job)
        self.expect(result, 1, ["a", "b"])
        self.assertIn("group never was left out", result.stderr)
        self.assertEqual(len(list(self.folder.glob("one-*"))), 3)


class Halting(Case):
    def test_now_ends_what_runs_and_soon_lets_it_end(self):
        script = f"case {{}} in 2) exit 1 ;; *) sleep {{}}; touch {self.folder}/done-{{}} ;; esac"
        result = self.sweep("--cpus", "0", "-j", "2", "--halt", "now,fail=1", "sh", "-c", script, ":::", "1000", "2",
                            "3", "4")
        self.expect(result, 1)
        self.assertLess(result.seconds_to_end, 900)
        self.assertEqual(list(self.folder.iterdir()), [])
        self.assertIn("stopped before the end", result.stderr)
        result = self.sweep("--cpus", "0", "-j", "2", "--halt", "soon,fail=1", "sh", "-c", script, ":::", "0.5", "2",
                            "3", "4")
        self.expect(result, 1)
        self.assertEqual([path.name for path in self.folder.iterdir()], ["done-0.5"])
        result = self.sweep("--max-fails", "1", "-j", "1", "false", ":::", *map(str, range(50)))
        self.expect(result, 1)
        self.assertIn("2 failed", result.stderr)
        result = self.sweep("-j", "1", "--halt", "now,success=1", "test", "3", "=", ":::", *map(str, range(50)))
        self.expect(result, 0)
        self.assertIn("1 succeeded, 3 failed", result.stderr)


class Journal(Case):
    def commands(self, count, *options, **more):
        return self.sweep("--journal", self.journal, *options, "sh", "-c", f"echo {{}} >> {self.folder}/ran; echo out {{}}",
                          ":::", *map(str, range(count)), **more)

    def ran(self):
        path = self.folder / "ran"
        return collections.Counter(path.read_text().split()) if path.exists() else collections.Counter()

    def muster(self, *arguments):
        result = run(MUSTER, *arguments)
        self.assertEqual(result.stderr, "", result)
        return result

    def test_what_is_done_is_not_run_again(self):
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                self.journal = self.folder / f"journal-{ranks}"
                (self.folder / "ran").unlink(missing_ok=True)
                self.expect(self.commands(20, ranks=ranks), 0, [])
                result = self.commands(20, ranks=ranks)
                self.expect(result, 2)
                self.assertIn("--resume", result.stderr)
                result = self.commands(30, "--resume", ranks=ranks)
                self.expect(result, 0)
                self.assertIn("30 commands (20 of them before): 30 succeeded", result.stderr)
                self.assertEqual(self.ran(), collections.Counter(map(str, range(30))))
                # The same from each rank's files, whoever wrote them.
                self.assertEqual(self.muster("cat", self.journal, "1-3").stdout, "out 0\nout 1\nout 2\n")
                self.assertEqual(self.muster("grep", "-l", "out 1.$", self.journal).stdout.split(),
                                 [str(n) for n in range(11, 21)])

    def test_what_failed_is_run_again_if_asked(self):
        script = f"echo {{}} >> {self.folder}/ran; echo try >&2; test -e {self.folder}/good || exit {{}}"
        sweep = ["--journal", self.journal, "sh", "-c", script, ":::", "0", "3", "4"]
        self.expect(self.sweep(*sweep), 1)
        self.expect(self.sweep("--resume", *sweep), 1)
        self.assertEqual(self.ran(), collections.Counter("034"))
        self.assertEqual(self.muster("cat", "--failed", "--tag", self.journal).stdout, "2\ttry\n3\ttry\n")
        (self.folder / "good").touch()
        self.expect(self.sweep("--resume-failed", *sweep), 0)
        self.assertEqual(self.ran(), collections.Counter("03344"))
        self.assertEqual(self.muster("cat", "--failed", self.journal).stdout, "")
        self.assertEqual(self.muster("grep", "--count", "--all-attempts", "try", self.journal).stdout.count("\n"), 5)
        result = self.sweep("--resume", *sweep)
        self.assertIn("3 of them before): 3 succeeded", result.stderr)

    def test_a_killed_sweep_goes_on_and_each_command_is_recorded_once(self):
        for ranks in (None, 3):
            with self.subTest(ranks=ranks):
                self.journal = self.folder / f"killed-{ranks}"
                (self.folder / "ran").unlink(missing_ok=True)
                arguments = ["sweep", "--journal", str(self.journal), "--array", "1-300", "sh", "-c",
                             f"echo {{}} >> {self.folder}/ran"]
                process = subprocess.Popen(command_line(MUSTER, arguments, ranks), start_new_session=True,
                                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    wait_until(lambda: sum(self.ran().values()) >= 100, process)
                finally:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                arguments.insert(1, "--resume")
                result = run(MUSTER, *arguments, ranks=ranks)
                self.expect(result, 0)
                self.assertIn("300 commands (", result.stderr)
                ran = self.ran()
                self.assertEqual(set(ran), set(map(str, range(1, 301))))
                # Only what was under way may have run twice.
                self.assertLess(sum(ran.values()), 330)
                result = run(MUSTER, *arguments, ranks=ranks)
                self.assertIn("300 of them before", result.stderr)

    def test_two_sweeps_share_one_journal(self):
        arguments = ["sweep", "--resume", "--journal", str(self.journal), "--array", "1-200", "sh", "-c",
                     f"echo {{}} >> {self.folder}/ran"]
        both = [subprocess.Popen([MUSTER, *arguments], stderr=subprocess.PIPE, text=True) for _ in range(2)]
        for process in both:
            self.assertIn("200 succeeded", process.communicate(timeout=60)[1])
            self.assertEqual(process.returncode, 0)
        self.assertEqual(self.ran(), collections.Counter(map(str, range(1, 201))))

    def left(self, *arguments):
        return json.loads(self.sweep("--left", "--journal", self.journal, *arguments).stdout)

    def test_what_is_left_is_counted(self):
        commands = ["sh", "-c", "exit {}", ":::", *map(str, range(5))]
        self.assertEqual(self.left(*commands), {"total": 5, "succeeded": 0, "failed": 0, "left": 5})
        self.expect(self.sweep("--journal", self.journal, *commands[:-2]), 1)
        files = sorted(self.journal.glob("[!j]*/*"))
        self.assertEqual(self.left(*commands), {"total": 5, "succeeded": 1, "failed": 2, "left": 2})
        self.assertEqual(self.left("--resume-failed", *commands), {"total": 5, "succeeded": 1, "failed": 0, "left": 4})
        self.assertEqual(sorted(self.journal.glob("[!j]*/*")), files)

    def test_a_sweep_with_nothing_of_its_own_to_do_ends(self):
        arguments = ["sweep", "--resume", "--journal", str(self.journal), "--cpus", "0", "sh", "-c",
                     f"touch {self.folder}/started; exec sleep 1000", ":::", "1"]
        other = subprocess.Popen([MUSTER, *arguments], stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: (self.folder / "started").exists(), other)
            result = run(MUSTER, arguments[0], "--idle-timeout", "500ms", *arguments[1:])
            self.expect(result, 0)
            self.assertIn("1 are left to the jobs that run them", result.stderr)
        finally:
            other.send_signal(signal.SIGINT)
            other.wait(60)

    def test_sigterm_ends_it_in_order_and_it_goes_on(self):
        arguments = ["--journal", self.journal, "--cpus", "0", "-j", "2", "sh", "-c",
                     f"echo {{}} >> {self.folder}/ran; test {{}} = 1 || test -e {self.folder}/go || exec sleep 1000",
                     ":::", "1", "2", "3"]
        process = subprocess.Popen([MUSTER, "sweep", *map(str, arguments)], stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, "MUSTER_TERM_GRACE": "2s"})
        wait_until(lambda: sum(self.ran().values()) >= 3, process)  # so 1 has ended
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=60)[1]
        self.assertEqual(process.returncode, 75, stderr)
        self.assertIn("--resume goes on", stderr)
        (self.folder / "go").touch()
        self.expect(self.sweep("--resume", *arguments), 0)
        self.assertEqual(self.ran()["1"], 1)

    def test_ctrl_c_leaves_nothing_behind(self):
        process = subprocess.Popen([MUSTER, "sweep", "sh", "-c", f"touch {self.folder}/{{}}; exec sleep 7777", ":::",
                                    "1", "2"], stderr=subprocess.PIPE, text=True, start_new_session=True)
        wait_until(lambda: any(self.folder.iterdir()), process)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        found = subprocess.run(["pgrep", "-f", "^sleep 7777"], capture_output=True, text=True)
        self.assertEqual(found.stdout, "")

    def test_output_is_followed_as_it_comes(self):
        fifo = self.folder / "fifo"
        os.mkfifo(fifo)
        sweep = subprocess.Popen([MUSTER, "sweep", "-q", "--max-fails", "5", "--journal", str(self.journal), "sh", "-c",
                                  f"echo first; cat {fifo}; exit 3", ":::", "1"])
        wait_until(lambda: list(self.journal.glob("output/*.out")), sweep)
        follow = subprocess.Popen([MUSTER, "follow", "--from-start", "--until-done", str(self.journal), "1"],
                                  stdout=subprocess.PIPE, text=True)
        with follow.stdout:
            self.assertEqual(follow.stdout.readline(), "1\tfirst\n")  # while it runs
            fifo.write_text("second\nthird")
            self.assertEqual(follow.stdout.read(), "1\tsecond\n1\tthird\n1\t[ended with exit code 3]\n")
        self.assertEqual(follow.wait(60), 0)
        self.assertEqual(sweep.wait(60), 1)

    def test_a_full_disk_stops_the_sweep_and_says_so(self):
        # Files of 64 KiB at most: to a program that is as a full disk.
        limited = self.folder / "limited"
        limited.write_text(f"#!/bin/bash\ntrap '' XFSZ\nulimit -f 64\nexec {MUSTER} \"$@\"\n")
        limited.chmod(0o755)
        result = run(limited, "sweep", "--journal", self.journal, "--array", "1-500", "sh", "-c",
                     "head -c 5000 /dev/zero; echo {}")
        self.expect(result, 1)
        self.assertIn("cannot write what commands print", result.stderr)
        self.assertIn("--resume goes on", result.stderr)
        before = len(self.muster("grep", "-l", "[0-9]$", self.journal).stdout.split())
        self.assertGreater(before, 3)
        self.expect(self.sweep("--resume", "--journal", self.journal, "--array", "1-500", "sh", "-c",
                               "head -c 5000 /dev/zero; echo {}"), 0)

    def test_a_job_log_is_as_gnu_parallels(self):
        log = self.folder / "log"
        self.expect(self.sweep("--joblog", log, "sh", "-c", "exit {}", ":::", "0", "3"), 1)
        lines = [line.split("\t") for line in log.read_text().splitlines()]
        self.assertEqual(lines[0], "Seq Host Starttime JobRuntime Send Receive Exitval Signal Command".split())
        self.assertEqual(sorted((line[0], line[6], line[8]) for line in lines[1:]),
                         [("1", "0", "sh -c 'exit 0'"), ("2", "3", "sh -c 'exit 3'")])

    def test_looking_where_nothing_is_is_refused(self):
        for arguments in (["cat"], ["cat", self.folder / "none"], ["grep", "x"], ["grep", "(", self.folder],
                          ["cat", self.folder, "x"]):
            result = run(MUSTER, *arguments)
            self.assertEqual(result.code, 2, result)
            self.assertEqual(len(result.stderr.splitlines()), 1, result)


if __name__ == "__main__":
    unittest.main()
