#include "compare.hpp"

#include <muster/base/error.hpp>
#include <muster/base/random.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <span>

namespace muster::train {
namespace {

std::uint64_t digest(const std::string& text) {
    std::uint64_t state = mix64(text.size() + 1);
    for (const char c : text) {
        state = mix64(state + static_cast<unsigned char>(c));
    }
    return state;
}

/// What that member has in that place.
std::string item_of(Communicator& communicator,
                    const std::vector<std::string>& items,
                    std::size_t place,
                    int member) {
    std::string text = place < items.size() ? items[place] : "nothing";
    std::uint64_t size = text.size();
    communicator.broadcast(std::span(&size, 1), member);
    text.resize(size);
    communicator.broadcast(std::span<char>(text), member);
    return text;
}

} // namespace

void compare_members(Communicator& communicator, const std::vector<std::string>& items) {
    const auto members = static_cast<std::size_t>(communicator.size());
    std::uint64_t count = items.size();
    communicator.all_reduce(std::span(&count, 1), ReduceOp::max);
    std::vector<std::uint64_t> mine(count); // 0: nothing
    std::transform(items.begin(), items.end(), mine.begin(), digest);
    std::vector<std::uint64_t> all(count * members);
    communicator.all_gather(std::span<const std::uint64_t>(mine), std::span(all));
    for (std::size_t place = 0; place < count; ++place) {
        std::vector<int> others;
        for (std::size_t member = 1; member < members; ++member) {
            if (all[member * count + place] != all[place]) {
                others.push_back(static_cast<int>(member));
            }
        }
        if (others.empty()) {
            continue;
        }
        const std::string first = item_of(communicator, items, place, 0);
        const std::string other = item_of(communicator, items, place, others.front());
        throw UsageError(fmt::format(
            "the members' modules differ: member 0 has {}, where member {} has {}{}; all must make "
            "the same module",
            first,
            others.front(),
            other,
            others.size() == 1
                ? ""
                : fmt::format(" (other than member 0's on members {})", fmt::join(others, ", "))));
    }
}

} // namespace muster::train
