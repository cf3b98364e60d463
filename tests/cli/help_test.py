"""What muster says of itself: help, manual pages, completions, version, mistakes."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from harness import run  # noqa: E402

MUSTER = os.environ.get("MUSTER", "")
PAGES = run(MUSTER, "manual", "--names").stdout.split()
NAMES = [page.replace("-", " ") for page in PAGES]  # "data-verify" is the page of "data verify"


class Help(unittest.TestCase):
    def test_there_are_all_commands(self):
        self.assertLessEqual({"run", "sweep", "cat", "grep", "follow", "submit", "jobs", "pool", "top", "status", "tasks",
                              "explain", "trace", "report", "doctor", "data inspect", "data convert", "data reshard",
                              "data verify"}, set(NAMES))
        overview = run(MUSTER, "--help")
        self.assertEqual(overview.code, 0)
        for name in NAMES:
            self.assertIn(f"    {name} ", overview.stdout)

    def test_every_help_begins_with_an_example_and_names_every_option(self):
        for name in NAMES:
            with self.subTest(name=name):
                page = run(MUSTER, *name.split(), "--help")
                self.assertEqual((page.code, page.stderr), (0, ""))
                lines = page.stdout.splitlines()
                self.assertTrue(lines[0].startswith(f"muster {name}: "), lines[0])
                self.assertIn("muster " + name, lines[2], "an example comes first")
                self.assertIn("Exit codes:", page.stdout)
                self.assertLessEqual(max(map(len, lines)), 130)
                self.assertEqual(run(MUSTER, "help", *name.split()).stdout, page.stdout)
                manual = run(MUSTER, "manual", name.replace(" ", "-")).stdout
                for line in lines:
                    if line.startswith(("  -", "      --")):
                        option = line.split("--")[1].split()[0]
                        self.assertIn("\\-\\-" + option.replace("-", "\\-"), manual)

    def test_a_wrong_option_is_refused_by_every_command(self):
        for name in NAMES:
            with self.subTest(name=name):
                result = run(MUSTER, *name.split(), "--no-such-option")
                self.assertEqual(result.code, 2, result)
                self.assertIn("--no-such-option", result.stderr)
                self.assertEqual(result.left_behind, [])

    def test_a_group_lists_its_commands(self):
        for words in (["data"], ["data", "--help"], ["help", "data"]):
            page = run(MUSTER, *words)
            self.assertEqual(page.code, 0)
            self.assertIn("    data verify ", page.stdout)
            self.assertNotIn("sweep", page.stdout)

    def test_other_mistakes(self):
        for words in (["swep"], ["help", "swep"], ["data", "swep"], ["help", "data", "swep"], ["completions"], ["completions", "fish"], ["--nix"]):
            with self.subTest(words=words):
                result = run(MUSTER, *words)
                self.assertEqual(result.code, 2, result)
                self.assertEqual(len(result.stderr.splitlines()), 1, result)

    def test_completions_are_scripts_that_complete(self):
        script = run(MUSTER, "completions", "bash").stdout
        with tempfile.NamedTemporaryFile("w", suffix=".bash") as file:
            file.write(script + "\ncomplete_words() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _muster; "
                                "echo \"${COMPREPLY[@]}\"; }\n"
                                "complete_words muster sw\ncomplete_words muster sweep --resume\n"
                                "complete_words muster sweep --print ''\n"
                                "complete_words muster data v\ncomplete_words muster data inspect --js\n")
            file.flush()
            done = subprocess.run(["bash", file.name], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.splitlines(), ["sweep", "--resume --resume-failed", "grouped none", "verify", "--json"], done.stderr)
        self.assertIn("#compdef muster", run(MUSTER, "completions", "zsh").stdout)

    def test_the_version_says_what_is_compiled_in(self):
        page = run(MUSTER, "--version").stdout
        for word in ("muster 0.", "MPI ", "HDF5 ", "CUDA ", "NCCL ", "Slurm "):
            self.assertIn(word, page)

    def test_settings_are_read_from_variables_and_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "site.conf"
            path.write_text("[sweep]\nkeep-order = true\ntag = true\nquiet = true\n")
            environment = {"MUSTER_SITE_SETTINGS": str(path), "MUSTER_SWEEP_TAG": "false"}
            result = run(MUSTER, "sweep", "echo", ":::", "a", "b", environment=environment)
            self.assertEqual((result.stdout, result.stderr), ("a\nb\n", ""))
            path.write_text("[sweep]\nkeep-ordr = true\n")
            result = run(MUSTER, "sweep", "echo", ":::", "a", environment=environment)
            self.assertEqual(result.code, 2)
            self.assertIn("site.conf, [sweep] keep-ordr", result.stderr)


if __name__ == "__main__":
    unittest.main()
