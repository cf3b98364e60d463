#pragma once

#include "gang/channel.hpp"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

namespace muster::test {

/// Channels between members that are threads of one process: a message is copied when its send and
/// its receive have met, so nobody gets by with a memory that was reused too early.
class MemoryExchange : public std::enable_shared_from_this<MemoryExchange> {
public:
    explicit MemoryExchange(int members) : closed_(static_cast<std::size_t>(members)) {}

    [[nodiscard]] std::shared_ptr<gang::Channel> channel(int self);

    /// Every operation of everybody fails, now and later.
    void abort(const std::string& why);

    /// Operations that nobody has answered yet.
    [[nodiscard]] std::size_t pending() const;

private:
    class End;

    struct Operation {
        std::byte* into = nullptr; // Of a receive.
        const std::byte* data = nullptr;
        std::size_t size = 0;
        std::shared_ptr<gang::Completion> done;
    };

    struct Lane {
        std::deque<Operation> sends;
        std::deque<Operation> receives;
    };

    using Key = std::tuple<int, int, gang::Tag>; // From, to.

    void add(Key key, int self, Operation operation);
    void close(int self, const std::string& why);

    mutable std::mutex mutex_; // Guards all of it.
    std::map<Key, Lane> lanes_;
    std::vector<std::string> closed_; // Why, by member; empty while open.
};

} // namespace muster::test
