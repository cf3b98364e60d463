#!/usr/bin/env python3
"""muster submit and muster jobs on a real Slurm."""

import collections
import json
import os
import subprocess

from slurm_case import SlurmCase, main

PROGRAM = os.environ["SLURM_PROGRAM"]
MUSTER = os.environ["MUSTER_PROGRAM"]
SIX = ["--nodes", "3", "--tasks-per-node", "2"]


class MusterCase(SlurmCase):
    def setUp(self):
        super().setUp()
        self.executions = self.folder / "executions"
        self.environment = {"HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state"),
                            "XDG_CONFIG_HOME": str(self.folder / "config"), "EXECUTIONS": str(self.executions)}

    def muster(self, *arguments, code=0, environment=None):
        done = self.run_on_head(MUSTER, *arguments, environment={**self.environment, **(environment or {})})
        return self.expect(done, code)

    def submit(self, *arguments, **options):
        """@return the job's number."""
        output = [] if "--output" in arguments else ["--output", "%j.out"]
        return self.muster("submit", "--parsable", *output, *arguments, **options).stdout.strip()

    def jobs(self, *arguments):
        return json.loads(self.muster("jobs", "--json", *arguments).stdout)

    def executed(self):
        lines = self.executions.read_text().splitlines() if self.executions.exists() else []
        return collections.Counter(lines)

    def recorded(self, tasks):
        """Runs the study once more, on one rank, and tells which of its tasks it had to compute."""
        before = self.executed()
        done = self.expect(self.run_on_head(PROGRAM, "study", tasks, environment={
            **self.environment, "MUSTER_JOURNAL": str(self.folder / "study")}))
        self.assertIn(f"sum {sum(range(tasks))} ", done.stdout)
        return self.executed() - before

    def expect_each_recorded_once(self, tasks, interrupted):
        """All are in the journal; run twice were only those that `interrupted` ranks had under way."""
        executed = self.executed()
        self.assertEqual(len(executed), tasks)
        again = {task: n for task, n in executed.items() if n > 1}
        self.assertLessEqual(len(again), interrupted, again)
        self.assertTrue(all(n == 2 for n in again.values()), again)
        self.assertEqual(self.recorded(tasks), {}, "the journal has them all")


class Submit(MusterCase):
    def test_dry_run_prints_the_script_and_submits_nothing(self):
        text = self.muster("submit", "--dry-run", *SIX, "--time", "5", "-c", "1", "--", PROGRAM, "it's $HOME").stdout
        self.assertTrue(text.startswith("#!/bin/bash\n#SBATCH --job-name=slurm_program\n#SBATCH --nodes=3\n"), text)
        self.assertIn("\nsrun --mpi=pmix --cpus-per-task=1 ", text)
        self.assertIn("'it'\\''s $HOME' &\n", text)
        self.assertEqual(self.jobs(), [])
        done = subprocess.run(["bash", "-n"], input=text, text=True, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_program_decides_how_it_is_started(self):
        text = self.muster("submit", "--dry-run", "-n", "1", "--", PROGRAM).stdout
        self.assertIn(f"\n{PROGRAM} &\n", text)
        text = self.muster("submit", "--dry-run", "-n", "3", "--", "hostname").stdout
        self.assertIn(f"\n{MUSTER} run -- hostname &\n", text)
        text = self.muster("submit", "--dry-run", "-n", "3", "--launch", "mpirun", "--", PROGRAM).stdout
        self.assertIn(f"\nmpirun --bind-to none {PROGRAM} &\n", text)
        text = self.muster("submit", "--dry-run", "-n", "3", "--launch", "muster", "--", PROGRAM).stdout
        self.assertIn(f"\n{MUSTER} run -- {PROGRAM} &\n", text)

    def test_a_job_runs_and_words_reach_it_as_they_are(self):
        words = ["it's", "$HOME `id` \"x\"", "", "a\nb", "*", "--nodes", "-", "#"]
        job = self.submit("-J", 'na "m" e # x', "-n", "1", "--env", "GREETING=it's me", "--setup", "export EARLY=yes",
                          "--", "python3", "-c", "import sys, os; print(repr(sys.argv[1:]), os.environ['GREETING'],"
                          "os.environ['EARLY'], int(os.environ['SLURM_JOB_END_TIME']) > 0)", *words)
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        self.assertEqual(self.output(job), f"{words!r} it's me yes True\n")
        self.assertEqual(self.jobs()[0]["name"], 'na "m" e # x')

    def test_six_ranks_with_gpus_by_srun_and_by_mpirun(self):
        expected = [f"rank {r} on n{1 + r // 2}: 1 cpus, {1 - r % 2} gpus, 200 MiB" for r in range(6)]
        for launch in ("auto", "mpirun"):
            job = self.submit(*SIX, "--gpus", "1", "--mem", "400", "--launch", launch, "--", PROGRAM, "resources")
            self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
            self.assertEqual(self.output(job).splitlines(), expected, launch)

    def test_a_program_without_mpi_is_told_by_muster_run_what_torchrun_would(self):
        job = self.submit(*SIX, "--", "python3", "-c",
                          "import os; print('rank', os.environ['RANK'], 'of', os.environ['WORLD_SIZE'], os.uname()[1])")
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        # Beside them srun says that this cluster binds nobody.
        lines = sorted(line for line in self.output(job).splitlines() if line.startswith("rank "))
        self.assertEqual(lines, [f"rank {rank} of 6 n{1 + rank // 2}" for rank in range(6)])

    def test_a_jobs_exit_code_is_its_commands(self):
        job = self.submit("-n", "1", "--", "sh", "-c", "exit 7")
        self.assertEqual(self.wait_for_end(job), "FAILED 7")
        (one,) = self.jobs(job)
        self.assertEqual((one["state"], one["exit_code"], one["log"]), ("FAILED", 7, str(self.folder / f"{job}.out")))
        self.muster("jobs", "--watch", "--interval", "1", job, code=1)

    def test_dependencies_and_arrays(self):
        first = self.submit("-n", "1", "--array", "1-3%2", "--output", "%A_%a.out", "--", "sh", "-c",
                            "echo element $SLURM_ARRAY_TASK_ID")
        second = self.submit("-n", "1", "--after", first, "--", "cat", *[f"{first}_{i}.out" for i in (1, 2, 3)])
        self.assertEqual(self.wait_for_end(second), "COMPLETED 0", self.logs())
        self.assertEqual(self.output(second), "element 1\nelement 2\nelement 3\n")
        states = {one["job"]: one["state"] for one in self.jobs()}
        self.assertEqual(states, {f"{first}_{i}": "COMPLETED" for i in (1, 2, 3)} | {second: "COMPLETED"})
        logs = {one["job"]: one["log"] for one in self.jobs(first)}
        self.assertEqual(logs, {f"{first}_{i}": str(self.folder / f"{first}_{i}.out") for i in (1, 2, 3)})

    def test_settings_files_and_templates_speak_for_a_site(self):
        config = self.folder / "config" / "muster"
        config.mkdir(parents=True)
        template = self.folder / "site.sh"
        template.write_text("#!/bin/bash\n{{options}}\n{{setup}}\n{{environment}}\necho begins {{name}}\n{{run}}\n")
        (config / "muster.conf").write_text(f"[submit]\npartition = short\ntemplate = {template}\nsetup = export A=1\n")
        job = self.submit("-n", "1", "--", "sh", "-c", "echo $A $SLURM_JOB_PARTITION")
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        self.assertEqual(self.output(job), "begins sh\n1 short\n")
        template.write_text("#!/bin/bash\n{{typo}}\n{{run}}\n")
        self.assertIn("'{{typo}}'", self.muster("submit", "--", "true", code=2).stderr)

    def test_what_slurm_refuses_is_said_in_its_words(self):
        done = self.muster("submit", "-p", "nowhere", "--", "true", code=1)
        self.assertRegex(done.stderr, r"\Amuster: sbatch: error: .*partition")
        done = self.muster("submit", "-n", "1", "--env", "bad name=1", "--", "true", code=2)
        self.assertIn("cannot be the name of a variable", done.stderr)
        done = self.muster("submit", code=2)
        self.assertIn("there is no command to submit", done.stderr)


class Again(MusterCase):
    """A study that does not get done in one job."""

    def test_at_its_time_limit_it_is_requeued_and_goes_on_from_its_journal(self):
        tasks = 240
        job = self.submit(*SIX, "--time", "5", "--journal", "study", "--requeue", "--env", "MUSTER_TIME_LIMIT=3s",
                          "--", PROGRAM, "study", tasks)
        self.restart_until_over(job)
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        restarts = self.restarts(job)
        self.assertGreater(restarts, 0, "it was done in one run, and shows nothing")
        self.assertIn(f"sum {sum(range(tasks))} after {restarts} restarts", self.output(job))
        self.expect_each_recorded_once(tasks, 6 * restarts)
        (one,) = self.jobs(job)
        self.assertEqual((one["state"], one["restarts"], one["exit_code"]), ("COMPLETED", restarts, 0))

    def test_before_slurms_own_time_limit_it_ends_in_order(self):
        # Nobody tells it but the script, which has asked Slurm: a minute, less a tenth.
        job = self.submit(*SIX, "--time", "1", "--journal", "study", "--requeue", "--", PROGRAM, "study", "100000")
        self.wait_for("it is requeued", lambda: self.restarts(job) == 1, 100)
        self.assertIn("ending (time limit): ", self.output(job))
        self.assertIn("the job runs again", self.output(job))
        self.muster("jobs", "cancel", job)

    def test_the_signal_ahead_of_slurms_own_limit_does_the_same(self):
        tasks = 100000
        # Slurm's limits are minutes, and its clock for signals is as coarse: this one comes at once.
        job = self.submit(*SIX, "--time", "2", "--signal", "USR2@115", "--journal", "study", "--requeue",
                          "--again-max", "1", "--env", "MUSTER_TIME_LIMIT=none", "--", PROGRAM, "study", tasks)
        self.wait_for("it is requeued", lambda: self.restarts(job) == 1, 100)
        self.assertIn("the job runs again", self.output(job))
        executed = self.executed()
        self.assertGreater(len(executed), 6)
        self.muster("jobs", "cancel", job)
        self.assertTrue(self.wait_for_end(job).startswith("CANCELLED"))

    def test_chained_jobs_go_on_where_requeueing_is_not_wanted(self):
        tasks = 240
        job = self.submit(*SIX, "--time", "5", "--journal", "study", "--chain", "--env", "MUSTER_TIME_LIMIT=3s",
                          "--", PROGRAM, "study", tasks)
        self.muster("jobs", "--watch", "--interval", "1")
        jobs = self.jobs()
        self.assertGreater(len(jobs), 1, jobs)
        self.assertEqual(jobs[0]["job"], job)
        for one, following in zip(jobs, jobs[1:]):
            self.assertEqual((one["exit_code"], one["goes_on_as"]), (75, following["job"]))
        self.assertEqual((jobs[-1]["state"], jobs[-1]["goes_on_as"]), ("COMPLETED", None))
        self.assertIn(f"sum {sum(range(tasks))} ", self.output(jobs[-1]["job"]))
        self.expect_each_recorded_once(tasks, 6 * (len(jobs) - 1))

    def test_a_chain_has_an_end(self):
        job = self.submit("-n", "1", "--chain", "--again-max", "2", "--", "sh", "-c", "exit 75")
        self.muster("jobs", "--watch", "--interval", "1", code=1)
        jobs = self.jobs()
        self.assertEqual([one["exit_code"] for one in jobs], [75, 75, 75])
        self.assertIn("2 jobs have followed, as many as may", self.output(jobs[-1]["job"]))
        self.assertEqual(jobs[0]["job"], job)

    def test_a_cancelled_job_stays_cancelled(self):
        job = self.submit(*SIX, "--journal", "study", "--requeue", "--", PROGRAM, "study", "100000")
        self.wait_for("it works", lambda: len(self.executed()) > 6)
        self.muster("jobs", "cancel", job)
        self.assertTrue(self.wait_for_end(job).startswith("CANCELLED"), self.logs())
        self.assertEqual(self.restarts(job), 0)
        self.assertEqual(self.jobs(job)[0]["state"], "CANCELLED")

    def test_a_job_that_loses_a_node_is_requeued_and_goes_on(self):
        tasks = 200
        job = self.submit(*SIX, "--journal", "study", "--requeue", "--", PROGRAM, "study", tasks)
        self.wait_for("it works", lambda: len(self.executed()) > 20)
        self.cluster.call("scontrol", "update", "nodename=n3", "state=down", "reason=test")
        self.wait_for("Slurm requeues it", lambda: self.fields(job)["JobState"] == "PENDING")
        self.wait_for_nodes()
        self.restart_now(job)
        self.assertEqual(self.wait_for_end(job), "COMPLETED 0", self.logs())
        self.expect_each_recorded_once(tasks, 12)


class Jobs(MusterCase):
    def test_what_waits_says_why_and_what_runs_says_how_long(self):
        running = self.submit("-N", "3", "--option=--exclusive", "-t", "3", "--", "sleep", "60")
        self.wait_for("it runs", lambda: self.jobs(running)[0]["state"] == "RUNNING")
        waiting = self.submit("-N", "3", "--option=--exclusive", "--", "true")
        self.wait_for("its reason is known", lambda: self.jobs(waiting)[0]["reason"] == "Resources")
        text = self.muster("jobs").stdout
        self.assertRegex(text, rf"(?m)^{running} +sleep +RUNNING +0:\d\d +3:00 +1 +/")
        self.assertRegex(text, rf"(?m)^{waiting} +true +PENDING +0:00 +10:00 +0 +Resources$")
        self.muster("jobs", "cancel", running)
        self.muster("jobs", "--watch", "--interval", "1", waiting)

    def test_one_look_is_one_question_however_many_jobs(self):
        for _ in range(3):
            self.submit("-n", "1", "--", "true")
        asked = self.folder / "asked"
        tools = self.folder / "tools"
        tools.mkdir()
        for tool in ("squeue", "scontrol", "sacct"):
            real = self.cluster.call("sh", "-c", f"command -v {tool}").strip()
            (tools / tool).write_text(f"#!/bin/sh\necho {tool} >> {asked}\nexec {real} \"$@\"\n")
            (tools / tool).chmod(0o755)
        self.muster("jobs", environment={"PATH": f"{tools}:{os.environ['PATH']}"})
        self.assertEqual(asked.read_text().split(), ["squeue"])

    def test_what_slurm_has_forgotten_is_known_from_the_jobs_own_notes(self):
        job = self.submit("-n", "1", "--", "sh", "-c", "exit 3")
        self.wait_for_end(job)
        forgetful = self.folder / "forgetful"
        forgetful.mkdir()
        (forgetful / "squeue").write_text("#!/bin/sh\n")
        (forgetful / "squeue").chmod(0o755)
        done = self.muster("jobs", "--json", environment={"PATH": f"{forgetful}:{os.environ['PATH']}"})
        (one,) = json.loads(done.stdout)
        self.assertEqual((one["job"], one["state"], one["exit_code"]), (job, "FAILED", 3))

    def test_jobs_of_others_and_unknown_ones_are_not_shown(self):
        self.sbatch("#!/bin/sh\n")
        self.assertIn("no jobs", self.muster("jobs").stderr)
        self.assertIn("job 99999 was not submitted", self.muster("jobs", "99999", code=2).stderr)
        self.assertIn("'x' is no job's number", self.muster("jobs", "cancel", "x", code=2).stderr)

    def test_records_are_their_owners_alone(self):
        self.submit("-n", "1", "--", "true")
        folder = self.folder / "state" / "muster" / "jobs"
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)


if __name__ == "__main__":
    main()
