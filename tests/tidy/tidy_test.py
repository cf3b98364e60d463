#!/usr/bin/env python3
"""Every rule of this folder reports a tree that breaks it, and is silent about one that does not."""

import tempfile
import unittest
from pathlib import Path

from tidy import findings

PAGE = "# A folder\n"
CLEAN = {
    "README.md": "See [core](core/README.md#a-folder), [the web](https://example.org), [here](#start).\n"
                 "# Start\n<!-- file: examples/hello.cpp -->\n```cpp\nint main() {}\n```\n",
    "core/README.md": PAGE,
    "core/CMakeLists.txt": "lib(core HEADERS include/muster/core/a.hpp SOURCES src/sched/a.cpp src/transport/mpi.cpp)\n",
    "core/include/muster/core/a.hpp": "#pragma once\n#include <muster/base/ids.hpp>\n",
    "core/src/sched/README.md": PAGE,
    "core/src/sched/a.cpp": '#include "sched/a.hpp"\n',
    "core/src/sched/a.hpp": '#include "wire/messages.hpp"\n// std::rand() would differ\n',
    "core/src/transport/README.md": PAGE,
    "core/src/transport/mpi.cpp": "#include <mpi.h>\nauto w = MPI_COMM_WORLD;\n",
    "examples/README.md": PAGE,
    "examples/CMakeLists.txt": "foreach(name IN ITEMS hello)\nadd_executable(${name} ${name}.cpp)\nendforeach()\n",
    "examples/hello.cpp": "int main() {}\n",
}

# What is put into the clean tree -> the rule that reports it, and the file it names.
BROKEN = {
    "base includes core": ({"core/base/include/muster/base/x.hpp": "#include <muster/core/a.hpp>\n"}, "layers"),
    "core includes data": ({"core/src/sched/a.hpp": "#include <muster/data/table.hpp>\n"}, "layers"),
    "train includes tune": ({"train/src/x.cpp": "#include <muster/tune/study.hpp>\n"}, "layers"),
    "sched includes runtime": ({"core/src/sched/a.hpp": '#include "runtime/loop.hpp"\n'}, "layers"),
    "wire includes sched": ({"core/src/wire/x.hpp": '#include "sched/a.hpp"\n'}, "layers"),
    "store includes sched": ({"core/src/store/x.hpp": '#include "sched/a.hpp"\n'}, "layers"),
    "unknown folder of core": ({"core/src/helpers/x.hpp": "int x;\n"}, "layers"),
    "MPI in the scheduler": ({"core/src/sched/a.cpp": "#include <mpi.h>\n"}, "layers"),
    "HDF5 in core": ({"core/src/runtime/x.cpp": "#include <hdf5.h>\n"}, "layers"),
    "HDF5 in a public header": ({"data/include/muster/data/x.hpp": "#include <hdf5.h>\n"}, "layers"),
    "CUDA in serve": ({"serve/src/x.cpp": "#include <cuda_runtime.h>\n"}, "layers"),
    "threads in a state machine": ({"core/src/sched/a.hpp": "#include <thread>\n"}, "layers"),
    "threads in tune": ({"tune/src/x.cpp": "#include <mutex>\n"}, "layers"),
    "private header in a public one": ({"core/include/muster/core/a.hpp": '#include "sched/a.hpp"\n'}, "layers"),
    "relative include": ({"core/src/sched/a.cpp": '#include "../wire/messages.hpp"\n'}, "layers"),
    "sleep in a test": ({"tests/unit/x.cpp": "std::this_thread::sleep_for(1s);\n"}, "sleep"),
    "usleep in a test": ({"tests/unit/x.cpp": "usleep(3);\n"}, "sleep"),
    "rand": ({"core/src/sched/a.cpp": "int x = std::rand();\n"}, "random"),
    "a standard distribution": ({"core/src/sched/a.cpp": "std::normal_distribution<> d;\n"}, "random"),
    "the world's communicator": ({"examples/hello.cpp": "auto w = MPI_COMM_WORLD;\n"}, "world"),
    "using namespace std": ({"core/src/sched/a.cpp": "using namespace std;\n"}, "namespace"),
    "assert": ({"core/src/sched/a.cpp": "    assert(x > 0);\n"}, "assert"),
    "a clock in a state machine": ({"core/src/sched/a.cpp": "auto t = std::chrono::steady_clock::now();\n"}, "clock"),
    "a clock in tune": ({"tune/src/x.cpp": "auto t = std::chrono::steady_clock::now();\n"}, "clock"),
    "unfinished work": ({"core/src/sched/a.cpp": "// TODO later\n"}, "unfinished"),
    "a path of one machine": ({"core/src/sched/a.cpp": 'auto p = "/home/ann/data";\n'}, "one-machine"),
    "a long file": ({"core/src/sched/a.cpp": "int x;\n" * 801}, "long"),
    "an unlisted source": ({"core/src/sched/dead.cpp": "int x;\n"}, "dead-file"),
    "an unlisted source beside a loop": ({"examples/dead.cpp": "int main() {}\n"}, "dead-file"),
    "an unlisted public header": ({"core/include/muster/core/dead.hpp": "int x;\n"}, "dead-file"),
    "a private header nobody includes": ({"core/src/sched/dead.hpp": "int x;\n"}, "dead-file"),
    "a link to nowhere": ({"docs/x.md": "[a](missing.md)\n"}, "link"),
    "a link to no heading": ({"docs/x.md": "[a](../core/README.md#nothing)\n"}, "link"),
    "a link out of the project": ({"docs/x.md": "[a](../../other/x.md)\n"}, "link"),
    "a program in a document that changed": ({"examples/hello.cpp": "int main() { return 1; }\n"}, "shown-file"),
    "a program in a document that is gone": ({"docs/x.md": "<!-- file: gone.cpp -->\n```\n```\n"}, "shown-file"),
    "a library without a page": ({"slurm/CMakeLists.txt": "\n"}, "folder-page"),
    "a folder of core without a page": ({"core/src/elect/CMakeLists.txt": "\n"}, "folder-page"),
}


def rules_broken(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            target = Path(root, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
        return [(finding.rule, finding.path) for finding in findings(root)]


class Rules(unittest.TestCase):
    def test_say_nothing_about_a_clean_tree(self):
        self.assertEqual(rules_broken(CLEAN), [])

    def test_report_what_breaks_them(self):
        for case, (files, rule) in BROKEN.items():
            with self.subTest(case):
                self.assertIn(rule, [found for found, _ in rules_broken(CLEAN | files)])

    def test_excuse_a_line_that_gives_a_reason(self):
        text = "// tidy: allow random: compares with the standard one\nint x = std::rand();\n"
        self.assertEqual(rules_broken(CLEAN | {"core/src/sched/a.cpp": text}), [("dead-file", "core/src/sched/a.hpp")])

    def test_excuse_nothing_without_a_reason(self):
        text = "int x = std::rand(); // tidy: allow random:\n"
        self.assertIn("random", [rule for rule, _ in rules_broken(CLEAN | {"core/src/sched/a.cpp": text})])

    def test_do_not_look_into_build_folders(self):
        self.assertEqual(rules_broken(CLEAN | {"build/dev/x.cpp": "using namespace std;\n"}), [])


if __name__ == "__main__":
    unittest.main()
