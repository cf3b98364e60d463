#include "jobs/record_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <system_error>

namespace muster::launcher::jobs {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

Result<fs::path> records_folder(const slurm::Environment& environment) {
    fs::path base(environment.get_or_empty("XDG_STATE_HOME"));
    if (base.empty()) {
        const auto home = environment.get_or_empty("HOME");
        if (home.empty()) {
            return Failure{ErrorCode::failed,
                           "HOME is not set, so there is no place for records of jobs"};
        }
        base = fs::path(home) / ".local" / "state";
    }
    const fs::path folder = fs::absolute(base) / "muster" / "jobs";
    std::error_code error;
    const bool made = fs::create_directories(folder, error);
    if (!error && made) {
        fs::permissions(folder, fs::perms::owner_all, error);
    }
    if (error) {
        return Failure{ErrorCode::failed,
                       fmt::format("{}: cannot be made: {}", folder.string(), error.message())};
    }
    return folder;
}

Result<std::monostate> save_record(const fs::path& folder, const JobRecord& record) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string name = entry.path().filename().string();
        const bool own = name.starts_with(record.id + ".") || name.starts_with(record.id + "_");
        std::error_code gone;
        const auto age = fs::file_time_type::clock::now() - entry.last_write_time(gone);
        // The job may have begun already, and noted it.
        if (own && !gone && age > std::chrono::minutes(5)) {
            fs::remove(entry.path(), gone);
        }
    }
    const fs::path path = folder / (record.id + ".job");
    std::ofstream file(path);
    file << record_text(record) << std::flush;
    if (!file) {
        return Failure{ErrorCode::failed, fmt::format("{}: cannot be written", path.string())};
    }
    return std::monostate{};
}

std::vector<KnownJob> load_records(const fs::path& folder) {
    std::map<std::string, KnownJob> jobs;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
        const std::string id = entry.path().stem().string();
        if (entry.path().extension() == ".job") {
            jobs[id].record = parse_record(read(entry.path()));
        } else if (entry.path().extension() == ".events") {
            jobs[id].events = parse_events(read(entry.path()));
        }
    }
    std::vector<KnownJob> result;
    for (auto& [id, job] : jobs) {
        job.id = id;
        result.push_back(std::move(job));
    }
    return result;
}

} // namespace muster::launcher::jobs
