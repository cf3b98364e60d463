#!/usr/bin/env python3
"""`muster run` and `muster doctor` in jobs of a real Slurm."""

import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from meeting import MEETING  # noqa: E402
from slurm_case import SlurmCase, main  # noqa: E402

MUSTER = os.environ["MUSTER_PROGRAM"]
PROGRAM = os.environ["SLURM_PROGRAM"]

MET = MEETING + """
print("rank", rank, "of", world, "local", os.environ["LOCAL_RANK"], "group", os.environ["GROUP_RANK"], "on",
      socket.gethostname(), "attempt", os.environ["TORCHELASTIC_RESTART_COUNT"], flush=True)
"""


def lines_of(text, attempt=0):
    return sorted(re.findall(rf"rank (\d+) of (\d+) local (\d+) group (\d+) on (\S+) attempt {attempt}$", text, re.M))


SIX = sorted((str(rank), "6", str(rank % 2), str(rank // 2), f"n{1 + rank // 2}") for rank in range(6))


class Run(SlurmCase):
    def batch(self, command, *options, code=0):
        job = self.sbatch(f"#!/bin/bash\n{command}\n", *options)
        state = self.wait_for_end(job, 120)
        self.assertEqual(state, f"{'COMPLETED' if code == 0 else 'FAILED'} {code}", self.logs())
        return self.output(job)

    def script(self, text):
        path = self.folder / "script.py"
        path.write_text(text)
        return f"{sys.executable} {path}"

    def test_in_a_batch_script_a_supervisor_on_each_node_gives_torchruns_contract(self):
        text = self.batch(f"{MUSTER} run --per-node 2 -- {self.script(MET)}", "-N3", "-n3")
        self.assertEqual(lines_of(text), SIX, text)
        self.assertIn("met [0, 1, 2, 3, 4, 5]", text)

    def test_from_a_shell_of_salloc_it_runs_on_the_node_not_where_the_shell_is(self):
        done = self.expect(self.run_on_head("salloc", "-N1", "-w", "n2", MUSTER, "run", "-n", "2", "hostname"))
        self.assertEqual(done.stdout.split(), ["n2", "n2"], done.stderr)

    def test_a_job_without_the_scripts_variables_in_its_steps(self):
        text = self.batch(f"{MUSTER} run --per-node 2 -- {self.script(MET)}", "-N3", "-n3", "--export=NONE")
        self.assertEqual(lines_of(text), SIX, text)

    def test_each_task_of_srun_is_a_supervisor(self):
        for mpi in ("none", "pmi2"):
            done = self.expect(self.srun(f"--mpi={mpi}", "-N3", "--ntasks-per-node=2", MUSTER, "run", "-v", "--",
                                         sys.executable, "-c", MET))
            self.assertEqual(lines_of(done.stdout), SIX, done.stdout + done.stderr)
            if mpi == "pmi2" and os.environ.get("PMI2_RING"):  # built with Slurm's client
                self.assertRegex(done.stderr, r"supervisor 1 of 6, meets the others at n1:\d+ or 10\.")

    def test_the_first_failure_is_shown_and_its_code_is_the_jobs(self):
        script = self.script("""
import os, sys, time
if os.environ["RANK"] == "2":
    sys.exit("the real reason")
time.sleep(60)
""")
        text = self.batch(f"{MUSTER} run --per-node 1 -- {script}; code=$?; echo code $code; exit $code",
                          "-N3", "-n3", code=1)
        self.assertRegex(text, r"rank 2 on n3 \(process \d+\): exit code 1\n.*\n +the real reason")
        self.assertIn("code 1\n", text)

    def test_goes_on_with_fewer_nodes_when_one_is_lost(self):
        script = self.script("""
import os, time
print("attempt", os.environ["TORCHELASTIC_RESTART_COUNT"], "rank", os.environ["RANK"], "of", os.environ["WORLD_SIZE"],
      flush=True)
if os.environ["WORLD_SIZE"] == "3":
    time.sleep(120)
""")
        job = self.sbatch(f"#!/bin/bash\n{MUSTER} run --nodes 2:3 --per-node 1 -- {script}\n", "-N3", "-n3", "--no-kill")
        self.wait_for("all ranks run", lambda: self.output(job).count("attempt 0") == 3)
        self.cluster.ask("off n3")
        self.addCleanup(self.wait_for_nodes)
        self.addCleanup(self.cluster.ask, "on n3")
        self.wait_for("two go on", lambda: self.output(job).count("attempt 1") == 2, 90)
        self.assertIn("node n3 is lost", self.output(job))
        self.assertIn("starting anew on 2 nodes", self.output(job))

    def test_an_mpi_program_is_started_by_srun_with_what_its_library_speaks(self):
        text = self.batch(f"{MUSTER} run -v --per-node 2 -- {PROGRAM} resources", "-N3", "-n3")
        self.assertIn("by srun --mpi=pmix: in Slurm job", text)
        self.assertEqual(len(re.findall(r"^rank \d on n\d: ", text, re.M)), 6, text)

    def test_an_mpi_program_is_started_by_mpirun_where_that_is_asked_for(self):
        text = self.batch(f"{MUSTER} run -v --launcher mpirun --per-node 1 -- {PROGRAM} resources", "-N3", "-n3")
        self.assertIn("mpirun", text)
        self.assertEqual(len(re.findall(r"^rank \d on n\d: ", text, re.M)), 3, text)

    def test_a_sweep_in_a_batch_script_starts_itself_on_all_nodes(self):
        text = self.batch(f"{MUSTER} sweep --cpus 1 sh -c 'hostname; sleep 0.3' {{}} ::: {' '.join('abcdefghi')}; "
                          "echo code $?", "-N3", "-n3")
        self.assertIn("code 0", text)
        self.assertEqual(len(re.findall(r"^n[123]$", text, re.M)), 9, text)
        self.assertEqual(set(re.findall(r"^n[123]$", text, re.M)), {"n1", "n2", "n3"}, text)

    def test_an_unmodified_script_for_torchrun_trains_on_three_nodes(self):
        python = os.environ.get("MUSTER_TEST_TORCH_PYTHON", "")
        if not os.path.exists(python):
            self.skipTest("no Python with torch (MUSTER_TEST_TORCH_PYTHON)")
        script = Path(__file__).parents[1] / "cli/train_ddp.py"
        text = self.batch(f"{MUSTER} run --per-node 1 -- {python} {script} {self.folder}/checkpoint.pt 20", "-N3", "-n3")
        (before, after), = re.findall(r"world 3 first step 0 loss (\S+) -> (\S+)", text)
        self.assertLess(float(after), float(before) / 2, text)

    def test_doctor_says_which_way_is_taken(self):
        text = self.batch(f"{MUSTER} doctor --json", "-N3", "-n3")
        texts = [each["text"] for each in json.loads(text)["findings"]]
        self.assertTrue(any(re.search(r"in job \d+ of 3 node", each) for each in texts), text)
        self.assertTrue(any("started by srun --mpi=pmix" in each for each in texts), text)


if __name__ == "__main__":
    main()
