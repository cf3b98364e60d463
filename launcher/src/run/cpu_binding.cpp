#include "run/cpu_binding.hpp"

#include "run/lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace muster::launcher::run {
namespace {

/// The CPUs of the place that the rank is dealt to, places in the order in which they come up.
std::vector<int> dealt(const std::vector<Cpu>& cpus, int Cpu::*place, int local_rank) {
    std::vector<int> places;
    for (const Cpu& cpu : cpus) {
        if (std::ranges::find(places, cpu.*place) == places.end()) {
            places.push_back(cpu.*place);
        }
    }
    const int own = places[static_cast<std::size_t>(local_rank) % places.size()];
    std::vector<int> ids;
    for (const Cpu& cpu : cpus) {
        if (cpu.*place == own) {
            ids.push_back(cpu.id);
        }
    }
    return ids;
}

} // namespace

Result<Bind> parse_bind(std::string_view text) {
    static constexpr auto words =
        std::to_array<std::pair<std::string_view, Bind>>({{"none", Bind::none},
                                                          {"share", Bind::share},
                                                          {"core", Bind::core},
                                                          {"socket", Bind::socket},
                                                          {"numa", Bind::numa}});
    for (const auto& [word, bind] : words) {
        if (word == text) {
            return bind;
        }
    }
    return Failure{ErrorCode::usage,
                   fmt::format("--bind is '{}'; use none, share, core, socket or numa", text)};
}

std::vector<int>
cpus_of_rank(Bind bind, const std::vector<Cpu>& cpus, int local_rank, int local_size) {
    if (bind == Bind::none || cpus.empty()) {
        return {};
    }
    switch (bind) {
    case Bind::core:
        return dealt(cpus, &Cpu::core, local_rank);
    case Bind::socket:
        return dealt(cpus, &Cpu::socket, local_rank);
    case Bind::numa:
        return dealt(cpus, &Cpu::numa, local_rank);
    case Bind::share:
    case Bind::none:
        break;
    }
    const auto count = cpus.size();
    const auto rank = static_cast<std::size_t>(local_rank);
    const auto size = static_cast<std::size_t>(std::max(1, local_size));
    if (size >= count) {
        return {cpus[rank % count].id};
    }
    std::vector<int> ids;
    for (std::size_t i = rank * count / size; i < (rank + 1) * count / size; ++i) {
        ids.push_back(cpus[i].id);
    }
    return ids;
}

std::string format_cpus(const std::vector<int>& ids) {
    return format_ranks(std::set<int>(ids.begin(), ids.end()));
}

} // namespace muster::launcher::run
