#include "gang/gather_values.hpp"

#include <muster/base/memory.hpp>
#include <muster/core/communicator.hpp>
#include <muster/core/detail/thunk.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace muster::detail {
namespace {

// Freed when the last task whose arguments are in it is done.
constexpr std::size_t chunk_bytes_max = std::size_t{16} << 10;

} // namespace

Buffer ArgumentEncoder::store(std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return {};
    }
    if (bytes.size() > chunk_.size() - chunk_used_) {
        const std::size_t wanted =
            std::max(bytes.size(), std::min(bytes.size() * tasks_left_, chunk_bytes_max));
        auto memory = allocate_bytes(wanted);
        chunk_bytes_ = memory.get();
        chunk_ = Buffer(std::move(memory), wanted);
        chunk_used_ = 0;
    }
    std::memcpy(chunk_bytes_ + chunk_used_, bytes.data(), bytes.size());
    return chunk_.slice(std::exchange(chunk_used_, chunk_used_ + bytes.size()), bytes.size());
}

void ArgumentEncoder::end_task() {
    const std::uint64_t position = tasks_.tasks.size();
    tasks_.tasks.push_back({store(writer_.bytes()), std::move(dependencies_)});
    tasks_left_ -= tasks_left_ > 1 ? 1 : 0;
    for (const ObjectId actor : actors_) {
        tasks_.actors.emplace_back(position, actor);
    }
    if (keyed_) {
        key_.has_actors = !actors_.empty();
        tasks_.keys.push_back(std::exchange(key_, {}));
    }
    writer_.clear();
    dependencies_ = {};
    actors_.clear();
}

// An argument's part of the key is the same whether it travels with the task, is stored because it
// is large, or was stored by put(): a digest of the value's own, or the key of the task that makes
// it.

void ArgumentEncoder::key_argument(const std::optional<KeyDigest>& argument) {
    key_.unkeyed_input = key_.unkeyed_input || !argument;
    if (argument) {
        key_.digest = digest(std::as_bytes(std::span(&*argument, 1)), key_.digest);
    }
}

void ArgumentEncoder::key_value(std::span<const std::byte> value) {
    if (keyed_) {
        key_argument(names_objects(value, client_.run_id()) ? std::nullopt
                                                            : std::optional(digest(value)));
    }
}

void ArgumentEncoder::key_list(std::size_t count) {
    if (keyed_) {
        const auto encoded = static_cast<std::uint64_t>(count);
        key_argument(digest(std::as_bytes(std::span(&encoded, 1)), digest("list")));
    }
}

void ArgumentEncoder::depend_on(FutureBlock& block, ObjectId object) {
    check_same_run(block);
    if (keyed_) {
        key_argument(block.input_digest(block.index_of(object)));
    }
    dependencies_.push_back(object);
}

void ArgumentEncoder::depend_on_stored(Buffer value) {
    const Future<void> stored(client_.put(std::move(value), {}),
                              0); // the task holds handles inside
    encode(writer_, ArgumentKind::dependency);
    dependencies_.push_back(stored.id());
    held_.push_back(stored);
}

const Buffer& ArgumentDecoder::next_dependency() {
    if (used_ == dependencies_.size()) {
        throw_malformed();
    }
    return dependencies_[used_++];
}

std::vector<Buffer> gather_results(Communicator& communicator, Buffer own) {
    return gang::gather_values(communicator, std::move(own));
}

void ArgumentDecoder::throw_malformed() {
    throw Error("a task's arguments do not decode: the ranks run different programs",
                ErrorCode::malformed);
}

} // namespace muster::detail
