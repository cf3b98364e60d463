#!/usr/bin/env python3
"""A program of another MPI than ours: MPICH's, under --mpi=pmi2 (PyPI's wheel: scripts/install-mpich)."""

import os
import re
import subprocess
from pathlib import Path

from slurm_case import SIX_RANKS, SlurmCase, main

MPICH = Path(os.environ["MPICH"])
SOURCE = os.environ["MPI_RING_SOURCE"]
MUSTER = os.environ["MUSTER_PROGRAM"]
TOGETHER = sorted(f"{rank} of 6 on n{1 + rank // 2}: came around" for rank in range(6))


class Mpich(SlurmCase):
    def setUp(self):
        compiler = MPICH / "bin" / "mpicxx"
        if not compiler.exists():
            self.skipTest("there is no MPICH in build/mpich: scripts/install-mpich")
        super().setUp()
        self.ring = self.folder / "ring"
        subprocess.run([compiler, SOURCE, "-o", self.ring], check=True, timeout=60)

    def test_six_ranks_on_three_nodes_by_pmi2(self):
        done = self.expect(self.srun("--mpi=pmi2", *SIX_RANKS, self.ring))
        self.assertEqual(sorted(done.stdout.splitlines()), TOGETHER)

    def test_without_pmi_they_are_worlds_of_one_and_nobody_says_so(self):
        # Which is why Muster compares its world with what srun meant.
        done = self.expect(self.srun("--mpi=none", *SIX_RANKS, self.ring))
        self.assertEqual(len(re.findall("0 of 1 on", done.stdout)), 6)

    def test_muster_submit_sees_which_mpi_it_is_and_starts_it_so(self):
        done = self.run_on_head(MUSTER, "submit", "--output", "%j.out", "--nodes", "3", "--tasks-per-node", "2", "--",
                                self.ring, environment={"XDG_STATE_HOME": str(self.folder / "state")})
        self.expect(done)
        job = re.match(r"job (\d+): .* \(the program is linked with MPICH, and srun offers pmi2\)", done.stdout)
        self.assertTrue(job, done.stdout)
        self.assertEqual(self.wait_for_end(job[1]), "COMPLETED 0", self.logs())
        self.assertEqual(sorted(self.output(job[1]).splitlines()), TOGETHER)


if __name__ == "__main__":
    main()
