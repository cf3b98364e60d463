#!/usr/bin/env python3
"""tidy.py [root]: checks the project against the rules of this folder; exit code 1 on findings."""

import sys
from pathlib import Path

import documents
import includes
import listed
import names
from tree import Tree

RULES = [includes, names, listed, documents]


def findings(root):
    tree = Tree(root)
    return sorted(finding for rule in RULES for finding in rule.check(tree))


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    found = findings(root)
    for finding in found:
        print(finding)
    print(f"{len(found)} findings" if found else "tidy")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
