#include "cli/settings_files.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace muster::launcher {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

namespace fs = std::filesystem;

class Folder {
public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "muster-settings-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    ~Folder() { fs::remove_all(path_); }

    fs::path write(const std::string& name, const std::string& text) const {
        const fs::path path = path_ / name;
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text;
        return path;
    }

    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

TEST(SettingsFiles, KeysCarryTheirSectionAndKeepTheirOrder) {
    const auto settings =
        parse_settings("x", "# a comment\n[sweep]\nretries = 3\nline = a\nline = b\n[run]\nn=2\n");
    EXPECT_THAT(settings.values,
                ElementsAre(Pair("sweep.retries", "3"),
                            Pair("sweep.line", "a"),
                            Pair("sweep.line", "b"),
                            Pair("run.n", "2")));
}

TEST(SettingsFiles, WhatIsNotALineOfThemIsRefusedWithTheFile) {
    try {
        (void)parse_settings("here.conf", "[sweep]\nretries\n");
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_THAT(error.what(), HasSubstr("here.conf"));
    }
}

TEST(SettingsFiles, TheProjectsCountsBeforeTheUsersBeforeTheSites) {
    const Folder folder;
    const auto project = folder.write("project/muster.conf", "[run]\nn = 1\n");
    const auto user = folder.write("config/muster/muster.conf", "[run]\nn = 2\n");
    const auto site = folder.write("site.conf", "[run]\nn = 3\n");
    fs::create_directories(folder.path() / "project/deep/er");
    const slurm::Environment environment({{"XDG_CONFIG_HOME", (folder.path() / "config").string()},
                                          {"MUSTER_SITE_SETTINGS", site.string()}});
    std::vector<std::string> paths;
    for (const auto& file : find_settings(environment, folder.path() / "project/deep/er")) {
        paths.push_back(file.path);
    }
    EXPECT_THAT(paths, ElementsAre(project.string(), user.string(), site.string()));
}

} // namespace
} // namespace muster::launcher
