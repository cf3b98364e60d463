#include <muster/core/detail/group_block.hpp>

#include <fmt/format.h>

namespace muster::detail {

GroupBlock::GroupBlock(std::shared_ptr<Client> client,
                       GroupDescription description,
                       std::shared_ptr<FutureBlock> ready)
    : client_(std::move(client)), description_(std::move(description)), ready_(std::move(ready)) {
    if (ready_ != nullptr) {
        ready_->acquire(0);
    }
}

GroupBlock::~GroupBlock() {
    if (ready_ != nullptr) {
        ready_->release(0);
    }
    client_->release_group(description_.id);
}

std::shared_ptr<FutureBlock> GroupBlock::ready() {
    const std::lock_guard lock(mutex_);
    if (ready_ == nullptr) {
        ready_ = client_->borrow(description_.id);
        ready_->acquire(0);
    }
    return ready_;
}

void check_same_run(const GroupBlock& block) {
    if (block.client().get() != current_client_or_null()) {
        throw Error(fmt::format("{} ({}) belongs to another run (or is used outside any): groups "
                                "do not outlive their run",
                                block.description().title(),
                                to_string(block.description().id).substr(5)),
                    ErrorCode::object_lost);
    }
}

void throw_empty_group() {
    throw Error("this placement group is empty (default-constructed or moved from): it names none",
                ErrorCode::usage);
}

void throw_no_bundle(const GroupDescription& group, std::int64_t index) {
    throw Error(fmt::format("{} has no bundle {}: it has bundles 0 to {}",
                            group.title(),
                            index,
                            group.bundles.size() - 1),
                ErrorCode::usage);
}

void throw_group_of_another_run(ObjectId group) {
    throw Error(fmt::format("a handle of another run was found in a value (the placement group of "
                            "{}): groups do not outlive their run",
                            to_string(group)),
                ErrorCode::object_lost);
}

namespace {

[[noreturn]] void throw_no_groups() {
    throw Error("placement groups cannot be used here", ErrorCode::usage);
}

} // namespace

std::shared_ptr<GroupBlock> Client::make_group(std::vector<Bundle> /*bundles*/,
                                               const PlacementGroupOptions& /*options*/) {
    throw_no_groups();
}

std::shared_ptr<GroupBlock> Client::borrow_group(GroupDescription /*description*/) {
    throw_no_groups();
}

void Client::remove_group(ObjectId /*group*/) {
    throw_no_groups();
}

void Client::release_group(ObjectId /*group*/) noexcept {
}

} // namespace muster::detail
