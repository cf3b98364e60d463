#include <muster/base/parse.hpp>
#include <muster/look/task_name.hpp>

#include <fmt/format.h>

#include <cstdint>

namespace muster::look {

std::string task_name(TaskId task) {
    return fmt::format("{}:{}", index(owner_of(task)), sequence_of(task));
}

std::optional<TaskId> parse_task_name(std::string_view name) {
    const auto colon = name.find(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    const auto owner = parse_whole<std::uint32_t>(name.substr(0, colon));
    const auto sequence = parse_whole<std::uint64_t>(name.substr(colon + 1));
    if (!owner || *owner >= static_cast<std::uint32_t>(world_size_max) || !sequence ||
        *sequence > sequence_mask) {
        return std::nullopt;
    }
    return make_object_id(Rank{static_cast<std::int32_t>(*owner)}, *sequence);
}

} // namespace muster::look
