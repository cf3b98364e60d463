#include "backend/narrow_sum.hpp"

#include <muster/base/error.hpp>
#include <muster/train/backend.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

namespace muster::train {
namespace {

/// One collective: what members gave for it, and how it ended.
struct Round {
    std::vector<std::optional<Backend::Call>> calls; ///< By member.
    int arrived = 0;
    bool is_done = false;
    std::optional<Error> failure;
};

bool is_same(const Backend::Call& a, const Backend::Call& b) {
    return a.kind == b.kind && a.op == b.op && a.root == b.root && a.result.type == b.result.type &&
           a.result.elements == b.result.elements;
}

template <class T>
T combine(T a, T b, ReduceOp op) {
    switch (op) {
    case ReduceOp::sum:
        break;
    case ReduceOp::product:
        return static_cast<T>(a * b);
    case ReduceOp::min:
        return std::min(a, b);
    case ReduceOp::max:
        return std::max(a, b);
    }
    return static_cast<T>(a + b);
}

/// Element i of the result is the reduction of element i of the members' data, from `begin` on.
template <class T>
void reduce_values(const std::vector<std::optional<Backend::Call>>& calls,
                   std::size_t begin,
                   std::span<T> result) {
    for (std::size_t i = 0; i < result.size(); ++i) {
        T value = calls.front()->data.as<T>()[begin + i];
        for (std::size_t member = 1; member < calls.size(); ++member) {
            value = combine(value, calls[member]->data.as<T>()[begin + i], calls.front()->op);
        }
        result[i] = value;
    }
}

void reduce(const std::vector<std::optional<Backend::Call>>& calls,
            std::size_t begin,
            const Tensor& result) {
    switch (result.type) {
    case ElementType::float32:
        return reduce_values(calls, begin, result.as<float>());
    case ElementType::float64:
        return reduce_values(calls, begin, result.as<double>());
    case ElementType::uint8:
        return reduce_values(calls, begin, result.as<std::uint8_t>());
    case ElementType::uint64:
        return reduce_values(calls, begin, result.as<std::uint64_t>());
    case ElementType::float16:
    case ElementType::bfloat16:
        break;
    }
    std::vector<std::uint16_t> parts;
    for (const auto& call : calls) {
        const auto* const words = static_cast<const std::uint16_t*>(call->data.data) + begin;
        parts.insert(parts.end(), words, words + result.elements);
    }
    sum_narrow_parts(
        result.type, parts, {static_cast<std::uint16_t*>(result.data), result.elements});
}

void copy(void* to, const void* from, std::size_t bytes) {
    if (bytes > 0) {
        std::memmove(to, from, bytes);
    }
}

void carry_out(const std::vector<std::optional<Backend::Call>>& calls) {
    const Backend::Call& first = *calls.front();
    const std::size_t bytes = first.result.size_bytes();
    switch (first.kind) {
    case Backend::Kind::all_reduce: {
        std::vector<std::byte> sum(bytes);
        Tensor result = first.result;
        result.data = sum.data();
        reduce(calls, 0, result);
        for (const auto& call : calls) {
            copy(call->result.data, sum.data(), bytes);
        }
        return;
    }
    case Backend::Kind::reduce_scatter:
        for (std::size_t member = 0; member < calls.size(); ++member) {
            reduce(calls, member * first.result.elements, calls[member]->result);
        }
        return;
    case Backend::Kind::all_gather: {
        std::vector<std::byte> all;
        for (const auto& call : calls) {
            const auto* const data = static_cast<const std::byte*>(call->data.data);
            all.insert(all.end(), data, data + call->data.size_bytes());
        }
        for (const auto& call : calls) {
            copy(call->result.data, all.data(), bytes);
        }
        return;
    }
    case Backend::Kind::broadcast:
        for (const auto& call : calls) {
            copy(call->result.data, calls[static_cast<std::size_t>(first.root)]->data.data, bytes);
        }
        return;
    }
}

/// What the members share.
class Meeting {
public:
    explicit Meeting(int members) : made_(static_cast<std::size_t>(members)) {}

    [[nodiscard]] int members() const { return static_cast<int>(made_.size()); }

    std::shared_ptr<Round> join(int member, const Backend::Call& call) {
        const std::lock_guard lock(mutex_);
        const auto self = static_cast<std::size_t>(member);
        const std::size_t index = made_[self]++ - first_;
        while (rounds_.size() <= index) {
            rounds_.push_back(std::make_shared<Round>());
            rounds_.back()->calls.resize(made_.size());
        }
        const auto round = rounds_[index];
        round->calls[self] = call;
        if (left_ && !round->is_done) {
            fail(*round, *left_);
        }
        if (++round->arrived == members() && !round->is_done) {
            finish(*round);
        }
        while (!rounds_.empty() && rounds_.front()->arrived == members()) {
            rounds_.pop_front();
            ++first_;
        }
        return round;
    }

    bool is_done(const Round& round) {
        const std::lock_guard lock(mutex_);
        return round.is_done;
    }

    void wait(const Round& round) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return round.is_done; });
        if (round.failure) {
            throw Error(*round.failure);
        }
    }

    /// What this member has not called will never be, and what it has but gave up may not be done
    /// to its memory.
    void leave(int member, bool is_early) {
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < rounds_.size(); ++i) {
            if (!rounds_[i]->is_done &&
                (is_early || !rounds_[i]->calls[static_cast<std::size_t>(member)])) {
                fail(*rounds_[i], member);
            }
        }
        if (!left_) {
            left_ = member;
        }
    }

private:
    void finish(Round& round) {
        const auto other = std::find_if(round.calls.begin(), round.calls.end(), [&](const auto& c) {
            return !is_same(*c, *round.calls.front());
        });
        if (other != round.calls.end()) {
            round.failure.emplace(
                fmt::format("members 0 and {} made calls that differ in kind, size, type or "
                            "operation; all must make the same, in the same order",
                            other - round.calls.begin()),
                ErrorCode::usage);
        } else {
            carry_out(round.calls);
        }
        round.is_done = true;
        changed_.notify_all();
    }

    void fail(Round& round, int member) {
        round.failure.emplace(fmt::format("member {} of the gang ended", member),
                              ErrorCode::aborted);
        round.is_done = true;
        changed_.notify_all();
    }

    std::mutex mutex_; ///< Guards all below.
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Round>> rounds_; ///< Those that not all have called.
    std::size_t first_ = 0;                     ///< Number of the first of them.
    std::vector<std::size_t> made_;             ///< Calls, by member.
    std::optional<int> left_;
};

class RoundPending final : public Pending {
public:
    RoundPending(std::shared_ptr<Meeting> meeting, std::shared_ptr<Round> round, int member)
        : meeting_(std::move(meeting)), round_(std::move(round)), member_(member) {}

    bool done() override { return meeting_->is_done(*round_); }

    void wait() override { meeting_->wait(*round_); }

    void give_up() noexcept override { meeting_->leave(member_, true); }

private:
    std::shared_ptr<Meeting> meeting_;
    std::shared_ptr<Round> round_;
    int member_;
};

class ReferenceBackend final : public Backend {
public:
    ReferenceBackend(std::shared_ptr<Meeting> meeting, int rank)
        : meeting_(std::move(meeting)), rank_(rank) {}

    ReferenceBackend(const ReferenceBackend&) = delete;
    ReferenceBackend& operator=(const ReferenceBackend&) = delete;

    ~ReferenceBackend() override { meeting_->leave(rank_, false); }

    std::string_view name() const noexcept override { return "reference"; }

    int rank() const noexcept override { return rank_; }

    int size() const noexcept override { return meeting_->members(); }

private:
    std::unique_ptr<Pending> start(const Call& call) override {
        return std::make_unique<RoundPending>(meeting_, meeting_->join(rank_, call), rank_);
    }

    std::shared_ptr<Meeting> meeting_;
    int rank_;
};

} // namespace

std::vector<std::unique_ptr<Backend>> make_reference_backends(int members) {
    const auto meeting = std::make_shared<Meeting>(members);
    std::vector<std::unique_ptr<Backend>> backends;
    for (int member = 0; member < members; ++member) {
        backends.push_back(std::make_unique<ReferenceBackend>(meeting, member));
    }
    return backends;
}

} // namespace muster::train
