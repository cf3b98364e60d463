#include "run/contract.hpp"

#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace muster::launcher::run {
namespace {

/// Of a traceback, whose last lines say most.
constexpr std::size_t error_text_max = 4'000;

} // namespace

std::string error_file_path(const Placement& placement, int index, const ContractOptions& options) {
    return fmt::format("{}/error-{}-{}.json",
                       options.error_folder,
                       placement.first_rank + index,
                       placement.generation);
}

Result<Variables> contract(const Placement& placement, int index, const ContractOptions& options) {
    const int rank = placement.first_rank + index;
    const int local_rank = placement.first_local_rank + index;
    const std::string rank_text = fmt::to_string(rank);
    const std::string world_text = fmt::to_string(placement.world_size);
    Variables variables{
        {"RANK", rank_text},
        {"LOCAL_RANK", fmt::to_string(local_rank)},
        {"WORLD_SIZE", world_text},
        {"LOCAL_WORLD_SIZE", fmt::to_string(placement.local_world_size)},
        {"GROUP_RANK", fmt::to_string(placement.host_index)},
        {"GROUP_WORLD_SIZE", fmt::to_string(placement.hosts)},
        {"ROLE_RANK", rank_text},
        {"ROLE_WORLD_SIZE", world_text},
        {"ROLE_NAME", "default"},
        {"MASTER_ADDR", placement.master_address},
        {"MASTER_PORT", fmt::to_string(placement.master_port)},
        {"TORCHELASTIC_RESTART_COUNT", fmt::to_string(placement.generation)},
        {"TORCHELASTIC_MAX_RESTARTS", fmt::to_string(placement.max_restarts)},
        {"TORCHELASTIC_RUN_ID", options.run_id},
        {"TORCHELASTIC_USE_AGENT_STORE", "False"},
        {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"},
    };
    if (!options.error_folder.empty()) {
        variables.emplace_back("TORCHELASTIC_ERROR_FILE",
                               error_file_path(placement, index, options));
    }
    if (options.sets_omp_threads) {
        variables.emplace_back(
            "OMP_NUM_THREADS",
            fmt::to_string(std::max(1, options.cpus / std::max(1, placement.local_world_size))));
    }
    if (options.gpus_per_rank > 0) {
        const auto first =
            static_cast<std::size_t>(local_rank) * static_cast<std::size_t>(options.gpus_per_rank);
        const auto end = first + static_cast<std::size_t>(options.gpus_per_rank);
        if (end > options.gpu_ids.size()) {
            return Failure{
                ErrorCode::usage,
                fmt::format("--gpus-per-rank {}: {} ranks on this node need {} GPUs, and "
                            "it has {}",
                            options.gpus_per_rank,
                            placement.local_world_size,
                            placement.local_world_size * options.gpus_per_rank,
                            options.gpu_ids.size())};
        }
        variables.emplace_back(
            "CUDA_VISIBLE_DEVICES",
            fmt::format("{}",
                        fmt::join(options.gpu_ids.begin() + static_cast<std::ptrdiff_t>(first),
                                  options.gpu_ids.begin() + static_cast<std::ptrdiff_t>(end),
                                  ",")));
    }
    return variables;
}

std::string read_error_file(const std::string& json) {
    std::string text = json;
    try {
        boost::property_tree::ptree tree;
        std::istringstream stream(json);
        boost::property_tree::read_json(stream, tree);
        // {"message": {"message": "...", "extraInfo": {"py_callstack": "...", ...}}}, or only a
        // text.
        const auto inner = tree.get_child_optional("message.message");
        text = inner ? inner->data() : tree.get<std::string>("message", json);
        if (const auto stack = tree.get_optional<std::string>("message.extraInfo.py_callstack")) {
            text = *stack;
        }
    } catch (const boost::property_tree::ptree_error&) {
        text = json;
    }
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    if (text.size() > error_text_max) {
        text = "…" + text.substr(text.size() - error_text_max);
    }
    return text;
}

} // namespace muster::launcher::run
