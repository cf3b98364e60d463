// Programs whose values take more room than there is: what one does is its first argument.

#include <muster/core/muster.hpp>

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

// With their count in front they take a mebibyte.
constexpr std::size_t elements = mebibyte - 64;

using Bytes = std::vector<std::uint8_t>;

Bytes make(int number) {
    return Bytes(elements, static_cast<std::uint8_t>(number));
}

bool is_right(std::span<const std::uint8_t> bytes, int number) {
    if (bytes.size() != elements) {
        return false;
    }
    for (const std::uint8_t byte : bytes) {
        if (byte != static_cast<std::uint8_t>(number)) {
            return false;
        }
    }
    return true;
}

/// What this process's files without a name hold: those of values in memory, or those on a disk.
std::uint64_t held_bytes(bool in_memory) {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code error;
        const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
        const bool is_shared = target.find("memfd:muster-values") != std::string::npos;
        const bool is_on_disk = target.rfind("/memfd:", 0) != 0 && target.rfind("/dev/", 0) != 0;

        struct stat status {};

        if ((in_memory ? is_shared : is_on_disk) && ::stat(entry.path().c_str(), &status) == 0 &&
            S_ISREG(status.st_mode) && status.st_nlink == 0) {
            bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
        }
    }
    return bytes;
}

int last_rank() {
    return muster::cluster().ranks - 1;
}

/// 24 values of each of two ranks, read everywhere.
void spill() {
    std::vector<muster::Future<Bytes>> values;
    for (int i = 0; i < 24; ++i) {
        values.push_back(muster::put(make(i)));
    }
    for (int i = 24; i < 48; ++i) {
        values.push_back(muster::task<&make>.with({.placement = muster::on_rank(last_rank())})(i));
    }
    int right = 0;
    for (int rank = 0; rank <= last_rank(); ++rank) {
        std::vector<muster::Future<bool>> seen;
        for (int i = 0; i < 48; ++i) {
            seen.push_back(muster::task<&is_right>.with({.placement = muster::on_rank(rank)})(
                values[static_cast<std::size_t>(i)], i));
        }
        for (const auto& one : seen) {
            right += one.get() ? 1 : 0;
        }
    }
    std::cout << "right " << right << " of " << 48 * (last_rank() + 1) << '\n';
    const auto memory =
        muster::task<&held_bytes>.with({.placement = muster::on_rank(last_rank())})(true);
    const auto disk =
        muster::task<&held_bytes>.with({.placement = muster::on_rank(last_rank())})(false);
    std::cout << "memory " << memory.get() / mebibyte << " MiB, disk "
              << (disk.get() >= 22 * mebibyte ? "the rest" : "too little") << std::endl;
}

/// Each value is consumed where it is made, one CPU each: who waits for room must not keep it.
void run_ahead() {
    const muster::TaskOptions there{.placement = muster::on_rank(last_rank())};
    std::vector<muster::Future<bool>> seen;
    for (int i = 0; i < 60; ++i) {
        seen.push_back(muster::task<&is_right>.with(there)(muster::task<&make>.with(there)(i), i));
    }
    int right = 0;
    for (const auto& one : seen) {
        right += one.get() ? 1 : 0;
    }
    std::cout << "right " << right << '\n';
}

void fill() {
    std::vector<muster::Future<Bytes>> values;
    for (int i = 0;; ++i) {
        values.push_back(muster::put(make(i)));
    }
}

void fill_from_task() {
    std::vector<muster::Future<Bytes>> values;
    for (int i = 0; i < 20; ++i) {
        values.push_back(muster::task<&make>.with({.placement = muster::on_rank(last_rank())})(i));
    }
    for (const auto& value : values) {
        (void)muster::wait(std::vector{value});
    }
    for (const auto& value : values) {
        (void)value.get();
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string what = argc > 1 ? argv[1] : "spill";
    return muster::run(argc, argv, [&] {
        if (what == "spill") {
            spill();
        } else if (what == "run-ahead") {
            run_ahead();
        } else if (what == "fill") {
            fill();
        } else if (what == "fill-from-task") {
            fill_from_task();
        } else if (what == "too-large") {
            (void)muster::put(Bytes(64 * mebibyte, 1));
        }
    });
}
