#include <muster/base/error.hpp>
#include <muster/train/checkpoint.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <regex>

namespace muster::train {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t known_format = 1;
constexpr std::string_view metric_prefix = "metric.";

} // namespace

Checkpoint::Checkpoint(const fs::path& path) : file_(data::ArrayFile::open(path)) {
    const auto format = note<std::int64_t>("muster_checkpoint");
    if (format > known_format) {
        throw Error(fmt::format("checkpoint '{}' is of format {}, which a later version of Muster "
                                "has written; this one knows formats up to {}",
                                path.string(),
                                format,
                                known_format));
    }
    step_ = static_cast<std::uint64_t>(note<std::int64_t>("step"));
    for (const data::Attribute& each : file_.attributes()) {
        const auto* const value = std::get_if<double>(&each.value);
        if (value != nullptr && each.name.starts_with(metric_prefix)) {
            metrics_.emplace(each.name.substr(metric_prefix.size()), *value);
        }
    }
}

std::vector<std::byte> Checkpoint::bytes(std::string_view name) const {
    const auto values = file_.read<std::uint8_t>(name);
    std::vector<std::byte> bytes(values.size());
    std::ranges::transform(
        values, bytes.begin(), [](std::uint8_t value) { return std::byte{value}; });
    return bytes;
}

const data::Attribute& Checkpoint::find_note(std::string_view name) const {
    const auto& notes = file_.attributes();
    const auto found = std::ranges::find(
        notes, name, [](const data::Attribute& note) { return std::string_view(note.name); });
    if (found == notes.end()) {
        throw Error(fmt::format("checkpoint '{}' has no note '{}'", file_.path(), name));
    }
    return *found;
}

void Checkpoint::refuse_note(std::string_view name) const {
    throw Error(fmt::format(
        "note '{}' of checkpoint '{}' is of another type than it is read as", name, file_.path()));
}

fs::path checkpoint_path(const fs::path& folder, std::uint64_t step) {
    return folder / fmt::format("step-{:012}.h5", step);
}

std::vector<SavedCheckpoint> find_checkpoints(const fs::path& folder) {
    static const std::regex pattern("step-[0-9]{12,}\\.h5");
    std::vector<SavedCheckpoint> found;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        if (!std::regex_match(at->path().filename().string(), pattern)) {
            continue;
        }
        try {
            const Checkpoint checkpoint(at->path());
            found.push_back({checkpoint.step(), at->path().string(), checkpoint.metrics()});
        } catch (const Error& failure) {
            std::cerr << "warning: a checkpoint is left out: " << failure.what() << '\n';
        }
    }
    std::ranges::sort(found, {}, &SavedCheckpoint::step);
    return found;
}

} // namespace muster::train
