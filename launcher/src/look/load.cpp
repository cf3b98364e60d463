#include "look/model.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <system_error>

namespace muster::launcher::look {
namespace {

namespace fs = std::filesystem;
namespace trace = muster::look;

std::ifstream open(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw Error(fmt::format("{} cannot be read", path.string()));
    }
    return file;
}

std::optional<trace::TraceHeader> read_header(std::istream& file, trace::TraceReader& reader) {
    (void)file;
    const auto block = reader.next();
    if (!block || block->type != trace::BlockType::header) {
        return std::nullopt;
    }
    return trace::decode_header(std::string_view(
        reinterpret_cast<const char*>(block->content.data()), block->content.size()));
}

} // namespace

TraceFiles find_traces(const fs::path& directory, const std::string& run) {
    std::error_code error;
    if (!fs::is_directory(directory, error)) {
        throw UsageError(
            fmt::format("{} is not a directory: name the one that the run had as MUSTER_TRACE",
                        directory.string()));
    }

    struct Run {
        std::int64_t began = 0;
        std::vector<fs::path> files;
    };

    std::map<std::uint64_t, Run> runs;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
        if (entry.path().extension() != trace::trace_suffix) {
            continue;
        }
        auto file = open(entry.path());
        trace::TraceReader reader(file);
        const auto header = read_header(file, reader);
        if (!header) {
            throw Error(
                fmt::format("{} is not a trace, or not of this version of Muster: {}",
                            entry.path().string(),
                            reader.damage().empty() ? "it has no header" : reader.damage()));
        }
        Run& of = runs[header->run_id];
        of.began = std::max(of.began, header->realtime_ns);
        of.files.push_back(entry.path());
    }
    if (runs.empty()) {
        throw Error(fmt::format("there is no trace in {}: start the run with MUSTER_TRACE={}",
                                directory.string(),
                                directory.string()));
    }
    TraceFiles found;
    std::int64_t latest = std::numeric_limits<std::int64_t>::min();
    for (const auto& [id, of] : runs) {
        const bool wanted = run.empty() ? of.began >= latest : fmt::format("{:016x}", id) == run;
        if (wanted) {
            latest = of.began;
            found.run_id = id;
            found.files = of.files;
        }
    }
    if (found.files.empty()) {
        std::string text;
        for (const auto& [id, of] : runs) {
            text += fmt::format("{}{:016x}", text.empty() ? "" : ", ", id);
        }
        throw UsageError(fmt::format("{} has no run {}; it has {}", directory.string(), run, text));
    }
    for (const auto& [id, of] : runs) {
        if (id != found.run_id) {
            found.others.push_back(id);
        }
    }
    std::sort(found.files.begin(), found.files.end());
    return found;
}

Model load(const TraceFiles& files) {
    struct Rank {
        trace::TraceHeader header;
        trace::Names names;
        std::vector<std::pair<std::uint32_t, std::vector<trace::Record>>> lanes;
        std::vector<ClockMap::Comparison> comparisons;
        bool complete = false;
        std::string damage;
    };

    // One at a time, but for the first: by its clock the others' are known if they never were
    // compared.
    std::optional<trace::TraceHeader> driver;
    for (const fs::path& path : files.files) {
        auto file = open(path);
        trace::TraceReader reader(file);
        if (const auto header = read_header(file, reader); header && header->rank == 0) {
            driver = header;
        }
    }
    ModelBuilder builder;
    for (const fs::path& path : files.files) {
        auto file = open(path);
        trace::TraceReader reader(file);
        Rank rank;
        rank.header = read_header(file, reader).value();
        while (auto block = reader.next()) {
            if (block->type == trace::BlockType::names) {
                const auto names = trace::decode_names(block->content);
                if (names) {
                    rank.names.insert(rank.names.end(), names->begin(), names->end());
                }
            } else if (block->type == trace::BlockType::records) {
                auto records = block->records();
                for (const trace::Record& record : records) {
                    if (record.event == trace::Event::clock) {
                        rank.comparisons.push_back({record.begin,
                                                    static_cast<std::int64_t>(record.id),
                                                    static_cast<std::int64_t>(record.value)});
                    }
                }
                rank.lanes.emplace_back(block->lane, std::move(records));
            }
        }
        rank.complete = reader.complete();
        rank.damage = reader.damage();
        const bool same_node = !driver || rank.header.node == driver->node;
        const bool compared = rank.header.rank == 0 || same_node || !rank.comparisons.empty();
        const auto wall_minus_mono = [](const trace::TraceHeader& header) {
            return header.realtime_ns - header.monotonic_ns;
        };
        const ClockMap clock =
            compared ? ClockMap(rank.comparisons, same_node)
                     : ClockMap::shifted(wall_minus_mono(rank.header) - wall_minus_mono(*driver));
        builder.add(
            rank.header, clock, rank.names, rank.lanes, rank.complete, rank.damage, compared);
    }
    return builder.finish();
}

} // namespace muster::launcher::look
