"""Dask's distributed scheduler and two worker processes; see README.md for the settings."""

import contextlib
import logging

from dask.distributed import Client, LocalCluster

WORKERS = 2


@contextlib.contextmanager
def cluster():
    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None,
                      silence_logs=logging.ERROR) as workers, Client(workers) as client:
        yield client
