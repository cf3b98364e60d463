#include "data/output.hpp"

#include "cli/digits.hpp"
#include "data/sizes.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>

namespace muster::launcher::data {
namespace {

using muster::data::Codec;
using muster::data::Compression;

constexpr std::uint64_t batch_bytes = std::uint64_t{4} << 20U;
constexpr std::uint64_t text_bytes = 64; // guessed of one of any length
constexpr std::uint64_t shards_max = 1'000'000;

Codec codec_of(const std::string& name) {
    for (const Codec codec : {Codec::none, Codec::deflate, Codec::lz4, Codec::zstd, Codec::blosc}) {
        if (muster::data::to_string(codec) == name) {
            return codec;
        }
    }
    throw UsageError(
        fmt::format("--compress: '{}' is none of none, deflate, lz4, zstd and blosc", name));
}

std::optional<std::uint64_t> positive(const Arguments& arguments, const std::string& name) {
    if (!arguments.has(name)) {
        return std::nullopt;
    }
    const auto value = arguments.get<std::int64_t>(name);
    if (value <= 0) {
        throw UsageError(fmt::format("--{} {}: it must be at least 1", name, value));
    }
    return static_cast<std::uint64_t>(value);
}

/// Rows that are copied at once.
std::uint64_t batch_rows(const std::vector<NewColumn>& columns) {
    std::uint64_t bytes = 0;
    for (const NewColumn& column : columns) {
        bytes += column.row_elements() *
                 std::max<std::uint64_t>(
                     column.element_bytes(),
                     column.type == muster::data::ElementType::string ? text_bytes : 1);
    }
    return std::max<std::uint64_t>(batch_bytes / bytes, 1);
}

/// The next `rows` rows into one writer.
template <class Writer>
void copy(RowSource& source, Writer& writer, std::uint64_t rows, std::uint64_t batch) {
    while (rows > 0) {
        const std::uint64_t count = std::min(rows, batch);
        writer.append(source.next(count));
        rows -= count;
    }
}

std::uint64_t total_bytes(const std::filesystem::path& folder,
                          const std::vector<muster::data::ShardSummary>& shards) {
    std::error_code error;
    std::uint64_t bytes = std::filesystem::file_size(folder, error);
    for (const auto& shard : shards) {
        bytes += shard.file_bytes;
    }
    return bytes;
}

} // namespace

void add_output_options(po::options_description& options) {
    options.add_options() //
        ("shards",
         po::value<std::int64_t>()->value_name("N"),
         "write so many files of equal size") //
        ("shard-rows",
         po::value<std::int64_t>()->value_name("N"),
         "write files of so many rows") //
        ("chunk-rows",
         po::value<std::int64_t>()->value_name("N"),
         "rows in a chunk, what is read and decoded at once") //
        ("compress",
         po::value<std::string>()->value_name("none|deflate|lz4|zstd|blosc"),
         "how chunks are compressed; all but deflate need a plugin of HDF5") //
        ("level",
         po::value<int>()->value_name("N"),
         "of the compression: more takes longer and less room") //
        ("shuffle",
         po::bool_switch(),
         "sort the bytes of values before compression: often much smaller")                    //
        ("checksum", po::bool_switch(), "keep a checksum of each chunk, which reading checks") //
        ("force,f", po::bool_switch(), "replace what is there");
}

OutputOptions output_options(const Arguments& arguments, const std::string& path) {
    OutputOptions options;
    options.path = path;
    options.shards = positive(arguments, "shards");
    options.shard_rows = positive(arguments, "shard-rows");
    if (options.shards && options.shard_rows) {
        throw UsageError("--shards and --shard-rows both say how many files there are; give one");
    }
    if (options.shards && *options.shards > shards_max) {
        throw UsageError(fmt::format("--shards {}: more than {} files are no help",
                                     *options.shards,
                                     grouped_digits(shards_max)));
    }
    options.chunk_rows = positive(arguments, "chunk-rows");
    options.replace = arguments.is_set("force");
    std::error_code error;
    if (!options.replace && std::filesystem::exists(path, error)) { // before anything is read
        throw Error(fmt::format("'{}' exists; --force replaces it", path));
    }
    const bool has_codec = arguments.has("compress");
    const bool is_any = has_codec || arguments.is_set("shuffle") || arguments.is_set("checksum");
    if (arguments.has("level") && !has_codec) {
        throw UsageError("--level is of the compression: give --compress too");
    }
    if (is_any) {
        Compression compression;
        compression.codec =
            has_codec ? codec_of(arguments.get<std::string>("compress")) : Codec::none;
        if (arguments.has("level")) {
            compression.level = arguments.get<int>("level");
        }
        compression.shuffle = arguments.is_set("shuffle");
        compression.fletcher32 = arguments.is_set("checksum");
        options.compression = compression;
    }
    return options;
}

void write_table(RowSource& source, const OutputOptions& options) {
    std::vector<NewColumn> columns = source.columns();
    for (NewColumn& column : columns) {
        column.chunk_rows = options.chunk_rows.value_or(column.chunk_rows);
        if (column.type != muster::data::ElementType::string) {
            column.compression = options.compression.value_or(column.compression);
        }
    }
    const std::uint64_t rows = source.rows();
    const std::uint64_t batch = batch_rows(columns);
    const muster::data::WriteOptions write_options{options.replace, options.attributes};
    std::uint64_t files = 1;
    std::uint64_t bytes = 0;
    if (!options.shards && !options.shard_rows) {
        muster::data::FileWriter writer(options.path, columns, write_options);
        copy(source, writer, rows, batch);
        writer.finish();
        bytes = total_bytes(options.path, {});
    } else {
        files = options.shards.value_or(0);
        if (options.shard_rows) {
            files =
                std::max<std::uint64_t>((rows + *options.shard_rows - 1) / *options.shard_rows, 1);
        }
        if (files > shards_max) {
            throw UsageError(
                fmt::format("--shard-rows {}: {} rows would be {} files; take more rows",
                            *options.shard_rows,
                            grouped_digits(rows),
                            grouped_digits(files)));
        }
        std::vector<muster::data::ShardSummary> summaries;
        std::uint64_t done = 0;
        for (std::uint64_t shard = 0; shard < files; ++shard) {
            // The first ones have a row more where it does not come out even.
            const std::uint64_t count = options.shard_rows
                                            ? std::min(*options.shard_rows, rows - done)
                                            : rows / files + (shard < rows % files ? 1 : 0);
            muster::data::ShardWriter writer(
                options.path, static_cast<std::uint32_t>(shard), columns, write_options);
            copy(source, writer, count, batch);
            summaries.push_back(writer.finish());
            done += count;
        }
        muster::data::commit(options.path, summaries, write_options);
        bytes = total_bytes(options.path, summaries);
    }
    std::cout << fmt::format("{}: {} rows, {} column{}{}, {}\n",
                             options.path.string(),
                             grouped_digits(rows),
                             columns.size(),
                             columns.size() == 1 ? "" : "s",
                             options.shards || options.shard_rows
                                 ? fmt::format(", {} shard{}", files, files == 1 ? "" : "s")
                                 : "",
                             size_text(bytes));
    const std::uint64_t rows_per_file = (rows + files - 1) / files;
    for (const NewColumn& column : columns) {
        const auto choice = muster::data::choose_chunk(column);
        if (column.chunk_rows == 0 && rows_per_file >= choice.rows) {
            std::cout << fmt::format("    {}: chunks of {}\n", column.name, choice.reason);
        }
        if (column.type == muster::data::ElementType::string && options.compression) {
            std::cout << fmt::format(
                "    {}: text of any length is kept outside of chunks, and is not "
                "compressed\n",
                column.name);
        }
    }
    std::cout << std::flush;
    if (!std::cout) {
        throw Error("standard output cannot be written");
    }
}

} // namespace muster::launcher::data
