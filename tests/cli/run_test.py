#!/usr/bin/env python3
"""`muster run`, the way a user types it, with real processes."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import harness
import meeting

MUSTER = os.environ["MUSTER"]
SKIPPED = 77

CONTRACT = """
import os
for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE",
             "MASTER_ADDR", "MASTER_PORT", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS",
             "TORCHELASTIC_RUN_ID", "TORCHELASTIC_USE_AGENT_STORE", "OMP_NUM_THREADS"):
    os.environ[name]
"""

MET = CONTRACT + meeting.MEETING + """
print("rank", rank, "of", world, "local", os.environ["LOCAL_RANK"], "of", os.environ["LOCAL_WORLD_SIZE"],
      "on", os.environ["GROUP_RANK"])
"""


class MusterRun(unittest.TestCase):
    maxDiff = None

    def muster(self, *arguments, left_behind=(), **options):
        run = harness.run(MUSTER, "run", *arguments, **options)
        self.assertEqual(run.left_behind, list(left_behind), run)
        return run

    def python(self, text, *arguments, **options):
        return self.muster(*arguments, "--", sys.executable, "-c", text, **options)

    def shell(self, text, *arguments, **options):
        return self.muster(*arguments, "--", "sh", "-c", text, **options)


class Contract(MusterRun):
    def test_gives_every_rank_what_torchrun_does(self):
        run = self.python(MET, "-n", "3")
        self.assertEqual(run.code, 0, run)
        self.assertIn("met [0, 1, 2]", run.stdout, run)
        self.assertEqual(sorted(line for line in run.stdout.splitlines() if line.startswith("rank")),
                         [f"rank {i} of 3 local {i} of 3 on 0" for i in range(3)], run)

    def test_supervisors_of_several_nodes_give_ranks_across_them(self):
        run = self.python(MET, "--launcher", "local", "-N", "3", "--per-node", "2")
        self.assertEqual(run.code, 0, run)
        self.assertIn("met [0, 1, 2, 3, 4, 5]", run.stdout, run)
        self.assertIn("rank 3 of 6 local 1 of 2 on 1", run.stdout, run)

    def test_shares_out_gpus(self):
        run = self.shell("echo $RANK=$CUDA_VISIBLE_DEVICES", "-n", "2", "--gpus-per-rank", "2",
                         environment={"CUDA_VISIBLE_DEVICES": "4,5,6,7"})
        self.assertEqual(sorted(run.stdout.split()), ["0=4,5", "1=6,7"], run)
        run = self.shell("true", "-n", "3", "--gpus-per-rank", "2", environment={"CUDA_VISIBLE_DEVICES": "4,5,6,7"})
        self.assertEqual(run.code, 127, run)
        self.assertIn("need 6 GPUs, and it has 4", run.stderr, run)

    def test_keeps_its_secrets_from_ranks_and_from_command_lines(self):
        run = self.shell("env; cat /proc/*/cmdline | tr '\\0' ' '", "--launcher", "local", "-N", "2")
        self.assertEqual(run.code, 0, run)
        self.assertNotIn("MUSTER_RUN_SECRET", run.stdout, run)

    def test_rank_0_has_the_input(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "input"
            path.write_text("typed\n")
            with path.open() as typed:
                run = subprocess.run([MUSTER, "run", "-n", "2", "--", "sh", "-c", "echo $RANK got $(cat)"],
                                     stdin=typed, capture_output=True, text=True, timeout=60)
        self.assertEqual(sorted(run.stdout.splitlines()), ["0 got typed", "1 got"], run)

    def test_under_mpirun_each_process_is_a_supervisor(self):
        run = harness.run(MUSTER, "run", "--", sys.executable, "-c", MET, ranks=3)
        self.assertEqual((run.code, run.left_behind), (0, []), run)
        self.assertIn("met [0, 1, 2]", run.stdout, run)
        self.assertIn("rank 2 of 3 local 2 of 3 on 0", run.stdout, run)


class Ends(MusterRun):
    def test_exit_codes_are_the_ranks(self):
        for text, code in (("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -SEGV $$", 139)):
            for ranks in ("1", "3"):
                with self.subTest(text=text, ranks=ranks):
                    self.assertEqual(self.shell(text, "-n", ranks).code, code)

    def test_a_program_that_is_not_there_or_not_executable(self):
        run = self.muster("--", "no-such-program")
        self.assertEqual(run.code, 127, run)
        self.assertIn("'no-such-program' is not found", run.stderr, run)
        run = self.muster("--", "/etc/passwd")
        self.assertEqual(run.code, 126, run)
        self.assertIn("not executable", run.stderr, run)

    def test_the_first_failing_rank_is_shown_with_what_it_said_last(self):
        run = self.shell("""if [ $RANK = 2 ]; then echo the real reason >&2; exit 5; fi
                            trap 'echo I was told >&2; exit 9' TERM; sleep 30 & wait""", "-n", "4")
        self.assertEqual(run.code, 5, run)
        self.assertRegex(run.stderr, r"muster: rank 2 on \S+ \(process \d+\): exit code 5\n"
                                     r"  the last lines of its standard error:\n    the real reason\n", run)
        self.assertNotIn("exit code 9", run.stderr, run)
        self.assertLess(run.seconds_to_end, 20, run)

    def test_torchs_error_file_counts_for_more_than_standard_error(self):
        run = self.python("""
import json, os, sys
if os.environ["RANK"] == "1":
    json.dump({"message": {"message": "E", "extraInfo": {"py_callstack": "Traceback of torch"}}},
              open(os.environ["TORCHELASTIC_ERROR_FILE"], "w"))
    sys.exit("noise")
""", "-n", "2")
        self.assertIn("it reported:\n    Traceback of torch", run.stderr, run)

    def test_ranks_that_ignore_sigterm_are_killed_after_the_grace(self):
        run = self.shell("[ $RANK = 0 ] && exit 4; trap '' TERM; while :; do sleep 1; done", "-n", "2",
                         "--grace", "300ms")
        self.assertEqual(run.code, 4, run)

    def test_nothing_stays_of_what_ranks_have_started(self):
        run = self.shell("sleep 60 & setsid sleep 60 & exit 0", "-n", "2", grace=0.5)
        self.assertEqual(run.code, 0, run)

    def test_a_timeout_is_124(self):
        run = self.shell("sleep 60", "-n", "2", "--timeout", "300ms")
        self.assertEqual(run.code, 124, run)
        self.assertIn("--timeout) is up", run.stderr, run)

    def test_signals_reach_every_rank_once(self):
        counting = """
import os, signal, time
seen = []
for number in (signal.SIGUSR1, signal.SIGTERM):
    signal.signal(number, lambda number, frame: seen.append(number))
open("ready" + os.environ["RANK"], "w").close()
deadline = time.monotonic() + 20
while os.environ["RANK"] == "0" and not os.path.exists("ready1") and time.monotonic() < deadline:
    time.sleep(0.01)
if os.environ["RANK"] == "0":
    print("ready", flush=True)
while signal.SIGTERM not in seen and time.monotonic() < deadline:
    time.sleep(0.02)
time.sleep(0.3)
print("rank", os.environ["RANK"], [int(number) for number in seen], flush=True)
"""
        for arguments in (("-n", "2"), ("--launcher", "local", "-N", "2")):
            with self.subTest(arguments=arguments):
                run = self.python(counting, *arguments, interrupt_at="ready", signal_number=signal.SIGTERM)
                self.assertEqual(run.code, 0, run)
                for rank in (0, 1):
                    self.assertIn(f"rank {rank} [15]", run.stdout, run)

    def test_an_interrupt_ends_ranks_that_do_not_handle_it(self):
        run = self.shell("echo ready; sleep 60", "-n", "2", interrupt_at="ready", signal_number=signal.SIGINT)
        self.assertEqual(run.code, 130, run)

    def test_nothing_is_left_when_muster_is_killed(self):
        for arguments in (("-n", "2"), ("--launcher", "local", "-N", "2")):
            with self.subTest(arguments=arguments):
                run = self.shell("sleep 60 & setsid sleep 60 & echo ready; wait", *arguments,
                                 interrupt_at="ready", signal_number=signal.SIGKILL, grace=5)
                self.assertEqual(run.code, -signal.SIGKILL, run)

    def test_nothing_is_left_when_its_supervisor_is_killed(self):
        # Rank 0's parent is the supervisor.
        run = self.shell("setsid sleep 60 & sleep 60 & [ $RANK = 1 ] && kill -9 $PPID; wait", "-n", "2", grace=5)
        self.assertEqual(run.code, 137, run)
        self.assertIn("ended by signal 9", run.stderr, run)

    def test_help_and_mistakes(self):
        self.assertIn("muster run -n 8", self.muster("--help").stdout)
        for arguments, needle in ((("-n", "0", "x"), "at least 1"), ((), "needs a program"),
                                  (("-N", "2", "true"), "only this machine"),
                                  (("--launcher", "srun", "--mpi", "yes", "true"), "srun"),
                                  (("--bananas", "true"), "bananas")):
            with self.subTest(arguments=arguments):
                run = self.muster(*arguments, environment={"SLURM_JOB_ID": ""})
                self.assertEqual(run.code, 2, run)
                self.assertIn(needle, run.stderr, run)
                self.assertEqual(len(run.stderr.splitlines()), 1, run)


class Restarts(MusterRun):
    FAILS_TWICE = "echo $TORCHELASTIC_RESTART_COUNT/$TORCHELASTIC_MAX_RESTARTS;" \
                  "[ $RANK = 1 ] && [ $TORCHELASTIC_RESTART_COUNT -lt 2 ] && exit 6; sleep 0.1"

    def test_all_ranks_start_anew(self):
        for arguments in (("-n", "2"), ("--launcher", "local", "-N", "2")):
            with self.subTest(arguments=arguments):
                run = self.shell(self.FAILS_TWICE, *arguments, "--max-restarts", "3")
                self.assertEqual(run.code, 0, run)
                self.assertEqual(run.stdout.split().count("2/3"), 2, run)
                self.assertIn("restart 2 of 3", run.stderr, run)

    def test_not_more_often_than_allowed(self):
        run = self.shell(self.FAILS_TWICE, "-n", "2", "--max-restarts", "1")
        self.assertEqual(run.code, 6, run)
        self.assertEqual(run.stderr.count("exit code 6"), 2, run)

    def test_goes_on_with_fewer_nodes_when_one_is_lost(self):
        # The rank kills its supervisor and that one's guard: to the others the node is gone.
        run = self.shell("""echo run $TORCHELASTIC_RESTART_COUNT rank $RANK of $WORLD_SIZE
                            if [ $WORLD_SIZE = 3 ]; then
                                [ $RANK = 1 ] && kill -9 $(cut -d' ' -f4 /proc/$PPID/stat) $PPID; sleep 60
                            fi""", "--launcher", "local", "--nodes", "1:3", "--per-node", "1")
        self.assertEqual(run.code, 0, run)
        self.assertIn("node local-1 is lost", run.stderr, run)
        self.assertIn("starting anew on 2 nodes", run.stderr, run)
        self.assertEqual(sorted(re.findall("run 1 .*", run.stdout)),
                         ["run 1 rank 0 of 2", "run 1 rank 1 of 2"], run)

    def test_a_lost_node_that_is_needed_ends_the_run(self):
        run = self.shell("[ $RANK = 1 ] && kill -9 $(cut -d' ' -f4 /proc/$PPID/stat) $PPID; sleep 60",
                         "--launcher", "local", "-N", "2")
        self.assertEqual(run.code, 1, run)
        self.assertIn("1 node is left, and 2 needed", run.stderr, run)


class Output(MusterRun):
    def test_prefixes(self):
        run = self.shell("echo out; echo err >&2", "-n", "2", "--prefix", "rank")
        self.assertEqual(sorted(run.stdout.splitlines()), ["[0] out", "[1] out"], run)
        self.assertEqual(sorted(run.stderr.splitlines()), ["[0] err", "[1] err"], run)
        host = os.uname().nodename
        run = self.shell("echo out", "-n", "1", "--prefix", "host")
        self.assertEqual(run.stdout, f"[0 {host}] out\n", run)

    def test_lines_of_ranks_are_not_torn(self):
        run = self.python("for i in range(2000): print(__import__('os').environ['RANK'] * 70)", "-n", "3")
        self.assertEqual(len(run.stdout.splitlines()), 6000)
        self.assertEqual({len(set(line)) for line in run.stdout.splitlines()}, {1})

    def test_a_line_without_an_end_is_not_lost(self):
        run = self.shell("printf $RANK-no-end", "-n", "2")
        self.assertEqual(sorted(run.stdout.split()), ["0-no-end", "1-no-end"], run)

    def test_equal_lines_appear_once(self):
        run = self.shell("echo hello; echo I am $RANK; echo bye", "-n", "3", "--merge")
        lines = run.stdout.splitlines()
        self.assertEqual(lines[0], "[0-2] hello", run)
        self.assertEqual(lines[-1], "[0-2] bye", run)
        self.assertEqual(sorted(lines[1:-1]), [f"[{i}] I am {i}" for i in range(3)], run)

    def test_log_files_by_attempt_and_rank(self):
        with tempfile.TemporaryDirectory() as folder:
            run = self.shell("echo out $RANK; echo err >&2; [ $RANK$TORCHELASTIC_RESTART_COUNT = 10 ] && exit 1; "
                             "sleep 0.1", "-n", "2", "--max-restarts", "1", "--log-dir", folder, "--quiet")
            self.assertEqual((run.code, run.stdout), (0, ""), run)
            logs = {str(path.relative_to(folder)): path.read_text() for path in Path(folder).rglob("*.*")}
        self.assertEqual(sorted(logs), [f"attempt-{a}/rank-{r}.{s}" for a in (0, 1) for r in (0, 1)
                                        for s in ("err", "out")])
        self.assertEqual(logs["attempt-1/rank-1.out"], "out 1\n")
        self.assertEqual(logs["attempt-0/rank-1.err"], "err\n")

    def test_a_log_folder_that_cannot_be_is_one_sentence(self):
        run = self.shell("true", "-n", "2", "--log-dir", "/proc/nowhere")
        self.assertEqual(run.code, 1, run)
        self.assertIn("--log-dir: /proc/nowhere", run.stderr, run)

    def test_a_reader_that_goes_ends_the_ranks_as_a_pipe_would(self):
        run = subprocess.run(["sh", "-c", f"{MUSTER} run -n 2 -- yes | head -n 1"], capture_output=True, text=True,
                             timeout=60)
        self.assertEqual(run.stdout, "y\n", run)

    def test_a_reader_that_does_not_read_holds_up_no_signal(self):
        process = subprocess.Popen([MUSTER, "run", "-n", "2", "--", "sh", "-c", "echo ready >&2; yes"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        process.stderr.readline()
        time.sleep(0.5)  # until every buffer on the way is full
        process.terminate()
        time.sleep(0.5)
        process.terminate()
        self.assertEqual(process.wait(30), 143)

    def test_shows_and_makes_bindings(self):
        cpus = sorted(os.sched_getaffinity(0))
        run = self.python("import os; print(os.environ['RANK'], sorted(os.sched_getaffinity(0)))",
                          "-n", str(len(cpus)), "--bind", "share", "--show-binding")
        self.assertEqual(run.code, 0, run)
        bound = dict(line.split(" ", 1) for line in run.stdout.splitlines())
        self.assertEqual(sorted(json.loads(each)[0] for each in bound.values()), cpus, run)
        self.assertRegex(run.stderr, r"muster: rank 0 on \S+: CPUs \d+", run)

    def test_a_dry_run_starts_nothing(self):
        run = self.shell("echo started", "-n", "2", "--dry-run")
        self.assertEqual((run.code, run.stdout), (0, ""), run)
        self.assertIn("2 processes on this machine", run.stderr, run)


@unittest.skipUnless("MPI_PROGRAM" in os.environ, "no MPI programs were built")
class Mpi(MusterRun):
    """Programs linked with MPI, through its mpirun."""

    def test_an_mpi_program_is_one_world(self):
        run = self.muster("-n", "3", os.environ["MPI_PROGRAM"])
        self.assertEqual(run.code, 0, run)
        self.assertEqual(sorted(run.stdout.splitlines()), [f"rank {i} of 3" for i in range(3)], run)

    def test_its_exit_code_is_the_ranks(self):
        run = self.muster("-n", "2", os.environ["MPI_PROGRAM"], "7")
        self.assertEqual(run.code, 7, run)

    def test_a_muster_program_survives_lost_ranks_and_its_exit_code_comes_through(self):
        for code in ("0", "5", "75"):
            with self.subTest(code=code):
                run = self.muster("-n", "2", os.environ["ENDING_PROGRAM"], code)
                self.assertEqual(run.code, int(code), run)
                self.assertIn("ranks 2 survive 1", run.stdout, run)
                self.assertNotIn("-----", run.stderr, run)

    def test_a_usage_error_is_2(self):
        run = self.muster("-n", "2", os.environ["ENDING_PROGRAM"], "usage")
        self.assertEqual(run.code, 2, run)
        self.assertIn("no such option", run.stderr, run)

    def test_a_driver_that_dies_is_its_signal(self):
        run = self.muster("-n", "2", os.environ["ENDING_PROGRAM"], "abort")
        self.assertEqual(run.code, 128 + signal.SIGABRT, run)

    def test_one_that_must_end_says_try_again(self):
        # mpirun leaves a second from SIGTERM to SIGKILL, which may be short on a busy machine.
        run = self.muster("-n", "2", os.environ["ENDING_PROGRAM"], "wait", interrupt_at="ranks 2",
                          signal_number=signal.SIGTERM, grace=5,
                          environment={"OMPI_MCA_odls_base_sigkill_timeout": "4"})
        self.assertEqual(run.code, 75, run)

    def test_one_that_is_interrupted_is_130(self):
        run = self.muster("-n", "2", os.environ["ENDING_PROGRAM"], "wait", interrupt_at="ranks 2",
                          signal_number=signal.SIGINT, grace=5,
                          environment={"OMPI_MCA_odls_base_sigkill_timeout": "4"})
        self.assertEqual(run.code, 130, run)

    def test_nothing_is_left_when_muster_is_killed(self):
        run = self.muster("-n", "2", os.environ["ENDING_PROGRAM"], "wait", interrupt_at="ranks 2",
                          signal_number=signal.SIGKILL, grace=10)
        self.assertEqual(run.code, -signal.SIGKILL, run)

    def test_restarts_the_whole_program(self):
        run = self.muster("-n", "2", "--max-restarts", "1", os.environ["ENDING_PROGRAM"], "5")
        self.assertEqual(run.code, 5, run)
        self.assertEqual(run.stdout.count("ranks 2"), 2, run)

    def test_under_mpirun_it_becomes_the_program(self):
        run = harness.run(MUSTER, "run", os.environ["MPI_PROGRAM"], ranks=2)
        self.assertEqual((run.code, run.left_behind), (0, []), run)
        self.assertIn("rank 1 of 2", run.stdout, run)


def torch_python():
    """An interpreter with torch, or None and why."""
    python = os.environ.get("MUSTER_TEST_TORCH_PYTHON", "")
    if not python or not Path(python).exists():
        return None, f"no Python with torch (MUSTER_TEST_TORCH_PYTHON is '{python}')"
    check = subprocess.run([python, "-c", "import torch, torch.distributed"], capture_output=True, text=True)
    return (python, "") if check.returncode == 0 else (None, f"{python} cannot import torch")


class Torch(MusterRun):
    """The script is written for torchrun, and knows nothing of Muster."""

    SCRIPT = Path(__file__).with_name("train_ddp.py")

    def setUp(self):
        self.interpreter, _ = torch_python()

    def train(self, *arguments, steps="20", **options):
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "checkpoint.pt"
            run = self.muster(*arguments, "--", self.interpreter, self.SCRIPT, checkpoint, steps, timeout=180, **options)
        self.assertEqual(run.code, 0, run)
        return re.findall(r"world (\d+) first step (\d+) loss (\S+) -> (\S+)", run.stdout)

    def test_trains_on_two_nodes(self):
        (world, step, before, after), = self.train("--launcher", "local", "-N", "2", "--per-node", "1")
        self.assertEqual((world, step), ("2", "0"))
        self.assertLess(float(after), float(before) / 2)

    def test_goes_on_from_its_checkpoint_after_a_restart(self):
        (world, step, _, _), = self.train("-n", "2", "--max-restarts", "1", environment={"FAIL_AT": "10"})
        self.assertEqual((world, step), ("2", "10"))


if __name__ == "__main__":
    if "Torch" in sys.argv and torch_python()[0] is None:
        print(torch_python()[1])
        sys.exit(SKIPPED)
    unittest.main(verbosity=2)
