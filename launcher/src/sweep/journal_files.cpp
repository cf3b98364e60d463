#include "sweep/journal_files.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace muster::launcher::sweep {
namespace {

namespace fs = std::filesystem;

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::replace(text.begin(), text.end(), '\t', ' ');
    return text;
}

} // namespace

JobLog::JobLog(const fs::path& path) {
    if (path.empty()) {
        return;
    }
    std::error_code error;
    if (path.has_parent_path()) {
        fs::create_directories(path.parent_path(), error);
    }
    const bool is_new = !fs::exists(path, error);
    file_.open(path, std::ios::app);
    if (!file_) {
        throw Error(fmt::format("{}: cannot be written", path.string()));
    }
    if (is_new) {
        file_ << "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";
    }
}

void JobLog::add(const std::string& name, const Command& command, const Record& record) {
    if (!file_.is_open()) {
        return;
    }
    file_ << fmt::format("{}\t{}\t{:.3f}\t{:.3f}\t{}\t{}\t{}\t{}\t{}\n",
                         name,
                         record.host,
                         record.began,
                         record.wall_seconds,
                         command.input.size(),
                         record.out.size(),
                         record.exit_code,
                         record.signal,
                         one_line(command.shown()));
    if (!file_.flush()) {
        throw Error("the job log cannot be written: is the disk full?");
    }
}

SecondChances::SecondChances(fs::path folder, const std::string& run) : folder_(std::move(folder)) {
    if (folder_.empty()) {
        return;
    }
    path_ = folder_ / run;
    std::error_code error;
    for (const auto& item : fs::directory_iterator(folder_, error)) {
        std::ifstream file(item.path());
        std::uint64_t key = 0;
        std::uint32_t attempt = 0;
        while (file >> std::hex >> key >> std::dec >> attempt) {
            auto& last = begun_[key];
            last = std::max(last, attempt);
        }
    }
}

bool SecondChances::has(std::uint64_t key, std::uint32_t attempt) const {
    const auto place = begun_.find(key);
    return place != begun_.end() && place->second >= attempt;
}

void SecondChances::add(std::uint64_t key, std::uint32_t attempt) {
    if (folder_.empty() || has(key, attempt)) {
        return;
    }
    begun_[key] = attempt;
    if (!file_.is_open()) {
        fs::create_directories(folder_);
        file_.open(path_, std::ios::app);
    }
    file_ << fmt::format("{:016x} {}\n", key, attempt);
    if (!file_.flush()) {
        throw Error(fmt::format("{}: cannot be written", path_.string()));
    }
}

} // namespace muster::launcher::sweep
