#pragma once

#include "cli/subcommand.hpp"
#include "data/row_source.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace muster::launcher::data {

/// How a table is to be written.
struct OutputOptions {
    std::filesystem::path path{};
    std::optional<std::uint64_t> shards{}; ///< Neither: one file.
    std::optional<std::uint64_t> shard_rows{};
    std::optional<std::uint64_t> chunk_rows{};              ///< Absent: as the source has it.
    std::optional<muster::data::Compression> compression{}; ///< Absent: as the source has it.
    bool replace = false;
    std::vector<muster::data::Attribute> attributes{}; ///< Of the whole table.
};

/// The options of `convert` and `reshard` that say it.
void add_output_options(po::options_description& options);

/// @throws UsageError for such that contradict one another.
[[nodiscard]] OutputOptions output_options(const Arguments& arguments, const std::string& path);

/// Copies all rows of a source, a few MiB at a time, and says on standard output what was written.
void write_table(RowSource& source, const OutputOptions& options);

} // namespace muster::launcher::data
