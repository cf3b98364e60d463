#include "cli/settings_files.hpp"

#include <muster/base/error.hpp>
#include <muster/base/log.hpp>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>

#ifndef MUSTER_SITE_SETTINGS
#define MUSTER_SITE_SETTINGS "/etc/muster/muster.conf"
#endif

namespace muster::launcher {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr const char* file_name = "muster.conf";

bool is_file(const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
}

bool is_trusted(const fs::path& path) {
    struct stat status {};

    return ::stat(path.c_str(), &status) == 0 &&
           (status.st_uid == ::geteuid() || status.st_uid == 0);
}

std::optional<fs::path> project_file(fs::path directory) {
    for (;;) {
        fs::path path = directory / file_name;
        if (is_file(path)) {
            if (is_trusted(path)) {
                return path;
            }
            log::warn("settings",
                      "file_ignored file={} reason=\"it belongs to another user\"",
                      path.string());
            return std::nullopt;
        }
        if (!directory.has_relative_path()) {
            return std::nullopt;
        }
        directory = directory.parent_path();
    }
}

fs::path user_file(const slurm::Environment& environment) {
    if (const auto folder = environment.get_or_empty("XDG_CONFIG_HOME"); !folder.empty()) {
        return fs::path(folder) / "muster" / file_name;
    }
    const auto home = environment.get_or_empty("HOME");
    return home.empty() ? fs::path() : fs::path(home) / ".config" / "muster" / file_name;
}

SettingsFile read(const fs::path& path) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
        throw UsageError(fmt::format("{}: cannot be read", path.string()));
    }
    return parse_settings(path.string(), text);
}

} // namespace

SettingsFile parse_settings(std::string path, std::string_view text) {
    SettingsFile settings{std::move(path), {}};
    std::istringstream stream{std::string(text)};
    try {
        const auto parsed =
            po::parse_config_file(stream, po::options_description(), /*allow_unregistered=*/true);
        for (const auto& option : parsed.options) {
            settings.values.emplace_back(option.string_key,
                                         option.value.empty() ? "" : option.value.front());
        }
    } catch (const po::error& error) {
        throw UsageError(fmt::format(
            "{}: {}; lines are 'option = value' below '[command]'", settings.path, error.what()));
    }
    return settings;
}

std::vector<SettingsFile> find_settings(const slurm::Environment& environment,
                                        const fs::path& directory) {
    std::vector<SettingsFile> files;
    if (const auto path = project_file(directory)) {
        files.push_back(read(*path));
    }
    if (const fs::path path = user_file(environment); is_file(path)) {
        files.push_back(read(path));
    }
    const auto named = environment.find("MUSTER_SITE_SETTINGS");
    const fs::path site(named ? std::string(*named) : std::string(MUSTER_SITE_SETTINGS));
    if (is_file(site)) {
        files.push_back(read(site));
    }
    return files;
}

} // namespace muster::launcher
