#pragma once

#include <muster/core/detail/client.hpp>
#include <muster/core/resources.hpp>

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

/// The state behind handles of a placement group. Private to the library.
namespace muster::detail {

/// What every rank with a handle knows of the group.
struct GroupDescription {
    ObjectId id{};
    std::string name;
    std::vector<Resources> bundles;

    /// "placement group trainers": as errors name it.
    [[nodiscard]] std::string title() const {
        return name.empty() ? "placement group" : "placement group " + name;
    }
};

/// What the copies of a handle share; the last one's end tells the rank that it holds one less.
/// Any thread.
class GroupBlock {
public:
    /// `ready`: its future, if the group is new.
    GroupBlock(std::shared_ptr<Client> client,
               GroupDescription description,
               std::shared_ptr<FutureBlock> ready = nullptr);
    GroupBlock(const GroupBlock&) = delete;
    GroupBlock& operator=(const GroupBlock&) = delete;
    ~GroupBlock();

    [[nodiscard]] const std::shared_ptr<Client>& client() const { return client_; }

    [[nodiscard]] const GroupDescription& description() const { return description_; }

    /// Resolved once all bundles have a place.
    [[nodiscard]] std::shared_ptr<FutureBlock> ready();

private:
    std::shared_ptr<Client> client_;
    GroupDescription description_;
    std::mutex mutex_; ///< Guards what follows.
    std::shared_ptr<FutureBlock> ready_;
};

/// Throws Error (ErrorCode::object_lost) unless the group belongs to the calling thread's run.
void check_same_run(const GroupBlock& block);

/// Throws Error (ErrorCode::usage): the handle names no group.
[[noreturn]] void throw_empty_group();

/// Throws Error (ErrorCode::usage): there is no such bundle.
[[noreturn]] void throw_no_bundle(const GroupDescription& group, std::int64_t index);

/// Throws Error (ErrorCode::object_lost): a handle of another run was found in a value.
[[noreturn]] void throw_group_of_another_run(ObjectId group);

} // namespace muster::detail
