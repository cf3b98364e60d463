// Memory for large values, as threads of one rank ask for it.

#include "runtime/rank_client.hpp"

#include <muster/core/error.hpp>

#include <fmt/format.h>

#include <cstring>

namespace muster::runtime {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t large_bytes_min = arena::Arena::large_bytes_min;

// How long a wait for room overlooks that the run has ended.
constexpr auto look_time = 100ms;

} // namespace

std::shared_ptr<std::byte[]> RankClient::allocate_value(std::size_t size) {
    if (config_.values == nullptr || !config_.values->enabled() || size < large_bytes_min) {
        return allocate_bytes(size);
    }
    if (auto memory = config_.values->allocate(size)) {
        return memory;
    }
    return wait_for_room(size);
}

std::shared_ptr<std::byte[]> RankClient::receive_value(std::size_t size) {
    if (config_.values != nullptr && size >= large_bytes_min) {
        if (auto memory = config_.values->allocate(size)) {
            return memory;
        }
    }
    return allocate_bytes(size);
}

Buffer RankClient::share_value(Buffer value) {
    if (config_.values == nullptr || !config_.values->enabled() || value.size() < large_bytes_min ||
        config_.values->place_of(value).has_value()) {
        return value;
    }
    auto memory = allocate_value(value.size());
    std::memcpy(memory.get(), value.bytes().data(), value.size());
    return {std::move(memory), value.size()};
}

void RankClient::free(ObjectId object) {
    post(rank::Event{rank::ValueFreed{object}});
}

wire::RoomStatus RankClient::room() const {
    if (config_.values == nullptr) {
        return {};
    }
    const auto usage = config_.values->usage();
    return {.memory = usage.memory_bytes,
            .memory_max = usage.memory_bytes_max,
            .disk = usage.disk_bytes,
            .disk_max = usage.disk_bytes_max};
}

std::shared_ptr<std::byte[]> RankClient::wait_for_room(std::size_t size) {
    const arena::ValueMemory& values = *config_.values;
    const auto refuse = [&](const std::string& why) {
        const auto usage = values.usage();
        const auto text = [](std::uint64_t bytes) { return to_string(Bytes{bytes}); };
        throw Error(fmt::format("rank {} on {}: no room for a value of {}: values take {} of {} in "
                                "memory (its part of MUSTER_OBJECT_MEMORY) and {} of {} on disk "
                                "(of MUSTER_SPILL_SIZE), {}; drop futures that are not needed any "
                                "more, or raise one of the limits",
                                index(config_.self),
                                config_.host,
                                text(size),
                                text(usage.memory_bytes),
                                text(usage.memory_bytes_max),
                                text(usage.disk_bytes),
                                text(usage.disk_bytes_max),
                                why),
                    ErrorCode::out_of_memory);
    };
    if (!values.could_fit(size)) {
        refuse("and it is larger than either");
    }
    const Blocked blocked(*this);
    auto give_up_at = std::chrono::steady_clock::now() + config_.room_patience;
    for (;;) {
        const std::uint64_t seen = values.frees();
        if (auto memory = config_.values->allocate(size)) {
            return memory;
        }
        while (!values.wait_for_free(seen, std::chrono::steady_clock::now() + look_time)) {
            if (ended()) {
                throw_ended();
            }
            if (std::chrono::steady_clock::now() >= give_up_at) {
                refuse(fmt::format(
                    "and none was freed for {} s",
                    std::chrono::duration_cast<std::chrono::seconds>(config_.room_patience)
                        .count()));
            }
        }
        give_up_at = std::chrono::steady_clock::now() + config_.room_patience;
    }
}

std::vector<std::string> RankClient::gpus_of(const detail::CurrentTask& task) const {
    return pool_.seating().gpus(task.devices);
}

std::vector<int> RankClient::cpus_of_thread() const {
    return pool_.seating().cpus();
}

Granted RankClient::granted(const detail::CurrentTask& task) const {
    return pool_.seating().granted(task.devices);
}

} // namespace muster::runtime
