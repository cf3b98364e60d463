#!/usr/bin/env python3
"""Programs of ours as jobs of a real Slurm: how they start, and what they may use."""

import os

from slurm_case import SIX_RANKS, SlurmCase, main

PROGRAM = os.environ["SLURM_PROGRAM"]
PMI2_RING = os.environ.get("PMI2_RING", "")
DIGITS = os.environ.get("DIGITS_SWEEP", "")
DIGITS_DATA = os.environ.get("DIGITS_DATA", "")


class MainJob(SlurmCase):
    def test_six_ranks_on_three_nodes_are_one_cluster_and_find_what_one_rank_finds(self):
        if not DIGITS:
            self.skipTest("digits_sweep is not built: there is no HDF5")
        arguments = ["--data", DIGITS_DATA, "--trials", "8", "--seed", "1"]
        alone = self.expect(self.run_on_head(DIGITS, *arguments, timeout=120))
        together = self.expect(self.srun("--mpi=pmix", *SIX_RANKS, DIGITS, *arguments, timeout=120))
        self.assertIn(", in a cluster of 6 (6 cpus, ", together.stdout)
        self.assertEqual(results(together.stdout), results(alone.stdout))


def results(text):
    """From the table of trials on: what any number of ranks finds."""
    head, _, tail = text.partition("\ntrial  epochs ")
    assert tail, head
    return tail


class WrongMpi(SlurmCase):
    def test_without_pmi_the_start_names_the_flag_that_is_missing(self):
        done = self.srun("--mpi=none", *SIX_RANKS, PROGRAM, "resources")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("srun --mpi=pmix", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_silent_singletons_are_noticed_and_refused(self):
        # Open MPI 4 takes itself for started alone where this variable is not set, as other MPIs do
        # whenever their server is missing.
        done = self.srun("--mpi=none", *SIX_RANKS, "env", "-u", "SLURM_NODELIST", PROGRAM, "resources")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"srun started 6 processes, and process \d finds itself as rank 0 of 1")
        self.assertIn("start it with 'srun --mpi=pmix'", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_one_task_needs_no_mpi(self):
        done = self.expect(self.srun("--mpi=none", "-n1", PROGRAM, "resources"))
        self.assertRegex(done.stdout, r"\Arank 0 on n\d: 1 cpus, 0 gpus, \d+ MiB\n\Z")


class Mpirun(SlurmCase):
    def test_inside_a_batch_script_it_is_one_cluster_too(self):
        job = self.sbatch(f"#!/bin/bash\nmpirun {PROGRAM} resources\n", *SIX_RANKS, "--mem=600")
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        expected = [f"rank {rank} on n{1 + rank // 2}: 1 cpus, 0 gpus, 300 MiB" for rank in range(6)]
        self.assertEqual(self.output(job).splitlines(), expected)


class Resources(SlurmCase):
    """What ranks may use is what the allocation gives them, found without asking Slurm's daemons."""

    def report(self, *options, batch=True):
        """In a batch script, which Slurm tells about memory; else in a step of its own."""
        if batch:
            job = self.sbatch(f"#!/bin/bash\nexec srun --mpi=pmix {PROGRAM} resources\n", *options)
            self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
            return self.output(job).splitlines()
        return self.expect(self.srun("--mpi=pmix", *options, PROGRAM, "resources")).stdout.splitlines()

    def test_a_part_of_a_node_is_not_the_whole_node(self):
        self.assertEqual(self.report("-N1", "-n1", "--mem=300", "-w", "n2"),
                         ["rank 0 on n2: 1 cpus, 0 gpus, 300 MiB"])

    def test_cpus_per_task_and_memory_per_cpu(self):
        lines = self.report("-N2", "-n2", "--cpus-per-task=2", "--mem-per-cpu=150", "-w", "n1,n2")
        self.assertEqual(lines, [f"rank {r} on n{r + 1}: 2 cpus, 0 gpus, 300 MiB" for r in range(2)])

    def test_gpus_of_a_node_are_shared_out_among_its_ranks(self):
        lines = self.report(*SIX_RANKS, "--gres=gpu:1", "--mem=400")
        self.assertEqual(lines, [f"rank {r} on n{1 + r // 2}: 1 cpus, {1 - r % 2} gpus, 200 MiB" for r in range(6)])

    def test_gpus_of_a_task_are_its_own(self):
        lines = self.report("-N1", "-n2", "-w", "n1", "--gpus-per-task=1", batch=False)
        self.assertEqual([line.split(", ")[1] for line in lines], ["1 gpus", "1 gpus"], lines)

    def test_nodes_that_are_not_alike_are_counted_one_by_one(self):
        # All GPUs there are: two on n1 and n2, one on n3.
        lines = self.report("-N3", "--ntasks-per-node=1", "--exclusive", "--gpus=5", "--mem=0")
        self.assertEqual([line.split(", ")[1] for line in lines], ["2 gpus", "2 gpus", "1 gpus"], lines)

    def test_two_jobs_on_one_node_have_a_part_each(self):
        first = self.sbatch(f"#!/bin/bash\nexec srun --mpi=pmix {PROGRAM} until {self.folder}/stop\n",
                            "-N1", "-n1", "-w", "n2", "--gres=gpu:1", "--mem=500")
        self.wait_for("the first job works", lambda: "at work" in self.output(first))
        second = self.report("-N1", "-n1", "-w", "n2", "--gres=gpu:1", "--mem=700")
        self.assertEqual(second, ["rank 0 on n2: 1 cpus, 1 gpus, 700 MiB"])
        (self.folder / "stop").touch()
        self.assertEqual(self.wait_for_end(first), "COMPLETED 0", self.logs())

    def test_ranks_ask_nothing_of_slurms_daemons(self):
        # They do not even know where these are.
        done = self.expect(self.srun("--mpi=pmix", *SIX_RANKS, "env", "SLURM_CONF=/nowhere", "PATH=/nowhere", PROGRAM,
                                     "resources"))
        self.assertEqual(len(done.stdout.splitlines()), 6, done.stdout)


class Pmi2(SlurmCase):
    def setUp(self):
        if not PMI2_RING:
            self.skipTest("built without Slurm's PMI2 client: scripts/install-packages slurm")
        super().setUp()

    def test_tasks_tell_each_other_where_they_are(self):
        done = self.expect(self.srun("--mpi=pmi2", *SIX_RANKS, PMI2_RING))
        lines = sorted(done.stdout.splitlines())
        self.assertEqual(len(lines), 6)
        for rank, line in enumerate(lines):
            following = (rank + 1) % 6
            self.assertTrue(line.startswith(
                f'{rank} of 6: next is at n{1 + following // 2} port=100{following}, "quoted"; 923 bytes; '), line)
            self.assertIn("(vector,(0,3,2))", line)
            self.assertIn("put 'nobody' before the last fence", line)
            self.assertIn("a key is 1 to 63 printable ASCII characters", line)
            self.assertIn("this process has connected before", line)

    def test_without_its_server_it_says_what_to_do(self):
        for mpi in ("none", "pmix"):
            done = self.srun(f"--mpi={mpi}", "-n1", PMI2_RING)
            self.assertEqual(done.returncode, 1)
            self.assertIn("start with 'srun --mpi=pmi2'", done.stderr)
        done = self.run_on_head(PMI2_RING)
        self.assertIn("start with 'srun --mpi=pmi2'", done.stderr)


if __name__ == "__main__":
    main()
