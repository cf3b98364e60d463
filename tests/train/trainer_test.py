#!/usr/bin/env python3
"""Training that is killed, asked to stop, or loses a rank, in real processes; and its metrics as others read them.

    trainer_test.py PROGRAM RANKS LAUNCHER...
"""

import csv
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = sys.argv[1]
RANKS = int(sys.argv[2])
LAUNCHER = sys.argv[3:]
STEPS = 12
TIMEOUT_S = 50


def start(folder, *words, workers=None, recover=False, save_every=1, time_limit=None):
    low, high = workers or (RANKS, RANKS)
    command = [PROGRAM, folder, low, high, STEPS, save_every, *words]
    environment = dict(os.environ, MUSTER_TERM_GRACE="20s")
    if RANKS > 1:
        command = [*LAUNCHER, RANKS, *command]
    if time_limit:
        environment["MUSTER_TIME_LIMIT"] = time_limit
    if recover:
        environment["OMPI_MCA_orte_enable_recovery"] = "1"
        environment["MUSTER_HEARTBEAT_TIMEOUT"] = "1"
        environment["MUSTER_DRIVER_CPUS"] = "0"
    return subprocess.Popen([str(word) for word in command], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process):
    try:
        out, err = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        sys.exit(f"it hangs:\n{out}\n{err}")
    return process.returncode, out, err


def expect(condition, what, *outcome):
    if not condition:
        sys.exit("\n".join([f"FAILED: {what}", *map(str, outcome)]))


def weights_of(outcome):
    code, out, err = outcome
    lines = [line for line in out.splitlines() if line.startswith("step ")]
    expect(code == 0 and lines, "it trains to the end", code, out, err)
    words = lines[-1].split()
    expect(words[1] == str(STEPS), "it makes all steps", out)
    return words[4:], int(words[3])


def killed_at_any_step(scratch, expected):
    for step in (1, 2, 7, STEPS):
        folder = scratch / f"killed-{step}"
        folder.mkdir()
        outcome = finish(start(folder, "die", RANKS - 1, step, save_every=2))
        expect(outcome[0] != 0, "a killed rank ends the job", *outcome)
        weights, _ = weights_of(finish(start(folder, save_every=2)))
        expect(weights == expected, f"killed in step {step} it ends with the same weights", weights, expected)


def asked_to_stop(scratch, expected, time_limit=None):
    folder = scratch / f"stopped-{time_limit}"
    folder.mkdir()
    process = start(folder, "hold", 0, 5, save_every=100, time_limit=time_limit)
    expect(process.stdout.readline() == "holding\n", "it gets to step 5")
    if not time_limit:  # mpirun hides the exit code after SIGTERM, and passes on that of SIGUSR2
        process.send_signal(signal.SIGTERM if RANKS == 1 else signal.SIGUSR2)
    code, out, err = finish(process)
    expect(code == 75, "the exit code says: try again", code, out, err)
    expect((folder / "run" / "step-000000000005.h5").exists(), "it has saved the step it was in", out, err,
           *(folder / "run").iterdir())
    weights, _ = weights_of(finish(start(folder, save_every=100)))
    expect(weights == expected, "it goes on with the same weights", weights, expected)


def loses_a_rank(scratch):
    for trouble in ("die", "hang"):
        folder = scratch / f"lost-{trouble}"
        folder.mkdir()
        outcome = finish(start(folder, trouble, RANKS - 1, 4, workers=(1, RANKS), recover=True))
        _, failures = weights_of(outcome)
        expect(failures == 1, "it fails once, and goes on with the ranks that are left", *outcome)
        if trouble == "hang":
            expect(f"rank {RANKS - 1} (node " in outcome[2] and "collective behind, in data for" in outcome[2],
                   "it says who was late", *outcome)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """A protocol buffer as {field: [values]}; numbers of fixed size as bytes."""
    found = {}
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value = data[at:at + size]
            at += size
        found.setdefault(tag >> 3, []).append(value)
    return found


def events(path):
    data = path.read_bytes()
    at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        expect(struct.unpack_from("<I", data, at + 8)[0] == masked(data[at:at + 8]), "the CRC of a length")
        event = data[at + 12:at + 12 + size]
        expect(struct.unpack_from("<I", data, at + 12 + size)[0] == masked(event), "the CRC of an event")
        at += size + 16
        yield fields(event)


def scalars(path):
    first, *rest = events(path)
    expect(first[3] == [b"brain.Event:2"], "the first event is the version", first)
    for event in rest:
        for value in fields(event[5][0])[1]:
            parts = fields(value)
            yield parts[1][0].decode(), event[2][0], struct.unpack("<f", parts[2][0])[0]


def metrics_are_read(run):
    with open(run / "metrics.csv", newline="") as file:
        table = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (event_file,) = run.glob("events.out.tfevents.*")
    read = list(scalars(event_file))
    expect([int(row["step"]) for row in table] == list(range(1, STEPS + 1)), "a row for each step", table)
    for row, line, (tag, step, value) in zip(table, lines, read, strict=True):
        expect(tag == "loss" and step == int(row["step"]) == line["step"], "the same steps", row, line)
        expect(float(row["loss"]) == line["loss"] and abs(value - line["loss"]) <= 1e-6 * abs(value), "the same loss")
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        theirs = list(EventFileLoader(str(event_file)).Load())
        expect(len(theirs) == STEPS + 1, "TensorBoard reads as many events")
    except ImportError:
        print("tensorboard is not installed: the file was read by hand only")
    try:
        import h5py
    except ImportError:
        print("h5py is not installed: checkpoints were not read by it")
        return
    with h5py.File(run / f"step-{STEPS:012}.h5") as file:
        expect(file.attrs["step"] == STEPS and file["weights"].shape == (3,), "h5py reads the checkpoint")
        crc = crc32c(file["weights"][:].tobytes())
        expect(file["weights"].attrs["muster_crc32c"] == crc, "and can compare the checksum")


def main():
    with tempfile.TemporaryDirectory(prefix="muster-trainer-") as name:
        scratch = Path(name)
        once = scratch / "once"
        once.mkdir()
        expected, _ = weights_of(finish(start(once)))
        metrics_are_read(once / "run")
        killed_at_any_step(scratch, expected)
        asked_to_stop(scratch, expected)
        asked_to_stop(scratch, expected, time_limit="4s")
        if RANKS > 1:
            loses_a_rank(scratch)


if __name__ == "__main__":
    main()
