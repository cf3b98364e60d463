#include "transport/contract.hpp"
#include "transport/mpi.hpp"
#include "transport/mpi_world.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace muster::transport::contract {
namespace {

constexpr int skipped = 77; // as CTest knows it

int run(int argc, char** argv) {
    const auto transport = start_mpi({.argc = &argc, .argv = &argv});

    // Every rank must decide alike.
    const std::size_t own = memory_available_bytes();
    std::size_t least = own;
    for (const auto& bytes : transport->all_gather(std::as_bytes(std::span(&own, 1)))) {
        std::size_t other = 0;
        std::memcpy(&other, bytes.data(), sizeof other);
        least = std::min(least, other);
    }
    int code = skipped;
    if (least < huge_bulk_bytes_needed) {
        const std::string why = fmt::format(
            "skipped: needs {} bytes of free memory, has {}\n", huge_bulk_bytes_needed, least);
        std::fputs(why.c_str(), stderr);
    } else {
        code = report(*transport, run_on_ranks(*transport, {huge_bulk()}));
    }
    transport->close(true);
    return code;
}

} // namespace
} // namespace muster::transport::contract

int main(int argc, char** argv) {
    return muster::transport::contract::run(argc, argv);
}
