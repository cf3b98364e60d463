"""A small DistributedDataParallel training as for torchrun: train_ddp.py CHECKPOINT STEPS."""

import os
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel


def main():
    checkpoint, steps = sys.argv[1], int(sys.argv[2])
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    first = 0
    if os.path.exists(checkpoint):
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        first = state["step"]
    generator = torch.Generator().manual_seed(rank)  # every rank has its own part of the data
    inputs = torch.randn(64, 8, generator=generator)
    targets = inputs.sum(dim=1, keepdim=True)
    losses = []
    for step in range(first, steps):
        if str(step) == os.environ.get("FAIL_AT") and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0" and rank == 1:
            raise RuntimeError("a fault")
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        mean = loss.detach()
        dist.all_reduce(mean)
        losses.append(mean.item() / world)
        if rank == 0:
            torch.save({"model": model.state_dict(), "step": step + 1}, checkpoint + ".new")
            os.replace(checkpoint + ".new", checkpoint)
        dist.barrier()
    if rank == 0:
        print(f"world {world} first step {first} loss {losses[0]:.4f} -> {losses[-1]:.4f}", flush=True)
    dist.destroy_process_group()


main()
