#pragma once

#include "run/group.hpp"

#include <muster/base/result.hpp>

#include <string>
#include <utility>
#include <vector>

namespace muster::launcher::run {

/// What a node's supervisor knows beside the placement.
struct ContractOptions {
    std::string run_id;
    int gpus_per_rank = 0;            ///< 0: every rank sees all the node's, as under torchrun.
    std::vector<std::string> gpu_ids; ///< Those of the node, as CUDA_VISIBLE_DEVICES names them.
    bool sets_omp_threads = true;     ///< OMP_NUM_THREADS is not set outside.
    int cpus = 1;                     ///< Of the node.
    std::string error_folder;         ///< For TORCHELASTIC_ERROR_FILE; empty: none.
};

using Variables = std::vector<std::pair<std::string, std::string>>;

/// The variables that torchrun gives its processes, and what they mean here.
///
/// As many LOCAL_RANKs as a host has ranks, GROUP_RANK counts hosts, all ranks have the role
/// "default". TORCHELASTIC_USE_AGENT_STORE=False makes rank 0 the host of torch's store at
/// MASTER_ADDR:MASTER_PORT: no supervisor listens there. TORCHELASTIC_RESTART_COUNT counts how
/// often the group has started before, for whatever reason.
/// Source: PyTorch's documentation of torchrun, "Environment Variables".
///
/// @param index  Of the supervisor's processes.
/// @return a Failure (usage) if the node has too few GPUs.
[[nodiscard]] Result<Variables>
contract(const Placement& placement, int index, const ContractOptions& options);

/// "DIR/error-3-1.json" of rank 3 in generation 1.
[[nodiscard]] std::string
error_file_path(const Placement& placement, int index, const ContractOptions& options);

/// What a program of torch wrote into its error file, as text: the message, and its traceback if
/// there is one. The bytes themselves, if they are not torch's.
[[nodiscard]] std::string read_error_file(const std::string& json);

} // namespace muster::launcher::run
