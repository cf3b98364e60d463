#pragma once

#include <muster/core/detail/registry.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace muster {

/// Every task function of this process, numbered in the same way on every rank.
///
/// Addresses differ from process to process and names are not unique, so functions are sorted by
/// the build id of the module that they are in (the program, a shared library) and their entry's
/// offset from the address it was loaded at. A function's place in that order is its FunctionId.
/// Ranks that run the same binaries have the same hash(); they compare it at start.
///
/// Threads: a table does not change. Tables may be built by several threads at the same time.
class FunctionTable {
public:
    /// Collects what is registered at this moment. Several tables of one process agree, unless
    /// code with more tasks was loaded in between: then ids are those of the latest table.
    [[nodiscard]] static FunctionTable build();

    /// @throws Error (usage) if the function was loaded after the table was built.
    [[nodiscard]] FunctionId id_of(const detail::FunctionEntry& function) const;

    /// Whether another function has the same name.
    [[nodiscard]] bool shares_name(const detail::FunctionEntry& function) const;

    /// @throws Error (malformed) if there is no such function.
    [[nodiscard]] const detail::FunctionEntry& at(FunctionId id) const;

    [[nodiscard]] std::size_t size() const { return functions_.size(); }

    /// Of build ids, offsets and names.
    [[nodiscard]] std::uint64_t hash() const { return hash_; }

    /// "3 task functions (program 1f0c96ab53e2: 2, libstudy.so 77e0d1c2aa09: 1)".
    [[nodiscard]] const std::string& describe() const { return description_; }

private:
    FunctionTable() = default;

    std::vector<const detail::FunctionEntry*> functions_; ///< By id.
    std::uint64_t hash_ = 0;
    std::string description_;
};

} // namespace muster
