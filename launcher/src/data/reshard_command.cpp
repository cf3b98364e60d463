#include "data/commands.hpp"
#include "data/output.hpp"
#include "data/row_source.hpp"

#include <muster/base/error.hpp>
#include <muster/data/inspect.hpp>

namespace muster::launcher::data {
namespace {

int run(const Arguments& arguments) {
    if (arguments.words.size() < 2) {
        throw UsageError("name what to read and what to write: muster data reshard a.h5 b.h5 "
                         "--shards 8");
    }
    OutputOptions output = output_options(arguments, arguments.words.back());
    const std::vector<std::string> columns = arguments.has("column")
                                                 ? arguments.get<std::vector<std::string>>("column")
                                                 : std::vector<std::string>{};
    std::vector<std::unique_ptr<RowSource>> sources;
    const std::vector<std::string> names(arguments.words.begin(), arguments.words.end() - 1);
    for (const std::string& name : names) {
        sources.push_back(open_table(name, columns));
    }
    output.attributes = muster::data::inspect(names.front()).attributes;
    std::erase_if(output.attributes, [](const muster::data::Attribute& attribute) {
        return muster::data::ties_datasets(attribute.name);
    });
    write_table(*one_after_the_other(std::move(sources), names), output);
    return 0;
}

void add_options(po::options_description& options) {
    options.add_options()("column,c",
                          po::value<std::vector<std::string>>()->value_name("NAME"),
                          "take this column; all otherwise");
    add_output_options(options);
}

} // namespace

const Subcommand& reshard_command() {
    static const Subcommand subcommand{
        .name = "data reshard",
        .summary = "writes an HDF5 table anew: other files, chunks or compression",
        .usage = "[options] INPUT… OUTPUT",
        .examples =
            {{"muster data reshard train.h5 sharded.h5 --shards 64",
              "64 files of equal size that are read as one"},
             {"muster data reshard a.h5 b.h5 both.h5", "one file of two, row after row"},
             {"muster data reshard train.h5 fast.h5 --chunk-rows 64 --compress none",
              "small chunks for reading in random order"},
             {"muster data reshard -f train.h5 train.h5 --compress deflate --shuffle --checksum",
              "smaller, in place: readers have the old one until the new one is complete"}},
        .description =
            "Copies all columns, a few MiB at a time, with their attributes and those of the first "
            "file. What no option says "
            "anything about stays as it is: chunks, compression. Inputs follow one another, row "
            "after "
            "row, and need the same columns.\n\n"
            "The output appears under its name when it is complete, and not before. With --shards "
            "or "
            "--shard-rows it is a small file that refers to those in OUTPUT.shards: take both "
            "along.",
        .exit_codes = {{"0", "written"},
                       {"1", "an input cannot be read, or the output not be written"},
                       {"2", "a command line that cannot be used"}},
        .words = Words::anywhere,
        .add_options = &add_options,
        .run = &run};
    return subcommand;
}

} // namespace muster::launcher::data
