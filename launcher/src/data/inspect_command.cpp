#include "cli/digits.hpp"
#include "data/advise.hpp"
#include "data/commands.hpp"
#include "data/sizes.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>

namespace muster::launcher::data {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using muster::data::Column;
using muster::data::DatasetReport;
using muster::data::FileReport;
using muster::data::StorageLayout;

/// Reports of files that virtual datasets refer to; nothing for one that cannot be opened.
using Sources = std::map<std::string, std::optional<FileReport>>;

/// A dataset, and how it is kept: of a virtual one, how its sources keep theirs.
struct Kept {
    const DatasetReport* report;
    Column storage;
    std::uint64_t files = 0; ///< Of a virtual dataset.
    std::vector<std::string> missing{};
};

Kept kept(const FileReport& file, const DatasetReport& report, Sources& sources) {
    Kept result{&report, report.column, report.sources.size(), {}};
    if (report.column.layout != StorageLayout::virtual_dataset) {
        return result;
    }
    bool is_first = true;
    for (const std::string& name : report.sources) {
        const fs::path path =
            name == "." ? fs::path(file.file) : fs::path(file.file).parent_path() / name;
        auto [place, is_new] = sources.try_emplace(path.string());
        if (is_new) {
            try {
                place->second = muster::data::inspect(path);
            } catch (const Error&) {
                // stays nothing: named below
            }
        }
        if (!place->second) {
            result.missing.push_back(name);
            continue;
        }
        const auto& datasets = place->second->datasets;
        const auto found = std::ranges::find_if(datasets, [&](const DatasetReport& one) {
            return one.column.name == report.column.name;
        });
        if (found == datasets.end()) {
            continue;
        }
        result.storage.stored_bytes += found->column.stored_bytes;
        if (std::exchange(is_first, false)) {
            const std::uint64_t stored = result.storage.stored_bytes;
            result.storage = found->column;
            result.storage.shape = report.column.shape;
            result.storage.stored_bytes = stored;
        }
    }
    return result;
}

std::uint64_t plain_bytes(const Column& column) {
    std::uint64_t bytes = column.element_bytes;
    for (const std::uint64_t axis : column.shape) {
        bytes *= axis;
    }
    return bytes;
}

std::string storage_text(const Kept& one) {
    const Column& column = one.storage;
    std::string text(muster::data::to_string(column.layout));
    if (column.layout == StorageLayout::chunked) {
        text = fmt::format("chunks of {}", shape_text(column.chunk));
    } else if (column.layout == StorageLayout::contiguous) {
        text = "in one piece";
    }
    for (const auto& filter : column.filters) {
        text += ", " + filter_text(filter);
    }
    if (one.report->column.layout == StorageLayout::virtual_dataset) {
        text += fmt::format(" in {} file{}", one.files, one.files == 1 ? "" : "s");
    }
    return text;
}

std::string ratio_text(const Column& column) {
    if (column.stored_bytes == 0 || plain_bytes(column) == 0) {
        return "";
    }
    return fmt::format("{:.2f}",
                       static_cast<double>(plain_bytes(column)) /
                           static_cast<double>(column.stored_bytes));
}

/// The rows that all columns have, if they are a table.
std::optional<std::uint64_t> common_rows(const FileReport& file) {
    std::optional<std::uint64_t> rows;
    for (const DatasetReport& report : file.datasets) {
        if (report.column.shape.empty()) {
            continue;
        }
        if (rows && *rows != report.column.rows()) {
            return std::nullopt;
        }
        rows = report.column.rows();
    }
    return rows;
}

void print_table(const std::vector<std::vector<std::string>>& lines) {
    std::vector<std::size_t> widths(lines.front().size(), 0);
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            widths[i] = std::max(widths[i], line[i].size());
        }
    }
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) {
            const bool is_number = i + 2 >= line.size();
            text += is_number ? fmt::format("  {:>{}}", line[i], widths[i])
                              : fmt::format("{}{:<{}}", i == 0 ? "" : "  ", line[i], widths[i]);
        }
        text.resize(text.find_last_not_of(' ') + 1);
        std::cout << text << '\n';
    }
}

void print_attributes(std::string_view name,
                      const std::vector<muster::data::Attribute>& attributes,
                      const std::vector<std::string>& others) {
    for (const auto& attribute : attributes) {
        std::cout << fmt::format(
            "attribute  {}.{} = {}\n", name, attribute.name, value_text(attribute));
    }
    for (const std::string& other : others) {
        std::cout << fmt::format("attribute  {}.{}, of another kind\n", name, other);
    }
}

void print_text(const FileReport& file, const std::vector<Kept>& all) {
    const auto rows = common_rows(file);
    std::cout << fmt::format("{}: {}{}{}\n\n",
                             file.file,
                             size_text(file.file_bytes),
                             rows ? fmt::format(", {} rows", grouped_digits(*rows))
                                  : ", no table: its datasets have different numbers of rows",
                             file.generation > 0 ? fmt::format(", version {}", file.generation)
                                                 : "");
    std::vector<std::vector<std::string>> lines{
        {"column", "type", "shape", "storage", "stored", "ratio"}};
    for (const Kept& one : all) {
        const Column& column = one.report->column;
        lines.push_back({column.name,
                         column.type_text + (one.storage.is_swapped ? ", swapped" : ""),
                         shape_text(column.shape),
                         storage_text(one),
                         size_text(one.storage.stored_bytes),
                         ratio_text(one.storage)});
    }
    print_table(lines);
    std::cout << '\n';
    print_attributes("file", file.attributes, file.other_attributes);
    for (const Kept& one : all) {
        print_attributes(
            one.report->column.name, one.report->attributes, one.report->other_attributes);
    }
    for (const Kept& one : all) {
        for (const std::string& missing : one.missing) {
            std::cout << fmt::format(
                "missing    {}: '{}' cannot be opened; muster data verify says why\n",
                one.report->column.name,
                missing);
        }
        for (const std::string& advice : advise(one.storage)) {
            std::cout << fmt::format("advice     {}: {}\n", one.report->column.name, advice);
        }
    }
}

Json attributes_json(const std::vector<muster::data::Attribute>& attributes) {
    Json page = Json::object();
    for (const auto& attribute : attributes) {
        std::visit([&](const auto& value) { page[attribute.name] = value; }, attribute.value);
    }
    return page;
}

Json as_json(const FileReport& file, const std::vector<Kept>& all) {
    Json page;
    page["file"] = file.file;
    page["bytes"] = file.file_bytes;
    page["generation"] = file.generation;
    const auto rows = common_rows(file);
    page["rows"] = rows ? Json(*rows) : Json();
    page["attributes"] = attributes_json(file.attributes);
    page["columns"] = Json::array();
    for (const Kept& one : all) {
        const Column& column = one.report->column;
        Json entry;
        entry["name"] = column.name;
        entry["type"] = muster::data::to_string(column.type);
        entry["type_text"] = column.type_text;
        entry["shape"] = column.shape;
        entry["element_bytes"] = column.element_bytes;
        entry["swapped"] = one.storage.is_swapped;
        entry["layout"] = muster::data::to_string(column.layout);
        entry["chunk"] = one.storage.chunk;
        entry["filters"] = Json::array();
        for (const auto& filter : one.storage.filters) {
            entry["filters"].push_back(
                {{"id", filter.id}, {"name", filter.name}, {"values", filter.values}});
        }
        entry["stored_bytes"] = one.storage.stored_bytes;
        entry["plain_bytes"] = plain_bytes(column);
        entry["sources"] = one.report->sources;
        entry["missing"] = one.missing;
        entry["attributes"] = attributes_json(one.report->attributes);
        entry["advice"] = advise(one.storage);
        page["columns"].push_back(std::move(entry));
    }
    return page;
}

int run(const Arguments& arguments) {
    if (arguments.words.empty()) {
        throw UsageError("name a file: muster data inspect train.h5");
    }
    Json pages = Json::array();
    bool is_first = true;
    for (const std::string& word : arguments.words) {
        const FileReport file = muster::data::inspect(word);
        Sources sources;
        std::vector<Kept> all;
        for (const DatasetReport& report : file.datasets) {
            all.push_back(kept(file, report, sources));
        }
        if (arguments.is_set("json")) {
            pages.push_back(as_json(file, all));
        } else {
            std::cout << (std::exchange(is_first, false) ? "" : "\n");
            print_text(file, all);
        }
    }
    if (arguments.is_set("json")) {
        std::cout << (pages.size() == 1 ? pages.front() : pages)
                         .dump(2, ' ', false, Json::error_handler_t::replace)
                  << '\n';
    }
    std::cout << std::flush;
    if (!std::cout) {
        throw Error("standard output cannot be written");
    }
    return 0;
}

} // namespace

const Subcommand& inspect_command() {
    static const Subcommand subcommand{
        .name = "data inspect",
        .summary = "says what is in an HDF5 file, how it is kept, and what could be better",
        .usage = "[--json] FILE…",
        .examples = {{"muster data inspect train.h5",
                      "columns, chunks, filters, attributes, advice"},
                     {"muster data inspect --json train.h5 | jq '.columns[] | {name, shape}'",
                      "for programs; of several files a list"}},
        .description = "Reads headers only, so the size of the file does not matter. 'stored' is "
                       "what values take "
                       "on the disk, 'ratio' how much more they would take without compression. Of "
                       "a table in shards "
                       "it says how these keep it.\n\n"
                       "Advice is for training that reads rows in random order: chunks should hold "
                       "whole rows and "
                       "about 1 MiB.",
        .exit_codes = {{"0", "printed"},
                       {"1", "a file cannot be read"},
                       {"2", "a command line that cannot be used"}},
        .words = Words::anywhere,
        .add_options =
            [](po::options_description& options) {
                options.add_options()("json", po::bool_switch(), "as JSON");
            },
        .run = &run};
    return subcommand;
}

} // namespace muster::launcher::data
