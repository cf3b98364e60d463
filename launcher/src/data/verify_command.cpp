#include "cli/digits.hpp"
#include "data/commands.hpp"
#include "data/sizes.hpp"

#include <muster/base/error.hpp>
#include <muster/data/verify.hpp>
#include <muster/data/writer.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <iostream>

namespace muster::launcher::data {
namespace {

using Json = nlohmann::ordered_json;

struct Findings {
    muster::data::Verification all{};
    std::vector<muster::data::Leftover> leftovers{};
    std::vector<std::string> removed{};
};

void add(Findings& findings, const std::string& file, bool cleans) {
    muster::data::Verification one = muster::data::verify(file);
    findings.all.files += one.files;
    findings.all.datasets += one.datasets;
    findings.all.chunks += one.chunks;
    findings.all.bytes += one.bytes;
    findings.all.damages.insert(findings.all.damages.end(), one.damages.begin(), one.damages.end());
    for (const auto& leftover : muster::data::leftovers(file)) {
        std::error_code error;
        if (cleans && std::filesystem::remove(leftover.file, error)) {
            findings.removed.push_back(leftover.file);
        } else {
            findings.leftovers.push_back(leftover);
        }
    }
}

std::string counted(std::uint64_t count, std::string_view what) {
    return fmt::format("{} {}{}", grouped_digits(count), what, count == 1 ? "" : "s");
}

void print_text(const Findings& findings) {
    for (const auto& damage : findings.all.damages) {
        // An error of opening names the file and the dataset itself.
        const bool names_itself = damage.text.find('\'' + damage.file + '\'') != std::string::npos;
        if (names_itself && !damage.offset) {
            std::cout << "damage   " << damage.text << '\n';
            continue;
        }
        std::cout << fmt::format(
            "damage   {}{}{}: {}\n",
            damage.file,
            damage.dataset.empty() ? "" : fmt::format(", dataset '{}'", damage.dataset),
            damage.offset ? fmt::format(", byte {}", *damage.offset) : "",
            damage.text);
    }
    for (const auto& leftover : findings.leftovers) {
        std::cout << fmt::format("left     {}: {}\n", leftover.file, leftover.what);
    }
    for (const std::string& file : findings.removed) {
        std::cout << fmt::format("removed  {}\n", file);
    }
    std::cout << fmt::format(
        "{}, {}, {}, {}: {}{}\n",
        counted(findings.all.files, "file"),
        counted(findings.all.datasets, "dataset"),
        counted(findings.all.chunks, "chunk"),
        size_text(findings.all.bytes),
        findings.all.damages.empty() ? "all can be read"
                                     : counted(findings.all.damages.size(), "damage"),
        findings.leftovers.empty() ? ""
                                   : fmt::format("; {}, --clean removes them",
                                                 counted(findings.leftovers.size(), "leftover")));
}

void print_json(const Findings& findings) {
    Json page;
    page["files"] = findings.all.files;
    page["datasets"] = findings.all.datasets;
    page["chunks"] = findings.all.chunks;
    page["bytes"] = findings.all.bytes;
    page["damages"] = Json::array();
    for (const auto& damage : findings.all.damages) {
        Json one;
        one["file"] = damage.file;
        one["dataset"] = damage.dataset.empty() ? Json() : Json(damage.dataset);
        one["offset"] = damage.offset ? Json(*damage.offset) : Json();
        one["text"] = damage.text;
        page["damages"].push_back(std::move(one));
    }
    page["leftovers"] = Json::array();
    for (const auto& leftover : findings.leftovers) {
        page["leftovers"].push_back({{"file", leftover.file}, {"text", leftover.what}});
    }
    page["removed"] = findings.removed;
    std::cout << page.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

int run(const Arguments& arguments) {
    if (arguments.words.empty()) {
        throw UsageError("name a file: muster data verify train.h5");
    }
    Findings findings;
    for (const std::string& file : arguments.words) {
        add(findings, file, arguments.is_set("clean"));
    }
    if (arguments.is_set("json")) {
        print_json(findings);
    } else {
        print_text(findings);
    }
    std::cout << std::flush;
    if (!std::cout) {
        throw Error("standard output cannot be written");
    }
    return findings.all.damages.empty() ? 0 : 1;
}

} // namespace

const Subcommand& verify_command() {
    static const Subcommand subcommand{
        .name = "data verify",
        .summary = "reads every chunk of HDF5 files, and names what is damaged",
        .usage = "[options] FILE…",
        .examples = {{"muster data verify train.h5", "with all its shards"},
                     {"muster data verify --clean train.h5",
                      "and remove what interrupted writers left beside it"},
                     {"muster data verify --json train.h5 | jq -r '.damages[].file'",
                      "for programs"}},
        .description = "Decodes all chunks of all datasets, and those of the files that virtual "
                       "datasets refer to. "
                       "A damage is a file that is missing, cut off or no HDF5 file, a chunk with "
                       "another checksum "
                       "than was written, one that cannot be decompressed, or rows that no file "
                       "has: HDF5 would read "
                       "those as zeros without a word. Bytes that have changed show only in chunks "
                       "with a checksum "
                       "(--checksum of muster data convert and reshard) or compression.\n\n"
                       "What writers left that were interrupted is named, too. --clean removes it: "
                       "do not, while "
                       "one is at work.",
        .exit_codes = {{"0", "all can be read"},
                       {"1", "a damage"},
                       {"2", "a command line that cannot be used"}},
        .words = Words::anywhere,
        .add_options =
            [](po::options_description& options) {
                options.add_options()                                                         //
                    ("clean", po::bool_switch(), "remove what interrupted writers have left") //
                    ("json", po::bool_switch(), "as JSON");
            },
        .run = &run};
    return subcommand;
}

} // namespace muster::launcher::data
