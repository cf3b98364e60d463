#include "memory_exchange.hpp"

#include <cstring>

namespace muster::test {

class MemoryExchange::End final : public gang::Channel {
public:
    End(std::shared_ptr<MemoryExchange> exchange, int self)
        : exchange_(std::move(exchange)), self_(self) {}

    void send(int to,
              gang::Tag tag,
              std::span<const std::byte> data,
              std::shared_ptr<gang::Completion> done) override {
        exchange_->add(
            {self_, to, tag}, self_, {nullptr, data.data(), data.size(), std::move(done)});
    }

    void receive(int from,
                 gang::Tag tag,
                 std::span<std::byte> into,
                 std::shared_ptr<gang::Completion> done) override {
        // A receive of no bytes is known by its memory all the same.
        static std::byte nothing{};
        std::byte* const memory = into.empty() ? &nothing : into.data();
        exchange_->add({from, self_, tag}, self_, {memory, nullptr, into.size(), std::move(done)});
    }

    void close(const std::string& why) override { exchange_->close(self_, why); }

private:
    std::shared_ptr<MemoryExchange> exchange_;
    int self_;
};

std::shared_ptr<gang::Channel> MemoryExchange::channel(int self) {
    return std::make_shared<End>(shared_from_this(), self);
}

void MemoryExchange::add(Key key, int self, Operation operation) {
    const std::lock_guard lock(mutex_);
    if (const std::string& why = closed_[static_cast<std::size_t>(self)]; !why.empty()) {
        operation.done->fail(why);
        return;
    }
    const bool receives = operation.into != nullptr;
    Lane& lane = lanes_[key];
    auto& others = receives ? lane.sends : lane.receives;
    if (others.empty()) {
        (receives ? lane.receives : lane.sends).push_back(std::move(operation));
        return;
    }
    const Operation other = std::move(others.front());
    others.pop_front();
    const Operation& send = receives ? other : operation;
    const Operation& receive = receives ? operation : other;
    if (send.size == receive.size) {
        if (send.size > 0) {
            std::memcpy(receive.into, send.data, send.size);
        }
        receive.done->complete();
    } else {
        receive.done->fail("a receive of " + std::to_string(receive.size) +
                               " bytes met a message of " + std::to_string(send.size),
                           ErrorCode::usage);
    }
    send.done->complete();
    if (lane.sends.empty() && lane.receives.empty()) {
        lanes_.erase(key);
    }
}

void MemoryExchange::close(int self, const std::string& why) {
    const std::lock_guard lock(mutex_);
    std::string& closed = closed_[static_cast<std::size_t>(self)];
    if (!closed.empty()) {
        return;
    }
    closed = why;
    for (auto& [key, lane] : lanes_) {
        const auto& [from, to, tag] = key;
        auto& own = from == self ? lane.sends : lane.receives;
        if (from == self || to == self) {
            for (const Operation& operation : own) {
                operation.done->fail(why);
            }
            own.clear();
        }
        if (from == self && to == self) { // To itself: both.
            for (const Operation& operation : lane.receives) {
                operation.done->fail(why);
            }
            lane.receives.clear();
        }
    }
}

void MemoryExchange::abort(const std::string& why) {
    for (std::size_t member = 0; member < closed_.size(); ++member) {
        close(static_cast<int>(member), why);
    }
}

std::size_t MemoryExchange::pending() const {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    for (const auto& [key, lane] : lanes_) {
        count += lane.sends.size() + lane.receives.size();
    }
    return count;
}

} // namespace muster::test
