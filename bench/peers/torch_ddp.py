"""Training with PyTorch's DistributedDataParallel over gloo, between two processes of one thread, and in one alone.

The nets, steps and way of measuring are those of bench/torch_ddp.cpp. Run by bench/compare.
"""

import contextlib
import os
import sys
import tempfile

os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")

import peer
import torch
import torch.distributed as distributed
import torch.multiprocessing as multiprocessing
from torch import nn
from torch.nn.parallel import DistributedDataParallel

RANKS = 2
BATCH_ROWS = 64
ROWS = 8192
NETS = [("mlp", [784, 512, 512, 10], 300), ("large", [784, 2048, 2048, 2048, 10], 40)]
QUICK = [("mlp", [784, 16, 16, 10], 3), ("large", [784, 16, 16, 16, 10], 3)]
# Its default, and gradients that lie in the buckets: which is better depends on the net.
VARIANTS = [("", {}), (".views", {"gradient_as_bucket_view": True})]


def make(widths):
    torch.manual_seed(0)
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def train(module, optimizer, steps):
    inputs, targets = torch.rand(ROWS, 784), torch.randint(10, (ROWS,))
    loss_of = nn.CrossEntropyLoss()

    def some_steps():
        for step in range(steps):
            first = step * BATCH_ROWS % ROWS
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(module(inputs[first:first + BATCH_ROWS]), targets[first:first + BATCH_ROWS])
            loss.backward()
            optimizer.step()

    return peer.seconds(some_steps)


def sgd(module):
    return torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9)


def measure(rank, meeting, quick, repetitions, results):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=RANKS)
    for name, widths, steps in QUICK if quick else NETS:
        for variant, options in VARIANTS:
            module = DistributedDataParallel(make(widths), **options)
            optimizer = sgd(module)
            train(module, optimizer, steps)
            rates = []
            for _ in range(repetitions):
                distributed.barrier()
                time = torch.tensor([train(module, optimizer, steps)])
                distributed.all_reduce(time, op=distributed.ReduceOp.MAX)
                rates.append(steps / time.item())
            if rank == 0:
                results.put((f"ddp.{name}{variant}", rates))
    distributed.barrier()
    distributed.destroy_process_group()


def ddp(report, sizes, meeting):
    results = multiprocessing.get_context("spawn").SimpleQueue()
    ranks = multiprocessing.spawn(measure, (meeting, sizes.quick, sizes.repetitions, results), nprocs=RANKS,
                                  join=False)
    while not ranks.join():
        pass
    for _ in range(len(NETS) * len(VARIANTS)):
        name, rates = results.get()
        report.add(name, "steps/s", *rates)


def alone(report, sizes, _):
    torch.set_num_threads(1)
    for name, widths, steps in QUICK if sizes.quick else NETS:
        module = make(widths)
        optimizer = sgd(module)
        train(module, optimizer, steps)
        for _ in sizes.each():
            report.add(f"alone.{name}", "steps/s", steps / train(module, optimizer, steps))


@contextlib.contextmanager
def cluster():
    with tempfile.TemporaryDirectory() as folder:
        yield os.path.join(folder, "meeting")


if __name__ == "__main__":
    sys.exit(peer.main(["torch"], cluster, {"ddp": ddp, "alone": alone}))
