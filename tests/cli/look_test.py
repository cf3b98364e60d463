#!/usr/bin/env python3
"""muster top, status, tasks, explain, trace and report, at real runs on several ranks.

The run is tests/cli/looked_at.cpp: it says "ready", and waits until its pipe is opened for writing.
"""

import contextlib
import html.parser
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path

import harness

MUSTER = os.environ["MUSTER"]
LOOKED_AT = os.environ["LOOKED_AT"]
PATIENCE = 60


def wait_until(what, happened, patience=PATIENCE):
    deadline = time.monotonic() + patience
    while not (result := happened()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {patience} s")
        time.sleep(0.02)
    return result


class Folder(unittest.TestCase):
    """Each test has a directory of its own for sockets, so that it sees no run but its own."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="look-", dir="/tmp"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(self.folder)}
        for name in [name for name in self.environment if name.startswith("SLURM_")]:
            del self.environment[name]

    def muster(self, *arguments, code=0, environment=None):
        done = subprocess.run([MUSTER, *arguments], env={**self.environment, **(environment or {})},
                              capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder)
        self.assertEqual(done.returncode, code, f"muster {arguments}\n{done.stdout}\n{done.stderr}")
        return done

    def lines(self, *arguments, **more):
        return [json.loads(line) for line in self.muster(*arguments, **more).stdout.splitlines()]

    def sockets(self):
        return sorted((self.folder / "muster").glob("*.sock")) if (self.folder / "muster").exists() else []

    @contextlib.contextmanager
    def run_of(self, *arguments, ranks=3, environment=None, name="pipe"):
        """A run that is ready to be looked at; at the end it is let go on, and must end well."""
        pipe = self.folder / name
        os.mkfifo(pipe)
        mark = uuid.uuid4().hex
        command = harness.command_line(LOOKED_AT, [str(pipe), *[str(a) for a in arguments]], ranks)
        output = (self.folder / f"{name}.out").open("w+")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                   env={**self.environment, **(environment or {}), harness.MARK: mark},
                                   cwd=self.folder, start_new_session=True)

        def text():
            return Path(output.name).read_text()

        process.text = text
        process.pipe = pipe
        process.pids = lambda: [pid for pid, command in harness.processes_with(mark) if command == "looked_at"]
        try:
            wait_until("the run's \"ready\"", lambda: "ready" in text() or process.poll() is not None)
            self.assertIsNone(process.poll(), text())
            yield process
            if process.poll() is None:
                self.let_go(process)
        finally:
            for pid, _ in harness.processes_with(mark):
                harness.kill(pid)
            process.wait()
            output.close()

    def let_go(self, process):
        # Who opens it for reading and writing waits for nobody, and lets all readers go on.
        writer = os.open(process.pipe, os.O_RDWR)
        try:
            self.assertEqual(process.wait(PATIENCE), 0, process.text())
        finally:
            os.close(writer)
        self.assertIn("result 2", process.text())


class Live(Folder):
    def test_status_says_what_every_rank_does(self):
        with self.run_of(5) as process:
            [status] = self.lines("status", "--json")
            self.assertEqual((status["program"], status["coordinator"]), ("looked_at", status["coordinator"]))
            self.assertEqual([rank["rank"] for rank in status["ranks"]], [0, 1, 2])
            self.assertTrue(all(rank["answered"] and not rank["lost"] for rank in status["ranks"]))
            self.assertTrue(all(rank["resident_bytes"] > 1 << 20 for rank in status["ranks"]))
            self.assertEqual(sum(rank["running"] for rank in status["ranks"]), 1)
            functions = {item["name"]: item for item in status["functions"]}
            self.assertEqual(functions["quick"]["done"], 41)
            self.assertEqual((functions["broken"]["done"], functions["broken"]["failed"]), (2, 2))
            self.assertEqual((functions["hold"]["placed"], functions["after"]["waiting"]), (1, 6))
            self.assertEqual(sum(rank["attempts_failed"] for rank in status["ranks"]), 2)
            self.assertEqual([item["function"] for item in status["running"]], ["hold"])
            page = self.muster("status").stdout
            self.assertRegex(page, r"looked_at \(process \d+\) on \S+: 3 ranks, running for")
            self.assertIn("6 waiting, 0 ready, 1 placed, 1 running, 46 done, 2 failed", page)
            self.assertRegex(page, r"RUNNING FOR LONGEST\n +\S+ \S+  rank \d +hold \(0:")
            self.let_go(process)

    def test_tasks_are_listed_filtered_and_counted(self):
        with self.run_of(5):
            tasks = self.lines("tasks", "--json")
            self.assertEqual(len(tasks), 49)  # 40 quick, 2 broken, hold, after, 5 others; what nobody needs is gone
            self.assertEqual(len({task["task"] for task in tasks}), 49)
            [held] = [task for task in tasks if task["state"] == "running"]
            self.assertEqual((held["function"], held["name"], held["attempts"]), ("hold", 'the "long" one', 1))
            self.assertGreater(held["seconds"], 0)
            failed = self.lines("tasks", "--state", "failed", "--json")
            self.assertEqual([task["function"] for task in failed], ["broken", "broken"])
            both = self.lines("tasks", "-s", "failed,running", "--json")
            self.assertEqual(sorted(task["function"] for task in both), ["broken", "broken", "hold"])
            self.assertEqual(len(self.lines("tasks", "--name", "others", "--json")), 5)
            self.assertEqual(len(self.lines("tasks", "--name", "quic", "--json")), 40)
            self.assertEqual(len(self.lines("tasks", "--name", "no such", "--json")), 0)
            self.assertEqual(self.lines("tasks", "--rank", str(held["rank"]), "--json")[0]["task"], held["task"])
            self.assertEqual(len(self.lines("tasks", "--min-seconds", "3600", "--json")), 0)
            self.assertEqual(len(self.lines("tasks", "--limit", "7", "--json")), 7)
            self.assertEqual(self.lines("tasks", "--count", "--json"),
                             [{"waiting": 6, "running": 1, "done": 40, "failed": 2}])
            table = self.muster("tasks", "--state", "running").stdout.splitlines()
            self.assertEqual(len(table), 2)
            self.assertRegex(table[1], rf"{held['task']} +running +\S+ m?s +rank {held['rank']} +1 +hold")

    def test_tasks_are_explained(self):
        with self.run_of(1):
            tasks = self.lines("tasks", "--json")
            waiting = next(task["task"] for task in tasks if task["state"] == "waiting")
            done = next(task["task"] for task in tasks if task["state"] == "done")
            text = self.muster("explain", waiting, done).stdout
            self.assertRegex(text, r"after \(\S+\) waits for 1 argument: the \"long\" one \(\S+\), which is on rank \d")
            self.assertRegex(text, r"quick \(\S+\) is done")
            self.assertIn("not known", self.muster("explain", "0:99999", code=1).stdout)
            for wrong in ("9:1", "x", "0:", ":1", "0:1:2", "-1:3", "0:99999999999999999999"):
                self.assertIn("no task is called so", self.muster("explain", "--", wrong, code=1).stderr)

    def test_prometheus_metrics_name_run_rank_and_function(self):
        with self.run_of(5):
            text = self.muster("status", "--prometheus").stdout
            self.assertRegex(text, r'muster_tasks\{[^}]*program="looked_at"[^}]*function="after",state="waiting"\} 6\n')
            self.assertRegex(text, r'muster_tasks_failed_total\{[^}]*function="broken"\} 2\n')
            self.assertEqual(len(re.findall(r'^muster_rank_up\{.*rank="[012]".*\} 1$', text, re.M)), 3)
            names = set()
            for line in text.splitlines():
                if line.startswith("#"):
                    names.add(line.split()[2])
                else:
                    self.assertRegex(line, r'^muster_[a-z_]+\{([a-z]+="([^"\\\n]|\\.)*",?)*\} [0-9.e+-]+$')
                    self.assertIn(line.split("{")[0], names)

    def test_a_hundred_thousand_tasks_are_listed_while_the_run_goes_on(self):
        with self.run_of(100_000):
            listed = subprocess.Popen([MUSTER, "tasks", "--json"], env=self.environment, stdout=subprocess.PIPE)
            lines = 0
            for line in listed.stdout:
                lines += 1
                if lines == 1000:  # meanwhile others are answered
                    self.assertEqual(self.lines("status", "--json")[0]["functions"][-1]["failed"], 0)
            listed.stdout.close()
            self.assertEqual(listed.wait(PATIENCE), 0)
            self.assertEqual(lines, 44 + 100_000)
            # A reader that has seen enough.
            shell = subprocess.run(f"'{MUSTER}' tasks --json | head -n 3", shell=True, env=self.environment,
                                   capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual((len(shell.stdout.splitlines()), shell.stderr), (3, ""))

    def test_top_prints_lines_where_there_is_no_terminal(self):
        with self.run_of(5) as process:
            lines = self.muster("top", "--count", "3", "--interval", "0.1").stdout.splitlines()
            self.assertEqual(len(lines), 3)
            for line in lines:
                self.assertRegex(line, r"^seconds=\d+\.\d ranks=3 waiting=6 ready=0 placed=1 running=1 done=46 failed=2 ")
            self.assertNotIn("per_second", lines[0])
            self.assertIn("done_per_second=0.0", lines[2])
            with subprocess.Popen([MUSTER, "top", "--interval", "0.1"], env=self.environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as top:
                self.assertIn("running=1", top.stdout.readline())
                self.let_go(process)
                _, errors = top.communicate(timeout=PATIENCE)
            self.assertEqual(top.returncode, 0)
            self.assertIn("no more to see", errors)


class Reaching(Folder):
    def test_the_socket_is_in_a_private_directory_and_goes_with_the_run(self):
        with self.run_of(0) as process:
            [path] = self.sockets()
            directory = path.parent.stat()
            self.assertEqual(stat.S_IMODE(directory.st_mode), 0o700)
            self.assertIn(int(path.stem), process.pids())
            self.let_go(process)
        self.assertFalse((self.folder / "muster").exists())

    def test_nothing_listens_if_it_is_not_wanted(self):
        with self.run_of(0, environment={"MUSTER_LOOK": "0"}):
            self.assertEqual(self.sockets(), [])
            self.assertIn("no run of yours is on this machine", self.muster("status", code=1).stderr)

    def test_a_directory_that_others_can_enter_is_not_used_and_no_reason_not_to_run(self):
        (self.folder / "muster").mkdir()
        (self.folder / "muster").chmod(0o755)
        with self.run_of(0):
            self.assertEqual(self.sockets(), [])

    def test_a_socket_of_a_run_that_was_killed_is_removed_by_who_looks(self):
        with self.run_of(0, ranks=None) as process:
            [path] = self.sockets()
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.assertTrue(path.exists())
            self.assertIn("no run of yours", self.muster("status", code=1).stderr)
            self.assertFalse(path.exists())

    def test_an_end_by_force_removes_the_socket(self):
        with self.run_of(0, ranks=None, environment={"MUSTER_TERM_GRACE": "1s"}) as process:
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(PATIENCE), 75)
            self.assertEqual(self.sockets(), [])

    def test_of_several_runs_one_must_be_named(self):
        with self.run_of(0, ranks=None) as first, self.run_of(2, ranks=None, name="second") as second:
            message = self.muster("status", code=2).stderr
            for process in (first, second):
                self.assertRegex(message, rf"--job {process.pid}: looked_at, 1 ranks, for \d+ s")
                [status] = self.lines("status", "--json", "--job", str(process.pid))
                self.assertEqual(status["pid"], process.pid)
            self.assertIn("no run 1 of yours", self.muster("status", "--job", "1", code=1,
                                                          environment={"PATH": "/nonexistent"}).stderr)

    def test_a_run_in_a_slurm_job_is_found_by_the_jobs_id(self):
        job = {"SLURM_JOB_ID": "815", "MUSTER_TRANSPORT": "local"}
        with self.run_of(0, ranks=None, environment=job) as process:
            [status] = self.lines("status", "--json", "--job", "815")
            self.assertEqual((status["pid"], status["job"]), (process.pid, "815"))

    def test_what_is_no_request_gets_an_error_and_harms_nobody(self):
        with self.run_of(0):
            [path] = self.sockets()
            for request in (b"\n", b"frobnicate\n", b"tasks states=\xff name=%zz%\n", b"explain\n", b"= = =\n",
                            b"x" * 100_000, b"", b"status"):
                with socket.socket(socket.AF_UNIX) as connection:
                    connection.connect(str(path))
                    with contextlib.suppress(BrokenPipeError):
                        connection.sendall(request)
                    if request.endswith(b"\n"):
                        answer = b""
                        while part := connection.recv(65536):
                            answer += part
                        kinds = [json.loads(line)["type"] for line in answer.splitlines()]
                        self.assertEqual((kinds[0], kinds[-1]), ("hello", "end"))
            self.assertEqual(len(self.lines("status", "--json")), 1)

    def test_a_rank_that_is_silent_is_named(self):
        with self.run_of(0) as process:
            # The one that runs nothing: neither the driver's nor where the task is.
            [running] = self.lines("status", "--json")[0]["running"]
            [path] = self.sockets()
            others = [pid for pid in process.pids() if pid != int(path.stem)]
            os.kill(others[0], signal.SIGSTOP)
            try:
                ranks = self.lines("status", "--json")[0]["ranks"]
                self.assertEqual([rank["answered"] for rank in ranks].count(False), 1)
                self.assertIn("has not answered within a second", self.muster("status").stdout)
                missing = self.muster("tasks", "--json", code=3)
                self.assertRegex(missing.stderr, r"tasks of ranks that do not answer, or are lost, are missing: [12]\n")
            finally:
                os.kill(others[0], signal.SIGCONT)


@unittest.skipUnless(shutil.which("tmux"), "there is no tmux")
class InATerminal(Folder):
    """A real terminal: tmux's, whose screen is read."""

    def tmux(self, *arguments):
        return subprocess.run(["tmux", "-S", str(self.folder / "tmux"), *arguments], env=self.environment,
                              capture_output=True, text=True, timeout=PATIENCE, check=True).stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "look")

    def start(self, width=110, height=30):
        self.tmux("-f", "/dev/null", "new-session", "-d", "-s", "look", "-x", str(width), "-y", str(height), "sh")
        self.addCleanup(lambda: subprocess.run(["tmux", "-S", str(self.folder / "tmux"), "kill-server"],
                                               capture_output=True, check=False))
        self.type("PS1='$ '; clear; echo before")
        wait_until("the shell's prompt", lambda: self.screen().startswith("before"))

    def type(self, text):
        self.tmux("send-keys", "-t", "look", text, "Enter")

    def test_top_draws_a_page_and_leaves_the_terminal_as_it_was(self):
        with self.run_of(5):
            self.start()
            self.type(f"{MUSTER} top --interval 0.2; echo \"code $?\"")
            page = wait_until("a page with rates", lambda: (text := self.screen()) and "DONE/S" in text and text)
            self.assertRegex(page, r"^looked_at \(process \d+\) on \S+: 3 ranks")
            self.assertRegex(page, r"6 waiting, 0 ready, 1 placed, 1 running, 46 done \(0/s\), 2 failed")
            for rank in range(3):
                self.assertRegex(page, rf"(?m)^ +{rank}  \S+ +\[[#.]+\] +[01] of +\d")
            self.assertRegex(page, r"hold \(0:\d+\)")
            self.assertIn("q ends this", page)
            self.assertNotIn("before", page)
            self.tmux("send-keys", "-t", "look", "q")
            after = wait_until("the prompt", lambda: (text := self.screen()) and "code 0" in text and text)
            self.assertTrue(after.startswith("before"), after)
            self.type("echo visi''ble")  # echo is on again
            wait_until("an echo", lambda: "echo visi''ble" in self.screen() and "\nvisible" in self.screen())

    def test_top_follows_the_size_of_the_terminal(self):
        with self.run_of(5):
            self.start(width=110, height=30)
            self.type(f"{MUSTER} top --interval 30")
            wait_until("a page", lambda: "FUNCTION" in self.screen())
            self.tmux("resize-window", "-t", "look", "-x", "60", "-y", "12")
            small = wait_until("a small page", lambda: (text := self.screen()) and "… and" in text and text)
            self.assertLessEqual(max(len(line) for line in small.splitlines()), 60)
            self.assertRegex(small, r"… and \d more functions")
            self.tmux("send-keys", "-t", "look", "q")

    def test_top_ends_with_the_run_and_with_ctrl_c(self):
        with self.run_of(0) as process:
            self.start()
            self.type(f"{MUSTER} top --interval 0.2; echo \"code $?\"")
            wait_until("a page", lambda: "RANK" in self.screen())
            self.tmux("send-keys", "-t", "look", "C-c")
            wait_until("the prompt", lambda: "code 0" in self.screen())
            self.type("clear")
            self.type(f"{MUSTER} top --interval 0.2; echo \"code $?\"")
            wait_until("a page", lambda: "RANK" in self.screen())
            self.let_go(process)
            text = wait_until("the end", lambda: (text := self.screen()) and "code 0" in text and text)
            self.assertIn("no more to see", text)
            self.assertIn("done=", text)


class Traced(Folder):
    def traced(self, *arguments, ranks=3, kill=False, environment=None):
        with self.run_of(*arguments, ranks=ranks,
                         environment={"MUSTER_TRACE": "traces", **(environment or {})}) as process:
            if kill:
                wait_until("word of what runs", lambda: "still ran" in self.chrome_text("now.json"))
                for pid in process.pids():
                    harness.kill(pid)
                process.wait()
        return self.folder / "traces"

    def chrome_text(self, name):
        subprocess.run([MUSTER, "trace", "traces", "-o", name], env=self.environment, cwd=self.folder,
                       capture_output=True, timeout=PATIENCE, check=True)
        return (self.folder / name).read_text()

    def test_a_trace_has_all_that_ran_on_one_clock(self):
        # Values are sent even between ranks of one node.
        self.traced(5, environment={"MUSTER_OBJECT_MEMORY": "0"})
        done = self.muster("trace", "traces")
        self.assertEqual(done.stderr, "")
        trace = json.loads((self.folder / "trace.json").read_text())
        events = trace["traceEvents"]
        self.assertEqual(trace["otherData"]["notes"], [])
        tasks = [e for e in events if e["ph"] == "X" and e["cat"] in ("task", "member")]
        names = sorted(e["name"] for e in tasks)
        self.assertEqual({name: names.count(name) for name in set(names)},
                         {"quick": 41, "broken": 2, "outer": 1, "large": 1, "together": 2, "hold": 1, "after": 6})
        self.assertEqual([e["args"]["outcome"] for e in tasks if e["name"] == "broken"], ["failed"] * 2)
        by_task = {e["args"]["task"]: e for e in tasks}
        hold = next(e for e in tasks if e["name"] == "hold")
        self.assertEqual(hold["args"]["name"], 'the "long" one')
        for after in (e for e in tasks if e["name"] == "after"):
            self.assertGreaterEqual(after["ts"], hold["ts"] + hold["dur"])
        arrows = [e for e in events if e["ph"] in "sf"]
        self.assertEqual(len(arrows), 2 * 6)
        collectives = [e for e in events if e["cat"] == "collective"]
        self.assertEqual([(e["name"], e["args"]["bytes"]) for e in collectives], [("all_reduce", 8)] * 2)
        for one in collectives:
            member = by_task[one["args"]["task"]]
            self.assertGreaterEqual(one["ts"], member["ts"])
            self.assertLessEqual(one["ts"] + one["dur"], member["ts"] + member["dur"])
        [transfer] = [e for e in events if e["ph"] == "b" and e["cat"] == "transfer"]
        self.assertEqual((transfer["pid"], transfer["args"]["from"]), (0, 2))
        self.assertGreaterEqual(transfer["args"]["bytes"], 1 << 20)
        waits = [e["name"] for e in events if e["cat"] == "wait"]
        self.assertTrue(any(name.startswith("waits for 0:") for name in waits))

    def test_a_run_that_was_killed_has_left_what_ran_and_that_is_said(self):
        traces = self.traced(3, ranks=None, kill=True)
        done = self.muster("trace", "traces")
        self.assertIn("the trace of rank 0 has no end", done.stderr)
        events = json.loads((self.folder / "trace.json").read_text())["traceEvents"]
        [hold] = [e for e in events if e["name"] == "hold"]
        self.assertEqual(hold["args"]["outcome"], "still ran when its trace ends")
        self.assertEqual(len([e for e in events if e["name"] == "quick" and e["ph"] == "X"]), 41)
        # Torn anywhere, what is whole before is still there.
        [path] = traces.iterdir()
        whole = path.read_bytes()
        for size in range(len(whole) - 1, 300, -max(1, len(whole) // 12)):
            path.write_bytes(whole[:size])
            self.muster("trace", "traces")
            json.loads((self.folder / "trace.json").read_text())
        path.write_bytes(whole[:100])
        self.assertIn("is not a trace", self.muster("trace", "traces", code=1).stderr)
        path.write_bytes(whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:])
        self.assertRegex(self.muster("trace", "traces").stderr, "the trace of rank 0 is damaged.*checksum is wrong")

    def test_what_has_ended_is_listed_and_explained_from_its_traces(self):
        self.traced(5)
        tasks = self.lines("tasks", "--trace", "traces", "--json")
        states = sorted((task["function"], task["state"]) for task in tasks)
        self.assertEqual({one: states.count(one) for one in set(states)},
                         {("quick", "done"): 41, ("broken", "failed"): 2, ("outer", "done"): 1, ("large", "done"): 1,
                          ("together", "done"): 2, ("hold", "done"): 1, ("after", "done"): 6})
        failed = self.lines("tasks", "--trace", "traces", "--state", "failed", "--json")
        self.assertEqual(sorted(task["why"] for task in failed), ["number 7 is broken", "number 8 is broken"])
        self.assertEqual(len(self.lines("tasks", "--trace", "traces", "--name", "others", "--json")), 5)
        text = self.muster("explain", "--trace", "traces", failed[0]["task"]).stdout
        self.assertRegex(text, r"broken \(0:\d+\) was submitted at \S+ \S+ by the driver, could start at .* on rank \d, "
                               r"ran for \S+ \S+, and failed: number [78] is broken")
        self.muster("explain", "--trace", "traces", "5:1", "x", code=1)
        [status] = self.lines("status", "--trace", "traces", "--json")
        self.assertEqual(sum(item["done"] for item in status["functions"]), 54)
        self.assertEqual((sum(rank["attempts"] for rank in status["ranks"]), status["notes"]), (54, []))
        self.assertIn("54 done, 2 failed", self.muster("status", "--trace", "traces").stdout)

    def test_a_rank_without_a_file_is_missed(self):
        traces = self.traced(0)
        next(path for path in traces.iterdir() if path.stem.endswith("-000001")).unlink()
        self.assertIn("there is no trace of rank 1", self.muster("trace", "traces").stderr)
        self.muster("report", "traces")
        self.assertIn("there is no trace of rank 1", (self.folder / "report.html").read_text())

    def test_a_report_is_one_page_with_nothing_from_elsewhere(self):
        self.traced(5)
        done = self.muster("report", "traces", "-o", "page.html")
        self.assertEqual(done.stderr, "")
        text = (self.folder / "page.html").read_text()

        class Page(html.parser.HTMLParser):
            def __init__(self):
                super().__init__()
                self.open, self.text, self.foreign = [], [], []

            def handle_starttag(self, tag, attributes):
                self.foreign += [value for name, value in attributes if name in ("src", "href", "xlink:href")]
                if tag not in ("meta", "br"):
                    self.open.append(tag)

            def handle_endtag(self, tag):
                assert self.open and self.open[-1] == tag, f"</{tag}> in {self.open}"
                self.open.pop()

            def handle_startendtag(self, tag, attributes):
                pass

            def handle_data(self, data):
                self.text.append(data)

        page = Page()
        page.feed(text)
        self.assertEqual((page.open, page.foreign), ([], []))
        self.assertNotRegex(text, r"url\(|@import|<script|http")
        words = " ".join(" ".join(page.text).split())
        for heading in ("How busy it was", "The critical path", "Functions", "Slowest tasks", "Failures", "Collectives"):
            self.assertIn(heading, words)
        self.assertIn("number 7 is broken", words)
        path = words[words.index("The critical path"):words.index(" Functions ")]
        steps = path[path.index("the longest first"):]
        self.assertRegex(steps, r'hold \(0:\d+\) "the "long" one"')  # what ended last waited for it
        self.assertIn("the driver", steps)

    def test_traces_of_a_run_that_goes_on_are_found_through_its_socket(self):
        with self.run_of(2, environment={"MUSTER_TRACE": "traces"}):
            wait_until("the first second's records", lambda: "quick" in self.live())
            done = self.muster("report", "--output", "now.html")
            self.assertIn("has no end: the run goes on", done.stderr)

    def live(self):
        self.muster("trace", "-o", "live.json")
        return (self.folder / "live.json").read_text()

    def test_of_several_runs_the_last_is_taken_or_the_one_that_is_named(self):
        self.traced(0, ranks=None)
        first = next((self.folder / "traces").iterdir()).stem.split("-")[0]
        os.unlink(self.folder / "pipe")
        self.traced(7, ranks=None)
        done = self.muster("trace", "traces")
        self.assertIn("has traces of 2 runs; taken is the last", done.stderr)
        self.assertEqual((self.folder / "trace.json").read_text().count('"others"'), 7)
        self.muster("trace", "traces", "--run", first)
        self.assertEqual((self.folder / "trace.json").read_text().count('"others"'), 0)
        self.assertIn("has no run 12", self.muster("trace", "traces", "--run", "12", code=2).stderr)

    def test_what_cannot_be_read_or_written_is_said(self):
        self.assertIn("is not a directory", self.muster("trace", "nowhere", code=2).stderr)
        (self.folder / "empty").mkdir()
        self.assertIn("start the run with MUSTER_TRACE=empty", self.muster("trace", "empty", code=1).stderr)
        (self.folder / "empty" / "a.mtrace").write_bytes(b"no trace")
        self.assertIn("is not a trace", self.muster("report", "empty", code=1).stderr)
        self.traced(0, ranks=None)
        self.assertIn("cannot be written", self.muster("trace", "traces", "-o", "/proc/no/file", code=1).stderr)
        with self.run_of(0, ranks=None, name="second"):
            self.assertIn("writes no trace", self.muster("trace", code=1).stderr)

    def test_a_directory_that_cannot_be_written_is_refused_at_the_start(self):
        run = harness.run(LOOKED_AT, str(self.folder / "pipe"), ranks=None,
                          environment={"MUSTER_TRACE": "/proc/traces"})
        self.assertNotEqual(run.code, 0)
        self.assertIn('MUSTER_TRACE is "/proc/traces"', run.stderr)


if __name__ == "__main__":
    unittest.main()
