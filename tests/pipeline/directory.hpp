#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

namespace muster::test {

/// For files of one test; gone with it.
struct Directory {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("muster-pipeline-" + std::to_string(::getpid()));

    Directory() { std::filesystem::create_directories(path); }

    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    ~Directory() {
        std::error_code ignored; // nothing depends on it
        std::filesystem::remove_all(path, ignored);
    }
};

} // namespace muster::test
