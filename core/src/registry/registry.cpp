#include "registry/registry.hpp"

#include "registry/modules.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>
#include <muster/base/random.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>
#include <tuple>

namespace muster {

namespace {

/// Every entry ever made, the latest first. Constant-initialised, so it is there before them.
constinit std::atomic<const detail::FunctionEntry*> latest_entry{nullptr};

struct Located {
    const registry::Module* module = nullptr;
    std::uintptr_t offset = 0;
    const detail::FunctionEntry* function = nullptr;

    /// The file's name stands in for the build id of a module that has none, and parts two copies
    /// of one library that are both loaded.
    [[nodiscard]] auto order() const { return std::tie(module->build_id, module->name, offset); }
};

std::vector<Located> locate_functions(const std::vector<registry::Module>& modules) {
    std::vector<Located> functions;
    const auto* entry = latest_entry.load(std::memory_order_acquire);
    for (; entry != nullptr; entry = entry->next) {
        const auto address = std::bit_cast<std::uintptr_t>(entry);
        const auto module = std::find_if(
            modules.begin(), modules.end(), [&](const auto& one) { return one.contains(address); });
        if (module == modules.end()) {
            throw Error(fmt::format("task function {}: its entry is in no loaded program or "
                                    "library; FunctionEntry objects must be static",
                                    entry->name),
                        ErrorCode::usage);
        }
        functions.push_back({&*module, address - module->base, entry});
    }
    std::sort(functions.begin(), functions.end(), [](const Located& a, const Located& b) {
        return a.order() < b.order();
    });
    return functions;
}

void combine(std::uint64_t& hash, std::uint64_t number) {
    hash = mix64(hash * 31 + number);
}

void combine(std::uint64_t& hash, std::string_view text) {
    combine(hash, text.size());
    for (const char character : text) {
        combine(hash, static_cast<std::uint64_t>(static_cast<unsigned char>(character)));
    }
}

std::string describe_functions(const std::vector<Located>& functions) {
    std::string modules;
    for (auto first = functions.begin(); first != functions.end();) {
        const auto* module = first->module;
        const auto last = std::find_if(
            first, functions.end(), [&](const Located& one) { return one.module != module; });
        modules += fmt::format("{}{} {}: {}",
                               modules.empty() ? "" : ", ",
                               module->name,
                               module->build_id.empty() ? "without build id"
                                                        : module->build_id.substr(0, 12),
                               last - first);
        first = last;
    }
    return fmt::format("{} task function{}{}{}{}",
                       functions.size(),
                       functions.size() == 1 ? "" : "s",
                       modules.empty() ? "" : " (",
                       modules,
                       modules.empty() ? "" : ")");
}

} // namespace

detail::FunctionEntry::FunctionEntry(Invoke invoke_function,
                                     const char* function_name,
                                     bool takes_communicator,
                                     Shape shape_of_types) noexcept
    : invoke(invoke_function), name(function_name), is_gang(takes_communicator),
      shape(shape_of_types) {
    next = latest_entry.load(std::memory_order_relaxed);
    while (!latest_entry.compare_exchange_weak(
        next, this, std::memory_order_release, std::memory_order_relaxed)) {
    }
}

FunctionTable FunctionTable::build() {
    const auto modules = registry::loaded_modules();
    const auto functions = locate_functions(modules);
    FunctionTable table;
    table.description_ = describe_functions(functions);
    for (const auto& [module, offset, function] : functions) {
        function->id.store(FunctionId{static_cast<std::uint32_t>(table.functions_.size())},
                           std::memory_order_relaxed);
        table.functions_.push_back(function);
        combine(table.hash_, module->build_id.empty() ? module->name : module->build_id);
        combine(table.hash_, offset);
        combine(table.hash_, function->name);
    }
    return table;
}

FunctionId FunctionTable::id_of(const detail::FunctionEntry& function) const {
    const FunctionId id = function.id.load(std::memory_order_relaxed);
    const auto position = static_cast<std::size_t>(id);
    if (position >= functions_.size() || functions_[position] != &function) {
        throw Error(fmt::format("task function {}: loaded after the run had started, so the other "
                                "ranks do not know it; load libraries with tasks before "
                                "muster::run(), on every rank",
                                function.name),
                    ErrorCode::usage);
    }
    return id;
}

bool FunctionTable::shares_name(const detail::FunctionEntry& function) const {
    return std::any_of(functions_.begin(), functions_.end(), [&](const auto* other) {
        return other != &function && std::string_view(other->name) == function.name;
    });
}

const detail::FunctionEntry& FunctionTable::at(FunctionId id) const {
    const auto position = static_cast<std::size_t>(id);
    if (position >= functions_.size()) {
        throw Error(fmt::format("function {} is not in this rank's table, which has {}",
                                position,
                                description_),
                    ErrorCode::malformed);
    }
    return *functions_[position];
}

} // namespace muster
