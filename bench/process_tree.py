"""Processes that descend from one, and what they use, as Linux says in /proc."""

import os
import pathlib

PROC = pathlib.Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _stat(pid):
    """The fields of /proc/PID/stat after the name: state, parent, … (man 5 proc)."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def descendants(ancestor):
    """Children of `ancestor`, their children, and so on; parents before children."""
    children = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                state, parent = _stat(entry.name)[:2]
            except OSError:  # it has just ended
                continue
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.name))
    found = [ancestor]
    for pid in found:
        found += children.get(pid, [])
    return found[1:]


def cpu_seconds(pids):
    """Process -> CPU time of all its threads since it started; without those that have ended."""
    used = {}
    for pid in pids:
        try:
            fields = _stat(pid)
        except OSError:
            continue
        used[pid] = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return used


def memory_mib(pid):
    """Memory of the process alone, and its proportional share of what it shares (PSS)."""
    private = pss = 0
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key in ("Private_Clean", "Private_Dirty"):
            private += int(value.split()[0])
        elif key == "Pss":
            pss += int(value.split()[0])
    return private / 1024, pss / 1024
