#pragma once

#include "resources/system_files.hpp"

#include <map>
#include <utility>

namespace muster::resources {

/// A made-up machine: path to text. A directory lists the paths below it that are files.
class FakeFiles : public SystemFiles {
public:
    explicit FakeFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}

    [[nodiscard]] std::optional<std::string> read(const std::string& path) const override {
        const auto place = files_.find(path);
        return place == files_.end() ? std::nullopt : std::optional(place->second);
    }

    [[nodiscard]] std::vector<std::string> list(const std::string& directory) const override {
        std::vector<std::string> names;
        for (const auto& [path, text] : files_) {
            if (path.starts_with(directory + "/")) {
                names.push_back(path.substr(directory.size() + 1));
            }
        }
        return names;
    }

private:
    std::map<std::string, std::string> files_;
};

} // namespace muster::resources
