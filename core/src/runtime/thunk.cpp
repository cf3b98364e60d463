#include <muster/core/detail/thunk.hpp>

namespace muster::detail {

EncodedTask ArgumentEncoder::take() {
    EncodedTask task;
    task.arguments = Buffer::copy_of(writer_.bytes());
    task.dependencies = std::move(dependencies_);
    writer_.clear();
    dependencies_ = {};
    return task;
}

void ArgumentEncoder::depend_on(const FutureBlock& block, ObjectId object) {
    check_same_run(block);
    dependencies_.push_back(object);
}

void ArgumentEncoder::move_to_store(std::size_t from) {
    const Future<void> stored(client_.put(Buffer::copy_of(writer_.bytes().subspan(from))), 0);
    // In place of the value and the kind before it, the name of the object that holds it.
    writer_.truncate(from - sizeof(ArgumentKind));
    encode(writer_, ArgumentKind::dependency);
    dependencies_.push_back(stored.id());
    held_.push_back(stored);
}

std::span<const std::byte> ArgumentDecoder::next_dependency() {
    if (used_ == dependencies_.size()) {
        throw_malformed();
    }
    return dependencies_[used_++].bytes();
}

void ArgumentDecoder::throw_malformed() {
    throw Error("a task's arguments do not decode: the ranks run different programs",
                ErrorCode::malformed);
}

} // namespace muster::detail
