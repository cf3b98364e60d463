/// Each task of a step tells its successor where it is, through PMI2: no MPI, no port.

#include <muster/slurm/pmi2.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

namespace {

using muster::slurm::Pmi2;

std::string host_name() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

int ring() {
    auto pmi2 = Pmi2::connect().value_or_throw();
    const std::string own = fmt::format("address.{}", pmi2.rank());
    pmi2.put(own, fmt::format("{} port=100{}, \"quoted\"", host_name(), pmi2.rank()))
        .value_or_throw();
    pmi2.put("long." + own, std::string(Pmi2::value_bytes_max - 100, 'x')).value_or_throw();
    pmi2.fence().value_or_throw();
    const int next = (pmi2.rank() + 1) % pmi2.size();
    const std::string there = pmi2.get(fmt::format("address.{}", next)).value_or_throw();
    const auto length = pmi2.get(fmt::format("long.address.{}", next)).value_or_throw().size();
    const auto mapping = pmi2.step_attribute("PMI_process_mapping").value_or_throw();
    const auto nothing = pmi2.get("nobody");
    const auto bad = pmi2.put("a;b", "c");
    const auto again = Pmi2::connect();
    fmt::print("{} of {}: next is at {}; {} bytes; {}; {}; {}; {}\n",
               pmi2.rank(),
               pmi2.size(),
               there,
               length,
               mapping.value_or("no mapping"),
               nothing ? "found" : nothing.error().message,
               bad ? "taken" : bad.error().message,
               again ? "twice" : again.error().message);
    return 0;
}

} // namespace

int main() {
    try {
        return ring();
    } catch (const std::exception& error) {
        fmt::print(stderr, "pmi2_ring: {}\n", error.what());
        return 1;
    }
}
