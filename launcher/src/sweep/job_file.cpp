#include "sweep/job_file.hpp"

#include "cli/words.hpp"
#include "sweep/job_tree.hpp"
#include "sweep/settings.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <utility>

namespace muster::launcher::sweep {
namespace {

namespace fs = std::filesystem;

/// One group of the file, and where it is, for messages.
class Reader {
public:
    Reader(const Tree& tree, std::string where, fs::path folder)
        : tree_(tree), where_(std::move(where)), folder_(std::move(folder)) {
        if (!tree_.is_object()) {
            throw wrong("is no table of keys and values");
        }
    }

    [[nodiscard]] UsageError wrong(const std::string& what) const {
        return UsageError(fmt::format("{}: {}", where_, what));
    }

    void check_keys(const std::set<std::string>& known) const {
        for (const auto& [key, value] : tree_.items()) {
            if (!known.contains(key)) {
                throw wrong(
                    fmt::format("there is no key '{}'; keys are {}", key, fmt::join(known, ", ")));
            }
        }
    }

    [[nodiscard]] const Tree* find(const char* key) const {
        const auto place = tree_.find(key);
        return place == tree_.end() ? nullptr : &*place;
    }

    [[nodiscard]] std::string text(const Tree& value, std::string_view key) const {
        if (value.is_string()) {
            return value.get<std::string>();
        }
        if (value.is_number() || value.is_boolean()) {
            return value.dump();
        }
        throw wrong(fmt::format("'{}' is a text or a number", key));
    }

    [[nodiscard]] std::optional<std::string> text(const char* key) const {
        const Tree* value = find(key);
        return value == nullptr ? std::nullopt : std::optional(text(*value, key));
    }

    [[nodiscard]] bool truth(const char* key, bool otherwise) const {
        const auto value = text(key);
        if (!value) {
            return otherwise;
        }
        if (*value == "true" || *value == "yes" || *value == "on") {
            return true;
        }
        if (*value == "false" || *value == "no" || *value == "off") {
            return false;
        }
        throw wrong(fmt::format("{} = {}: is true or false", key, *value));
    }

    /// One text, or a list of them.
    [[nodiscard]] std::vector<std::string> texts(const Tree& value, std::string_view key) const {
        std::vector<std::string> result;
        if (!value.is_array()) {
            result.push_back(text(value, key));
            return result;
        }
        for (const Tree& one : value) {
            result.push_back(text(one, key));
        }
        return result;
    }

    [[nodiscard]] Settings settings(Settings settings) const {
        const auto set = [&](const char* key, const auto& apply) {
            if (const auto value = text(key)) {
                try {
                    apply(*value);
                } catch (const UsageError& error) {
                    throw wrong(error.what());
                }
            }
        };
        set("cpus", [&](const std::string& v) { settings.cpus = parse_amount("cpus", v); });
        set("gpus", [&](const std::string& v) { settings.gpus = parse_amount("gpus", v); });
        set("memory", [&](const std::string& v) { settings.memory = parse_memory(v); });
        set("priority", [&](const std::string& v) { settings.priority = parse_priority(v); });
        set("retries", [&](const std::string& v) { settings.retries = parse_retries(v); });
        set("timeout", [&](const std::string& v) { settings.timeout = parse_timeout(v); });
        set("directory", [&](const std::string& v) { settings.directory = v; });
        set("stdin", [&](const std::string& v) { settings.input = v; });
        set("stdin_file", [&](const std::string& v) { settings.input_file = v; });
        settings.shell = truth("shell", settings.shell);
        if (const Tree* variables = find("env")) {
            for (const auto& [name, value] :
                 Reader(*variables, where_ + ", env", folder_).tree_.items()) {
                set_variable(settings.environment, name, text(value, name));
            }
        }
        if (const Tree* resources = find("resources")) {
            for (const auto& [name, value] :
                 Reader(*resources, where_ + ", resources", folder_).tree_.items()) {
                try {
                    settings.resources[name] = parse_amount(name, text(value, name));
                } catch (const UsageError& error) {
                    throw wrong(error.what());
                }
            }
        }
        return settings;
    }

    [[nodiscard]] std::unique_ptr<Combination> rows() const {
        auto rows = std::make_unique<Combination>();
        const bool zip = truth("zip", false);
        if (const auto table = text("table")) {
            rows->add(table_file(folder_ / *table), zip);
        }
        if (const Tree* values = find("values")) {
            const Reader columns(*values, where_ + ", values", folder_);
            for (const auto& [name, value] : columns.tree_.items()) {
                rows->add(columns.source(name, value), zip);
            }
        }
        if (const auto lines = text("lines")) {
            rows->add(line_source("", lines_of(folder_ / *lines)), zip);
        }
        return rows;
    }

    [[nodiscard]] std::vector<std::string> command() const {
        const Tree* value = find("command");
        if (value == nullptr) {
            return {};
        }
        if (value->is_array()) {
            return texts(*value, "command");
        }
        const std::string line = text(*value, "command");
        if (truth("shell", false)) {
            return {line};
        }
        auto words = split_words(line);
        if (!words) {
            throw wrong(words.error().message);
        }
        return std::move(*words);
    }

private:
    [[nodiscard]] std::unique_ptr<Source> source(const std::string& name, const Tree& value) const {
        if (!value.is_object()) {
            return list_source(name, texts(value, name));
        }
        const Reader reader(value, where_ + ", " + name, folder_);
        reader.check_keys({"range", "file"});
        if (const auto range = reader.text("range")) {
            return range_source(name, *range);
        }
        if (const auto file = reader.text("file")) {
            return line_source(name, lines_of(folder_ / *file));
        }
        throw reader.wrong("says neither range nor file");
    }

    const Tree& tree_;
    std::string where_;
    fs::path folder_;
};

const std::set<std::string> setting_keys{"cpus",
                                         "gpus",
                                         "memory",
                                         "resources",
                                         "priority",
                                         "retries",
                                         "timeout",
                                         "shell",
                                         "env",
                                         "directory",
                                         "stdin",
                                         "stdin_file"};

std::set<std::string> with(std::set<std::string> keys, std::initializer_list<const char*> more) {
    keys.insert(more.begin(), more.end());
    return keys;
}

/// Every group named in an `after` is there, and none waits for itself.
void check_order(const std::vector<Group>& groups, const std::string& path) {
    std::set<std::string> names;
    for (const Group& group : groups) {
        if (!names.insert(group.name()).second) {
            throw UsageError(fmt::format("{}: two groups are called '{}'", path, group.name()));
        }
    }
    std::set<std::string> placed;
    for (bool moved = true; std::exchange(moved, false);) {
        for (const Group& group : groups) {
            for (const std::string& before : group.after()) {
                if (!names.contains(before)) {
                    throw UsageError(
                        fmt::format("{}: group '{}' comes after '{}', which is not there",
                                    path,
                                    group.name(),
                                    before));
                }
            }
            if (!placed.contains(group.name()) &&
                std::all_of(group.after().begin(), group.after().end(), [&](const auto& before) {
                    return placed.contains(before);
                })) {
                placed.insert(group.name());
                moved = true;
            }
        }
    }
    for (const Group& group : groups) {
        if (!placed.contains(group.name())) {
            throw UsageError(fmt::format(
                "{}: group '{}' waits, by way of others, for itself", path, group.name()));
        }
    }
}

} // namespace

Lines lines_of(const fs::path& path) {
    auto file = std::make_shared<std::ifstream>(path);
    if (!*file || fs::is_directory(path)) {
        throw UsageError(fmt::format("{}: cannot be read", path.string()));
    }
    return [file]() -> std::optional<std::string> {
        std::string line;
        return std::getline(*file, line) ? std::optional(std::move(line)) : std::nullopt;
    };
}

std::unique_ptr<Source> table_file(const fs::path& path) {
    const std::string ending = path.extension().string();
    const std::string name = path.string();
    if (ending == ".csv") {
        return table_source(name, ',', lines_of(path));
    }
    if (ending == ".tsv") {
        return table_source(name, '\t', lines_of(path));
    }
    if (ending == ".json" || ending == ".jsonl" || ending == ".ndjson") {
        return json_source(name, lines_of(path));
    }
    throw UsageError(name + ": is no table: its name ends in .csv, .tsv, .json, .jsonl or .ndjson");
}

std::vector<Group> parse_job(std::string_view text,
                             std::string_view format,
                             const fs::path& path,
                             const Settings& defaults) {
    const std::string name = path.string();
    Tree tree;
    if (format == "toml") {
        tree = tree_of_toml(text, name);
    } else if (format == "yaml") {
        tree = tree_of_yaml(text, name);
    } else {
        tree = Tree::parse(text, nullptr, /*allow_exceptions=*/false);
        if (tree.is_discarded()) {
            throw UsageError(name + ": is not JSON");
        }
    }
    const std::set<std::string> group_keys =
        with(setting_keys, {"name", "command", "values", "table", "lines", "zip", "after"});
    const fs::path folder = path.parent_path();
    const Reader top(tree, name, folder);
    std::vector<Group> groups;
    const auto add =
        [&](const Reader& reader, const Settings& settings, const std::string& standard) {
            std::vector<std::string> after;
            if (const Tree* before = reader.find("after")) {
                after = reader.texts(*before, "after");
            }
            try {
                groups.emplace_back(reader.text("name").value_or(standard),
                                    reader.command(),
                                    reader.rows(),
                                    reader.settings(settings),
                                    std::move(after));
            } catch (const UsageError& error) {
                const std::string what = error.what();
                throw what.starts_with(name) ? UsageError(what) : reader.wrong(what);
            }
        };
    const Tree* list = top.find("group");
    if (list == nullptr) {
        top.check_keys(group_keys);
        add(top, defaults, "");
        return groups;
    }
    top.check_keys(with(setting_keys, {"group"}));
    if (!list->is_array() || list->empty()) {
        throw top.wrong("'group' is a list of groups: [[group]] in TOML");
    }
    const Settings settings = top.settings(defaults);
    for (std::size_t i = 0; i < list->size(); ++i) {
        const Tree& one = (*list)[i];
        std::string where = fmt::format("{}, group {}", name, i + 1);
        if (one.is_object() && one.contains("name") && one["name"].is_string()) {
            where = fmt::format("{}, group '{}'", name, one["name"].get<std::string>());
        }
        const Reader reader(one, where, folder);
        reader.check_keys(group_keys);
        add(reader, settings, fmt::format("group{}", i + 1));
    }
    check_order(groups, name);
    return groups;
}

std::vector<Group> read_job_file(const fs::path& path, const Settings& defaults) {
    std::ifstream file(path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file || fs::is_directory(path)) {
        throw UsageError(fmt::format("{}: cannot be read", path.string()));
    }
    const std::string ending = path.extension().string();
    const std::string_view format = ending == ".toml"                       ? "toml"
                                    : ending == ".yaml" || ending == ".yml" ? "yaml"
                                    : ending == ".json"                     ? "json"
                                                                            : "";
    if (format.empty()) {
        throw UsageError(
            fmt::format("{}: a job file's name ends in .toml, .yaml or .json", path.string()));
    }
    return parse_job(text, format, path, defaults);
}

} // namespace muster::launcher::sweep
