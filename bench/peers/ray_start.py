"""Starts Ray, runs one task, prints its result: timed from outside, by bench/compare."""

import ray
import ray_cluster


@ray.remote
def answer():
    return 42


ray_cluster.start()
print(ray.get(answer.remote()), flush=True)
ray.shutdown()
