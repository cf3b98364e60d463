#include "kernel/gather.hpp"
#include "kernel/grouping.hpp"
#include "kernel/keys.hpp"

#include <muster/pipeline/detail/step_call.hpp>

#include <fmt/format.h>

#include <atomic>

namespace muster::data::detail {
namespace {

/// Every entry, the latest first. Constant-initialised, so it is there before them.
constinit std::atomic<const StepEntry*> latest_entry{nullptr};

void never_invoked(muster::detail::Invocation&) {
    throw Error("a pipeline's function was called as a task", ErrorCode::usage);
}

} // namespace

StepEntry::StepEntry(Call function_call, const char* name) noexcept
    : function(&never_invoked, name), call(function_call) {
    next = latest_entry.load(std::memory_order_relaxed);
    while (!latest_entry.compare_exchange_weak(next, this, std::memory_order_release)) {
    }
}

const StepEntry& step_at(std::uint32_t function) {
    const auto* entry = latest_entry.load(std::memory_order_acquire);
    for (; entry != nullptr; entry = entry->next) {
        if (static_cast<std::uint32_t>(entry->function.id.load()) == function) {
            return *entry;
        }
    }
    throw Error(
        fmt::format("malformed bytes: function {} of a pipeline, which there is not", function),
        ErrorCode::malformed);
}

std::uint32_t number_of(const StepEntry& entry) {
    const auto number = static_cast<std::uint32_t>(entry.function.id.load());
    if (number == ~std::uint32_t{0}) {
        throw Error("a pipeline with functions is made inside a run: in the driver or a task",
                    ErrorCode::usage);
    }
    return number;
}

Block joined(const std::vector<Block>& blocks) {
    return kernel::concat(blocks);
}

Block kept_rows(const Block& block, std::span<const std::uint32_t> rows) {
    return kernel::gather(block, rows);
}

std::vector<std::uint64_t> group_begins(const Block& block, const std::vector<std::string>& keys) {
    const kernel::Keys values(block, kernel::ascending(keys), "map_groups");
    std::vector<std::uint64_t> begins{0};
    for (std::uint64_t row = 1; row < block.rows(); ++row) {
        if (values.compare(row - 1, values, row) != 0) {
            begins.push_back(row);
        }
    }
    begins.push_back(block.rows());
    return begins;
}

} // namespace muster::data::detail
