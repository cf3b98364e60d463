// Pipelines over blocks, and what one thread does with the same bytes by hand: beside each other,
// in the same process.

#include "image_file.hpp"
#include "report.hpp"

#include <muster/base/random.hpp>
#include <muster/core/muster.hpp>
#include <muster/pipeline/pipeline.hpp>

#include <boost/program_options.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace po = boost::program_options;
namespace data = muster::data;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
constexpr double giga = 1e9;
constexpr double mega = 1e6;

struct Sizes {
    int repetitions = 5;
    std::uint64_t map_bytes = 1024 * mebibyte;
    std::uint64_t images = 60'000;
    std::uint64_t group_rows = 20'000'000;
    std::uint64_t sort_bytes = 4096 * mebibyte;
    std::uint64_t sort_memory = 1024 * mebibyte;
};

constexpr Sizes quick_sizes{.repetitions = 1,
                            .map_bytes = 4 * mebibyte,
                            .images = 600,
                            .group_rows = 20'000,
                            .sort_bytes = 4 * mebibyte,
                            .sort_memory = mebibyte};

constexpr std::uint64_t tensor = 1024;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

void expect(bool is_right, const char* what) {
    if (!is_right) {
        throw std::runtime_error(what);
    }
}

void add_one(std::span<const std::int64_t> in, std::span<std::int64_t> out) {
    for (std::size_t i = 0; i < in.size(); ++i) {
        out[i] = in[i] + 1;
    }
}

data::Block plus_one(const data::Block& in) {
    data::NewBlock out(in.fields(), in.rows());
    add_one(in.column<std::int64_t>("data"), out.column<std::int64_t>("data"));
    return std::move(out).finish();
}

void map_batches(const Sizes& sizes, const std::string&, bench::Report& report) {
    constexpr std::uint64_t rows = 1024; // 8 MiB
    std::vector<data::Block> blocks;
    for (std::uint64_t at = 0; at < sizes.map_bytes; at += rows * tensor * 8) {
        data::NewBlock block({{"data", data::ValueType::int64, {tensor}}}, rows);
        std::ranges::fill(block.column<std::int64_t>("data"), 1);
        blocks.push_back(std::move(block).finish());
    }
    const double bytes = static_cast<double>(blocks.size() * rows * tensor * 8);
    std::vector<std::int64_t> out(rows * tensor);
    const auto stored = data::from_blocks(blocks);
    for (int i = -1; i < sizes.repetitions; ++i) { // the first one gets the pages
        auto begin = Clock::now();
        for (const auto& block : blocks) {
            add_one(block.column<std::int64_t>("data"), out);
            expect(out.back() == 2, "the loop made something else");
        }
        const double by_hand = bytes / seconds_since(begin) / giga;
        begin = Clock::now();
        for (const auto& block : stored.map_batches<&plus_one>().iter_blocks()) {
            expect(block.column<std::int64_t>("data").back() == 2,
                   "map_batches made something else");
        }
        const double mapped = bytes / seconds_since(begin) / giga;
        if (i >= 0) {
            report.add("map_batches.by_hand", "GB/s", by_hand);
            report.add("map_batches", "GB/s", mapped);
            report.add("map_batches.ratio", "x", mapped / by_hand);
        }
    }
}

void shuffle_batches(const Sizes& sizes, const std::string& directory, bench::Report& report) {
    const bench::ImageFile file(directory, sizes.images, bench::ImageStorage::contiguous);
    for (int i = -1; i < sizes.repetitions; ++i) {
        const auto begin = Clock::now();
        std::uint64_t rows = 0;
        for (const auto& batch : data::read(file.path())
                                     .random_shuffle(static_cast<std::uint64_t>(i + 2))
                                     .iter_batches(256)) {
            rows += batch.rows();
        }
        const double seconds = seconds_since(begin);
        expect(rows == sizes.images, "rows are missing");
        if (i >= 0) {
            report.add("shuffle_batches", "samples/s", static_cast<double>(rows) / seconds);
        }
    }
}

/// Sums of as many parts as the processor adds at once, of what pread brings.
double mean_by_hand(const bench::ImageFile& file, std::uint64_t bytes) {
    typedef double Sum __attribute__((vector_size(32)));
    typedef float Part __attribute__((vector_size(16)));
    const int fd = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
    std::vector<float> buffer(2 * mebibyte);
    Sum sums[8] = {};
    for (std::uint64_t at = 0; at < bytes;) {
        const auto got = ::pread(fd,
                                 buffer.data(),
                                 std::min<std::uint64_t>(buffer.size() * 4, bytes - at),
                                 static_cast<off_t>(file.offset() + at));
        expect(got > 0, "cannot read the file of images");
        const auto count = static_cast<std::size_t>(got) / 4;
        for (std::size_t i = 0; i + 32 <= count; i += 32) {
            for (std::size_t lane = 0; lane < 8; ++lane) {
                Part part;
                std::memcpy(&part, buffer.data() + i + lane * 4, sizeof(part));
                sums[lane] += __builtin_convertvector(part, Sum);
            }
        }
        at += static_cast<std::uint64_t>(got);
    }
    ::close(fd);
    double total = 0;
    for (const Sum& sum : sums) {
        total += sum[0] + sum[1] + sum[2] + sum[3];
    }
    return total / static_cast<double>(bytes / 4);
}

void mean(const Sizes& sizes, const std::string& directory, bench::Report& report) {
    const bench::ImageFile file(directory, sizes.images, bench::ImageStorage::contiguous);
    const std::uint64_t bytes = sizes.images * bench::image_values * sizeof(float);
    for (int i = -1; i < sizes.repetitions; ++i) {
        auto begin = Clock::now();
        const double expected = mean_by_hand(file, bytes);
        const double by_hand = static_cast<double>(bytes) / seconds_since(begin) / giga;
        begin = Clock::now();
        const double found =
            data::read(file.path()).aggregate({data::mean("x")}).column<double>("mean(x)")[0];
        const double pipeline = static_cast<double>(bytes) / seconds_since(begin) / giga;
        expect(std::abs(found - expected) < 1e-6, "the mean is another one");
        if (i >= 0) {
            report.add("mean.by_hand", "GB/s", by_hand);
            report.add("mean", "GB/s", pipeline);
            report.add("mean.ratio", "x", pipeline / by_hand);
        }
    }
}

/// 1000 keys and a number each: what a file of measurements looks like.
data::Block make_measurements(const data::Block& ids) {
    data::NewBlock out(
        {{"key", data::ValueType::int64, {}}, {"value", data::ValueType::float64, {}}}, ids.rows());
    const auto id = ids.column<std::int64_t>("id");
    const auto key = out.column<std::int64_t>("key");
    const auto value = out.column<double>("value");
    for (std::size_t i = 0; i < id.size(); ++i) {
        const std::uint64_t mixed = muster::mix64(static_cast<std::uint64_t>(id[i]));
        key[i] = static_cast<std::int64_t>(mixed % 1000);
        value[i] = static_cast<double>(mixed >> 40);
    }
    return std::move(out).finish();
}

void group_by(const Sizes& sizes, const std::string&, bench::Report& report) {
    const auto rows = data::range(static_cast<std::int64_t>(sizes.group_rows))
                          .map_batches<&make_measurements>()
                          .materialize();
    for (int i = -1; i < sizes.repetitions; ++i) {
        const auto begin = Clock::now();
        const auto groups = rows.group_by("key")
                                .aggregate({data::count(), data::mean("value"), data::max("value")})
                                .take(2000);
        const double seconds = seconds_since(begin);
        expect(groups.rows() == std::min<std::uint64_t>(1000, sizes.group_rows),
               "groups are missing");
        if (i >= 0) {
            report.add(
                "group_by", "Mrows/s", static_cast<double>(sizes.group_rows) / seconds / mega);
        }
    }
}

data::Block make_random(const data::Block& ids) {
    data::NewBlock out(ids.fields(), ids.rows());
    const auto id = ids.column<std::int64_t>("id");
    const auto key = out.column<std::int64_t>("id");
    for (std::size_t i = 0; i < id.size(); ++i) {
        key[i] = static_cast<std::int64_t>(muster::mix64(static_cast<std::uint64_t>(id[i])) >> 1);
    }
    return std::move(out).finish();
}

void sort(const Sizes& sizes, const std::string&, bench::Report& report) {
    const std::uint64_t rows = sizes.sort_bytes / 8;
    const auto begin = Clock::now();
    auto run = data::range(static_cast<std::int64_t>(rows))
                   .with({.memory_bytes = sizes.sort_memory / 2, .block_bytes = 16 * mebibyte})
                   .map_batches<&make_random>()
                   .sort({"id"})
                   .iter_blocks();
    std::int64_t before = -1;
    std::uint64_t count = 0;
    while (const auto block = run.next()) {
        const auto keys = block->column<std::int64_t>("id");
        expect(before <= keys.front() && keys.front() <= keys.back(), "rows are out of order");
        before = keys.back();
        count += keys.size();
    }
    const double seconds = seconds_since(begin);
    expect(count == rows, "rows are missing");
    report.add("sort", "Mrows/s", static_cast<double>(rows) / seconds / mega);
    report.add("sort.bytes", "GB/s", static_cast<double>(sizes.sort_bytes) / seconds / giga);
}

} // namespace

int main(int argc, char** argv) {
    Sizes sizes;
    std::string only = "map_batches";
    std::string directory = "/tmp";
    po::options_description options("Options");
    options.add_options()("help", "print this")("quick", "tiny sizes: does it work at all?")(
        "only", po::value(&only), "map_batches (default), shuffle_batches, mean, group_by, sort")(
        "repetitions", po::value(&sizes.repetitions), "of each but sort (default 5)")(
        "sort-bytes", po::value(&sizes.sort_bytes), "(default 4 GiB)")(
        "sort-memory", po::value(&sizes.sort_memory), "that sort has for values (default 1 GiB)")(
        "directory", po::value(&directory), "for files and to spill to (default /tmp)");
    po::variables_map values;
    const std::map<std::string,
                   std::function<void(const Sizes&, const std::string&, bench::Report&)>>
        measures{{"map_batches", map_batches},
                 {"shuffle_batches", shuffle_batches},
                 {"mean", mean},
                 {"group_by", group_by},
                 {"sort", sort}};
    try {
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
    } catch (const po::error& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 2;
    }
    if (values.contains("help")) {
        std::cout << "Usage: bench_pipeline [options]\n" << options;
        return 0;
    }
    if (!measures.contains(only)) {
        std::cerr << "error: --only " << only << ": there is no such measure; see --help\n";
        return 2;
    }
    if (values.contains("quick")) {
        sizes = quick_sizes;
    }
    if (only == "sort") {
        setenv("MUSTER_OBJECT_MEMORY", (std::to_string(sizes.sort_memory) + "B").c_str(), 1);
        setenv("MUSTER_SPILL_DIRECTORY", directory.c_str(), 1);
    }
    return muster::run(argc, argv, [&] {
        bench::Report report;
        bench::describe_machine(report);
        measures.at(only)(sizes, directory, report);
        report.print();
    });
}
