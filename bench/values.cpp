// Large values: stored, read where they lie, passed on, moved between ranks, and more of them than
// memory may hold. What memory and disk alone do is measured beside them, in the same process.

#include "report.hpp"

#include <muster/core/muster.hpp>

#include <boost/program_options.hpp>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace po = boost::program_options;
using Clock = std::chrono::steady_clock;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
constexpr double micro = 1e-6;
constexpr double giga = 1e9;

struct Sizes {
    int repetitions = 10;
    std::uint64_t large_bytes = 100 * mebibyte;
    int small_rounds = 2'000;
    std::uint64_t spilled_bytes = 4096 * mebibyte;
    std::uint64_t part_bytes = 64 * mebibyte;
};

constexpr Sizes quick_sizes{.repetitions = 1,
                            .large_bytes = mebibyte,
                            .small_rounds = 20,
                            .spilled_bytes = 8 * mebibyte,
                            .part_bytes = mebibyte};

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::uint64_t ends_of(std::span<const std::uint8_t> bytes) {
    return bytes.front() + std::uint64_t{bytes.back()};
}

muster::Placement elsewhere() {
    return muster::on_rank(muster::cluster().ranks - 1);
}

/// The ceiling over put(): one copy into shared memory that is there already.
void copy(const Sizes& sizes, bench::Report& report) {
    const Bytes source(sizes.large_bytes, 1);
    const int fd = memfd_create("bench", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, static_cast<off_t>(sizes.large_bytes)) != 0) {
        throw std::runtime_error("cannot make shared memory");
    }
    void* const memory =
        mmap(nullptr, sizes.large_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (int i = -1; i < sizes.repetitions; ++i) { // the first one gets the pages
        const auto begin = Clock::now();
        std::memcpy(memory, source.data(), source.size());
        if (i >= 0) {
            report.add("memory.copy",
                       "GB/s",
                       static_cast<double>(sizes.large_bytes) / seconds_since(begin) / giga);
        }
    }
    munmap(memory, sizes.large_bytes);
    ::close(fd);
}

void in_place(const Sizes& sizes, bench::Report& report) {
    const Bytes bytes(sizes.large_bytes, 1);
    const auto read = muster::task<&ends_of>.with({.placement = elsewhere()});
    for (int i = -2; i < sizes.repetitions; ++i) {
        const auto add = [&](const char* name, const char* unit, double value) {
            if (i >= 0) {
                report.add(name, unit, value);
            }
        };
        auto begin = Clock::now();
        const auto stored = muster::put(bytes);
        add("value.put",
            "GB/s",
            static_cast<double>(sizes.large_bytes) / seconds_since(begin) / giga);
        begin = Clock::now();
        const auto view = stored.view();
        add("value.view", "us", seconds_since(begin) / micro);
        if (view.size() != bytes.size()) {
            throw std::runtime_error("the view is of another size");
        }
        begin = Clock::now();
        (void)read(stored).get();
        add("value.read.first", "us", seconds_since(begin) / micro);
        begin = Clock::now();
        (void)read(stored).get();
        add("value.read.again", "us", seconds_since(begin) / micro);
    }
}

void small(const Sizes& sizes, bench::Report& report) {
    const Bytes bytes(1024, 1);
    for (int repetition = 0; repetition < sizes.repetitions; ++repetition) {
        const auto begin = Clock::now();
        for (int i = 0; i < sizes.small_rounds; ++i) {
            if (muster::put(bytes).get().size() != bytes.size()) {
                throw std::runtime_error("the value is of another size");
            }
        }
        report.add("value.small", "us", seconds_since(begin) / micro / sizes.small_rounds);
    }
}

/// As between nodes: nothing is shared.
void sent(const Sizes& sizes, bench::Report& report) {
    const Bytes bytes(sizes.large_bytes, 1);
    const auto read = muster::task<&ends_of>.with({.placement = elsewhere()});
    for (int i = -2; i < sizes.repetitions; ++i) {
        const auto stored = muster::put(bytes);
        const auto begin = Clock::now();
        (void)read(stored).get();
        if (i >= 0) {
            report.add("value.sent",
                       "GB/s",
                       static_cast<double>(sizes.large_bytes) / seconds_since(begin) / giga);
        }
    }
}

std::uint64_t sum_of_pages(std::span<const std::uint8_t> bytes) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 4096) {
        sum += bytes[i];
    }
    return sum;
}

/// What the disk does with as many bytes: written in blocks, and read again.
double disk_seconds(const Sizes& sizes, const std::string& directory) {
    const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        throw std::runtime_error("cannot make a file in " + directory);
    }
    Bytes block(mebibyte, 1);
    const auto begin = Clock::now();
    bool done = true;
    for (std::uint64_t at = 0; at < sizes.spilled_bytes; at += mebibyte) {
        done = ::write(fd, block.data(), mebibyte) == static_cast<ssize_t>(mebibyte) && done;
    }
    for (std::uint64_t at = 0; at < sizes.spilled_bytes; at += mebibyte) {
        done = ::pread(fd, block.data(), mebibyte, static_cast<off_t>(at)) ==
                   static_cast<ssize_t>(mebibyte) &&
               done;
    }
    const double seconds = seconds_since(begin);
    ::close(fd);
    if (!done) {
        throw std::runtime_error("cannot write to " + directory);
    }
    return seconds;
}

void spilled(const Sizes& sizes, const std::string& directory, bench::Report& report) {
    const double total = static_cast<double>(sizes.spilled_bytes);
    report.add("disk.write_and_read", "GB/s", total / disk_seconds(sizes, directory) / giga);
    const auto begin = Clock::now();
    std::vector<muster::Future<Bytes>> parts;
    Bytes part(sizes.part_bytes);
    std::uint64_t expected = 0;
    for (std::uint64_t at = 0; at < sizes.spilled_bytes; at += sizes.part_bytes) {
        std::memset(part.data(), static_cast<int>(parts.size() % 251), part.size());
        expected += parts.size() % 251 * (sizes.part_bytes / 4096);
        parts.push_back(muster::put(part));
    }
    std::uint64_t sum = 0;
    for (const auto& stored : parts) {
        sum += sum_of_pages(stored.view());
    }
    report.add("value.spilled", "GB/s", total / seconds_since(begin) / giga);
    if (sum != expected) {
        throw std::runtime_error("what was read is not what was stored");
    }
}

} // namespace

int main(int argc, char** argv) {
    Sizes sizes;
    std::string only;
    std::string directory = "/tmp";
    po::options_description options("Options");
    options.add_options()("help", "print this")("quick", "tiny sizes: does it work at all?")(
        "only", po::value(&only)->default_value("in_place"), "in_place, sent or spilled")(
        "directory", po::value(&directory), "to spill to (default /tmp)");
    po::variables_map values;
    try {
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
    } catch (const po::error& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 2;
    }
    if (values.contains("help")) {
        std::cout << "Usage: bench_values [options]\n" << options;
        return 0;
    }
    if (values.contains("quick")) {
        sizes = quick_sizes;
    }
    if (only == "sent") {
        setenv("MUSTER_OBJECT_MEMORY", "0", 1);
    } else if (only == "spilled") {
        setenv("MUSTER_OBJECT_MEMORY", (std::to_string(sizes.spilled_bytes / 4) + "B").c_str(), 1);
        setenv("MUSTER_SPILL_DIRECTORY", directory.c_str(), 1);
    }
    return muster::run(argc, argv, [&] {
        bench::Report report;
        bench::describe_machine(report);
        if (only == "sent") {
            sent(sizes, report);
        } else if (only == "spilled") {
            spilled(sizes, directory, report);
        } else {
            copy(sizes, report);
            in_place(sizes, report);
            small(sizes, report);
        }
        report.print();
    });
}
