"""A script that does what torch's env:// does, without torch: rank 0 listens, the others connect and say who
they are. It fails unless all of `torchrun`'s contract about addresses is kept."""

MEETING = """
import os, socket, time
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if rank == 0:
    server = socket.create_server(("", address[1]))
    met = {0}
    while len(met) < world:
        peer, _ = server.accept()
        met.add(int(peer.makefile().readline()))
        peer.close()
    print("met", sorted(met), flush=True)
else:
    deadline = time.monotonic() + 30
    while True:
        try:
            peer = socket.create_connection(address, 5)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    peer.sendall(f"{rank}\\n".encode())
    peer.recv(1)
"""
