#pragma once

#include "sweep/job.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::sweep {

/// Opens a file that a source reads, by lines. @throws UsageError with the path.
[[nodiscard]] Lines lines_of(const std::filesystem::path& path);

/// A table by its ending: .csv, .tsv, .json, .jsonl or .ndjson. @throws UsageError.
[[nodiscard]] std::unique_ptr<Source> table_file(const std::filesystem::path& path);

/// Groups of commands, as a file in TOML, YAML or JSON describes them (by its ending):
///
///     cpus = 2                        # for all groups that do not say otherwise
///
///     [[group]]
///     name = "prepare"
///     command = "./prepare --shard {shard}"     # or ["./prepare", "--shard", "{shard}"]
///     values.shard = { range = "1-10" }
///
///     [[group]]
///     name = "train"
///     command = ["./train", "--lr", "{lr}", "--seed", "{seed}"]
///     values.lr = [0.1, 0.01]
///     values.seed = { range = "1-3" }
///     after = ["prepare"]
///     retries = 1
///
/// Columns: `values` (lists, { range }, { file } of lines), `table` (a file), combined in every
/// way, or by place with `zip = true`. Settings: cpus, gpus, memory, resources, priority, retries,
/// timeout, shell, env, directory, stdin, stdin_file. Files are relative to the job file.
///
/// @param defaults  Settings where the file says nothing.
/// @throws UsageError that names the file and the group or key.
[[nodiscard]] std::vector<Group> read_job_file(const std::filesystem::path& path,
                                               const Settings& defaults);

/// The same of a text. @param format  "toml", "yaml" or "json".
[[nodiscard]] std::vector<Group> parse_job(std::string_view text,
                                           std::string_view format,
                                           const std::filesystem::path& path,
                                           const Settings& defaults);

/// Whether this program was built with the library for it.
[[nodiscard]] bool reads_toml();
[[nodiscard]] bool reads_yaml();

} // namespace muster::launcher::sweep
