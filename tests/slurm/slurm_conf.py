"""The test cluster's configuration, as text. Slurm 21.08 or newer: mpi.conf."""

from dataclasses import dataclass

HEAD_ADDRESS = "10.213.0.254"


@dataclass(frozen=True)
class Node:
    name: str
    address: str
    cpus: int
    memory_mib: int
    gpus: int


# Unequal, since allocations are. At most two ranks are started on each: four busy ranks of Open MPI
# on each of two nodes were seen to stall a machine of two cores for minutes.
NODES = [Node("n1", "10.213.0.1", 4, 4000, 2), Node("n2", "10.213.0.2", 2, 2000, 2), Node("n3", "10.213.0.3", 2, 2000, 1)]


def slurm_conf(folder):
    lines = "\n".join(f"NodeName={n.name} CPUs={n.cpus} RealMemory={n.memory_mib} Gres=gpu:{n.gpus} State=UNKNOWN"
                      for n in NODES)
    return f"""ClusterName=muster
SlurmctldHost=head({HEAD_ADDRESS})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/nodes/%n/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/nodes/%n/spool
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
# On each node a folder of its own: see machine_room.py. The pmix plugin's sockets lie there.
TmpFS={folder}/tmp
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
# No default: a job has to say --mpi, and what happens if it does not is a case of its own.
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=400
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
PriorityType=priority/basic
GresTypes=gpu
ReturnToService=2
# The tests set nodes down themselves; a busy machine must not look like a dead node.
SlurmdTimeout=60
MessageTimeout=20
TCPTimeout=5
# A killed srun's allocation comes back.
InactiveLimit=30
KillWait=5
UnkillableStepTimeout=15
MinJobAge=600
JobRequeue=1
KillOnBadExit=1
AccountingStorageType=accounting_storage/none
{lines}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
PartitionName=short Nodes=n3 MaxTime=10 State=UP
"""


def gres_conf(folder):
    return "".join(f"NodeName={n.name} Name=gpu File={folder}/dev/gpu{'[0-%d]' % (n.gpus - 1) if n.gpus > 1 else 0}\n"
                   for n in NODES)


def mpi_conf():
    # With the default, a tree, the fence was seen to let ranks through too early: in one start of
    # twenty Open MPI then died in MPI_Init.
    return "PMIxCollFence=ring\n"


def hosts():
    return "".join(f"{address} {name}\n" for address, name in
                   [("127.0.0.1", "localhost"), (HEAD_ADDRESS, "head"), *((n.address, n.name) for n in NODES)])
