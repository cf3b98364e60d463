"""What Ray uses with nothing to do, and how it answers then. Run by bench/compare."""

import sys

import peer
import ray
from ray_cluster import CPUS, cluster


@ray.remote
def no_op():
    return None


def idle(report, sizes, _):
    ray.get([no_op.remote() for _ in range(CPUS)])
    peer.idle_cluster(report, sizes)
    peer.after_idle(report, sizes, lambda: ray.get(no_op.remote()))


if __name__ == "__main__":
    sys.exit(peer.main(["ray"], cluster, {"idle": idle}))
