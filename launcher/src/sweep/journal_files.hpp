#pragma once

#include "sweep/record.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <unordered_map>

namespace muster::launcher::sweep {

/// A line for each command that ended, as GNU parallel's --joblog writes them.
class JobLog {
public:
    /// @param path  Appended to; empty: nothing is written. @throws Error.
    explicit JobLog(const std::filesystem::path& path);

    /// @throws Error if it cannot be written.
    void add(const std::string& name, const Command& command, const Record& record);

private:
    std::ofstream file_;
};

/// Which commands that had failed for good were begun again, in this run and others: by the hash of
/// their key, the last attempt with which they were. So a later run knows that their failure is not
/// the last that is recorded of them.
class SecondChances {
public:
    /// @param folder  Of files, one per run; empty: none.
    SecondChances(std::filesystem::path folder, const std::string& run);

    [[nodiscard]] bool has(std::uint64_t key, std::uint32_t attempt) const;

    /// @throws Error if it cannot be written.
    void add(std::uint64_t key, std::uint32_t attempt);

private:
    std::filesystem::path folder_;
    std::filesystem::path path_;
    std::ofstream file_;
    std::unordered_map<std::uint64_t, std::uint32_t> begun_;
};

} // namespace muster::launcher::sweep
