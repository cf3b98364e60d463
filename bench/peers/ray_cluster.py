"""Ray, as it is fastest on one machine; see README.md for the settings."""

import contextlib
import os

os.environ.setdefault("RAY_worker_niceness", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray  # reads the settings above

CPUS = 2  # as many workers as ranks of ours that run tasks


def start():
    ray.init(num_cpus=CPUS, include_dashboard=False, logging_level="ERROR", log_to_driver=False)


@contextlib.contextmanager
def cluster():
    start()
    try:
        yield ray
    finally:
        ray.shutdown()
