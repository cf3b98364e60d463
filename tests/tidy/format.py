#!/usr/bin/env python3
"""format.py [root]: every source is as clang-format 14 writes it. Other versions differ in places,
so without that one the check is skipped (exit code 77)."""

import shutil
import subprocess
import sys
from pathlib import Path

from tree import Tree

VERSION = "14"


def formatter():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        path = shutil.which(name)
        if path and f"version {VERSION}." in subprocess.run([path, "--version"], capture_output=True, text=True).stdout:
            return path
    return None


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    program = formatter()
    if not program:
        print(f"skipped: no clang-format {VERSION} here (Debian package clang-format)")
        return 77
    wrong = []
    for file in Tree(root).sources:
        written = subprocess.run([program, "--style=file", f"--assume-filename={root / file.path}"],
                                 input=file.text, capture_output=True, text=True, check=True).stdout
        if written != file.text:
            wrong.append(file.path)
    if wrong:
        print("not as clang-format writes them; run in the root:\n" + f"{Path(program).name} -i " + " ".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
