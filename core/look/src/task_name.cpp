#include <muster/look/task_name.hpp>

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <system_error>

namespace muster::look {
namespace {

template <class T>
bool take_whole(std::string_view text, T& number) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && stopped == end;
}

} // namespace

std::string task_name(TaskId task) {
    return fmt::format("{}:{}", index(owner_of(task)), sequence_of(task));
}

std::optional<TaskId> parse_task_name(std::string_view name) {
    const auto colon = name.find(':');
    std::uint32_t owner = 0;
    std::uint64_t sequence = 0;
    if (colon == std::string_view::npos || !take_whole(name.substr(0, colon), owner) ||
        !take_whole(name.substr(colon + 1), sequence) ||
        owner >= static_cast<std::uint32_t>(world_size_max) || sequence > sequence_mask) {
        return std::nullopt;
    }
    return make_object_id(Rank{static_cast<std::int32_t>(owner)}, sequence);
}

} // namespace muster::look
