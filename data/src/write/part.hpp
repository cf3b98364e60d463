#pragma once

#include <filesystem>
#include <system_error>
#include <utility>

namespace muster::data::write {

/// A file without its name yet, gone with the object unless it was kept.
class Part {
public:
    explicit Part(std::filesystem::path path) : path_(std::move(path)) {}

    ~Part() {
        std::error_code ignored;
        if (!path_.empty()) {
            std::filesystem::remove(path_, ignored);
        }
    }

    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

    void keep() { path_.clear(); }

private:
    std::filesystem::path path_;
};

} // namespace muster::data::write
