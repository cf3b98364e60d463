// Shuffled batches from an HDF5 file of 60,000 rows of 784 float32 and their labels: contiguous, in
// chunks of 256 rows, and with gzip. What a gather from memory does, and decompressing every chunk
// once on both cores, are measured beside them, in the same process.

#include "image_file.hpp"
#include "report.hpp"

#include <muster/base/random.hpp>
#include <muster/data/batch_loader.hpp>

#include <boost/program_options.hpp>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace po = boost::program_options;
namespace data = muster::data;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t batch_rows = 256;
constexpr unsigned cores = 2;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

const std::vector<data::ColumnSpec> columns{data::column<float>("x"),
                                            data::column<std::int64_t>("y")};

/// One epoch; @return samples a second.
double epoch(data::BatchLoader& loader) {
    const auto begin = Clock::now();
    std::uint64_t rows = 0;
    std::uint64_t first = 0; // each batch is looked at, as a training loop would
    for (std::uint64_t batch = 0; batch < loader.batches(); ++batch) {
        const auto read = loader.next();
        rows += read->size();
        first += static_cast<std::uint64_t>(read->column<std::int64_t>("y")[0]);
    }
    if (first == 0) {
        throw std::runtime_error("the labels are all 0");
    }
    return static_cast<double>(rows) / seconds_since(begin);
}

void shuffled(const std::filesystem::path& file,
              const std::string& name,
              data::Order order,
              int repetitions,
              bench::Report& report,
              std::uint64_t memory_bytes_max = 512U << 20U) {
    for (int i = 0; i < repetitions; ++i) {
        // A new table each time: nothing decoded is left of the last.
        const data::Table table =
            data::Table::open(file, {.columns = columns, .memory_bytes_max = memory_bytes_max});
        data::BatchLoader loader(table,
                                 columns,
                                 {.batch_size = batch_rows,
                                  .seed = static_cast<std::uint64_t>(i),
                                  .order = order,
                                  .threads = cores});
        report.add(name, "samples/s", epoch(loader));
    }
}

/// The ceiling: the same batches from memory.
void gathered(const std::filesystem::path& file, int repetitions, bench::Report& report) {
    const data::Table table = data::Table::open(file, {.columns = columns});
    const std::uint64_t width = table.column("x").row_elements();
    std::vector<float> all(table.rows() * width);
    table.read_rows("x", 0, table.rows(), std::span(all));
    std::vector<float> batch(batch_rows * width);
    std::vector<std::uint64_t> rows;
    for (int i = 0; i < repetitions; ++i) {
        const data::BatchPlan plan(table.rows(), batch_rows, static_cast<std::uint64_t>(i));
        const auto begin = Clock::now();
        for (std::uint64_t number = 0; number < plan.batches(); ++number) {
            plan.indices(0, number, rows);
            for (std::size_t at = 0; at < rows.size(); ++at) {
                std::memcpy(&batch[at * width], &all[rows[at] * width], width * sizeof(float));
            }
        }
        report.add(
            "loader.memory", "samples/s", static_cast<double>(table.rows()) / seconds_since(begin));
    }
}

/// The floor of the compressed file: zlib over every chunk, once, on all cores.
void inflated(const std::filesystem::path& file, int repetitions, bench::Report& report) {
    const data::Table table = data::Table::open(file, {.columns = columns});
    const std::uint64_t width = table.column("x").row_elements();
    const std::uint64_t chunk_bytes = batch_rows * width * sizeof(float);
    std::vector<std::vector<Bytef>> chunks;
    std::vector<float> values(batch_rows * width);
    for (std::uint64_t first = 0; first < table.rows(); first += batch_rows) {
        const std::uint64_t count = std::min(batch_rows, table.rows() - first);
        table.read_rows("x", first, count, std::span(values).first(count * width));
        chunks.emplace_back(::compressBound(chunk_bytes));
        uLongf size = chunks.back().size();
        constexpr int level = 4;
        if (::compress2(chunks.back().data(),
                        &size,
                        reinterpret_cast<const Bytef*>(values.data()),
                        chunk_bytes,
                        level) != Z_OK) {
            throw std::runtime_error("zlib cannot compress");
        }
        chunks.back().resize(size);
    }
    for (int i = 0; i < repetitions; ++i) {
        const auto begin = Clock::now();
        std::atomic<std::size_t> next{0};
        {
            std::vector<std::jthread> threads;
            for (unsigned thread = 0; thread < cores; ++thread) {
                threads.emplace_back([&] {
                    std::vector<Bytef> out(chunk_bytes);
                    for (std::size_t chunk = next++; chunk < chunks.size(); chunk = next++) {
                        uLongf size = out.size();
                        if (::uncompress(
                                out.data(), &size, chunks[chunk].data(), chunks[chunk].size()) !=
                            Z_OK) {
                            throw std::runtime_error("zlib cannot uncompress");
                        }
                    }
                });
            }
        }
        report.add(
            "loader.zlib", "samples/s", static_cast<double>(table.rows()) / seconds_since(begin));
    }
}

/// A dataset of many small files: until its first batch is there, HDF5 asked once for all before.
void first_batch(const std::filesystem::path& directory,
                 int files,
                 int repetitions,
                 bench::Report& report) {
    const std::filesystem::path folder =
        directory / ("muster-bench-files-" + std::to_string(::getpid()));
    std::filesystem::create_directory(folder);
    {
        constexpr std::uint64_t rows = 32;
        const bench::ImageFile file(folder, rows, bench::ImageStorage::contiguous);
        for (int i = 0; i < files; ++i) {
            std::filesystem::copy_file(file.path(), folder / fmt::format("part-{:06}.h5", i));
        }
    }
    for (int i = -1; i < repetitions; ++i) {
        const auto begin = Clock::now();
        data::BatchLoader loader(
            data::Table::open(folder / "part-*.h5",
                              {.columns = columns, .index_file = folder / "files.index"}),
            columns,
            {.batch_size = batch_rows, .threads = cores});
        if (loader.next()->size() != batch_rows) {
            throw std::runtime_error("the first batch is short");
        }
        report.add(i < 0 ? "first_batch.cold" : "first_batch", "s", seconds_since(begin));
    }
    std::filesystem::remove_all(folder);
}

} // namespace

int main(int argc, char** argv) {
    std::string directory = "/tmp";
    std::string only = "epochs";
    int repetitions = 5;
    po::options_description options("Options");
    options.add_options()("quick", "tiny sizes: does it work at all?")(
        "only", po::value(&only), "epochs (default), first_batch")(
        "directory", po::value(&directory), "for the files (default /tmp)")(
        "repetitions", po::value(&repetitions), "epochs of each (default 5)");
    po::variables_map values;
    try {
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
    } catch (const po::error& error) {
        std::cerr << "error: " << error.what() << '\n' << options;
        return 2;
    }
    const bool quick = values.contains("quick");
    const std::uint64_t rows = quick ? 1'024 : 60'000;
    repetitions = quick ? 1 : repetitions;
    bench::Report report;
    bench::describe_machine(report);
    if (only == "first_batch") {
        first_batch(directory, quick ? 20 : 10'000, repetitions, report);
        report.print();
        return 0;
    }
    const bench::ImageFile contiguous(directory, rows, bench::ImageStorage::contiguous);
    const bench::ImageFile chunked(directory, rows, bench::ImageStorage::chunked);
    const bench::ImageFile gzip(directory, rows, bench::ImageStorage::gzip);
    const auto run = [&](const bench::ImageFile& file, const char* name, data::Order order) {
        shuffled(file.path(), name, order, repetitions, report);
    };
    gathered(contiguous.path(), repetitions, report);
    run(contiguous, "loader.contiguous", data::Order::shuffled);
    run(contiguous, "loader.contiguous.by_block", data::Order::shuffled_by_block);
    // As if it did not fit into memory: each row from the file.
    shuffled(contiguous.path(),
             "loader.contiguous.by_row",
             data::Order::shuffled,
             repetitions,
             report,
             64U << 20U);
    run(chunked, "loader.chunked", data::Order::shuffled);
    run(chunked, "loader.chunked.by_block", data::Order::shuffled_by_block);
    inflated(gzip.path(), repetitions, report);
    run(gzip, "loader.gzip", data::Order::shuffled_by_block);
    run(gzip, "loader.gzip.global", data::Order::shuffled);
    report.print();
    return 0;
}
