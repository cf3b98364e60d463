// What the owner says of its tasks when somebody asks what waits on whom.

#include "owner/owner.hpp"

#include <algorithm>
#include <map>

namespace muster::owner {
namespace {

constexpr std::size_t waiting_named_max = 16;
constexpr std::size_t missing_named_max = 3;
constexpr std::size_t values_named_max = 5;

} // namespace

void Owner::describe(wire::Status& status, bool brief) const {
    for (const auto& [id, totals] : totals_) {
        const auto in = [&totals = totals](State state) {
            return totals.in[static_cast<std::size_t>(state)];
        };
        status.functions.push_back({.function = id,
                                    .waiting = in(State::waiting),
                                    .ready = in(State::delayed) + in(State::submitted),
                                    .granted = in(State::granted),
                                    .done = in(State::done),
                                    .failed = totals.failed,
                                    .retried = totals.retried});
        status.waiting_total += in(State::waiting);
    }
    if (brief) {
        return;
    }
    for (const auto& [first, block] : blocks_) {
        for (std::uint64_t i = 0;
             i < block.items.size() && status.waiting.size() < waiting_named_max;
             ++i) {
            const Item& item = block.items[i];
            if (item.state == State::waiting && !block.is_put) {
                status.waiting.push_back(
                    describe_waiting(advance(first, i * block.task_class.stride()), block, item));
            }
        }
    }
    describe_largest(status);
}

wire::TaskRow Owner::describe_row(TaskId task, const Block& block, const Item& item) {
    using Of = wire::TaskRow::State;
    wire::TaskRow row;
    row.task = task;
    row.function = block.task_class.function;
    row.name = block.name;
    row.is_call = block.call.has_value();
    row.attempts = item.attempt;
    switch (item.state) {
    case State::waiting:
        row.state = item.withheld ? Of::withheld : Of::waiting;
        row.missing = item.missing;
        break;
    case State::delayed:
        row.state = Of::delayed;
        break;
    case State::submitted:
        row.state = Of::ready;
        break;
    case State::granted:
        row.state = Of::placed;
        row.at = item.worker;
        break;
    case State::done:
        row.state = item.outcome.kind == wire::Outcome::Kind::failed ? Of::failed : Of::done;
        break;
    }
    return row;
}

wire::TasksPage Owner::list(const wire::TasksWanted& wanted) const {
    wire::TasksPage page;
    page.request = wanted.request;
    const auto matches = [&](const Block& block) {
        return block.task_class.function != wire::no_function &&
               (wanted.filter.name.empty() ||
                block.name.find(wanted.filter.name) != std::string::npos ||
                std::binary_search(wanted.filter.functions.begin(),
                                   wanted.filter.functions.end(),
                                   block.task_class.function));
    };
    auto place = blocks_.upper_bound(wanted.after);
    if (place != blocks_.begin()) {
        --place; // the page may have ended inside it
    }
    std::uint32_t looks = 0;
    ObjectId looked_at = wanted.after;
    for (; place != blocks_.end(); ++place) {
        const auto& [first, block] = *place;
        const std::uint64_t stride = block.task_class.stride();
        const bool is_wanted = matches(block);
        std::uint64_t i = first > wanted.after ? 0 : distance(first, wanted.after) / stride + 1;
        for (; i < block.items.size(); ++i) {
            if (looks++ == wanted.looks) {
                page.next = looked_at;
                return page;
            }
            const Item& item = block.items[i];
            looked_at = advance(first, i * stride);
            if (!is_wanted) {
                looked_at = advance(first, (block.items.size() - 1) * stride);
                break;
            }
            if (item.dropped) {
                continue;
            }
            auto row = describe_row(looked_at, block, item);
            if (((wanted.filter.states >> static_cast<unsigned>(row.state)) & 1U) != 0) {
                page.rows.push_back(std::move(row));
            }
        }
    }
    return page;
}

void Owner::describe_largest(wire::Status& status) const {
    struct Candidate {
        std::uint64_t size = 0;
        ObjectId object{};
        const Block* block = nullptr;
        const Item* item = nullptr;
    };

    const auto larger = [](const Candidate& a, const Candidate& b) {
        return a.size != b.size ? a.size > b.size : a.object < b.object;
    };
    std::vector<Candidate> largest; // a heap, the smallest first
    for (const auto& [first, block] : blocks_) {
        for (std::uint64_t i = 0; i < block.items.size(); ++i) {
            const Item& item = block.items[i];
            if (item.state != State::done || item.dropped || !item.outcome.kept) {
                continue;
            }
            largest.push_back(
                {item.outcome.size, advance(first, i * block.task_class.stride()), &block, &item});
            std::push_heap(largest.begin(), largest.end(), larger);
            if (largest.size() > values_named_max) {
                std::pop_heap(largest.begin(), largest.end(), larger);
                largest.pop_back();
            }
        }
    }
    std::sort_heap(largest.begin(), largest.end(), larger);
    for (const auto& [size, object, block, item] : largest) {
        const auto copies = copies_.find(object);
        status.largest.push_back({
            .object = object,
            .is_put = block->is_put,
            .function = block->task_class.function,
            .name = block->name,
            .size = size,
            .holder = item->outcome.holder,
            .copies = copies == copies_.end() ? 0 : copies->second.ranks().size(),
            .tasks = item->uses,
            .by_futures = item->holds > 0,
            .pinned = item->pinned,
        });
    }
}

wire::WaitingStatus
Owner::describe_waiting(TaskId task, const Block& block, const Item& item) const {
    wire::WaitingStatus waiting{task, block.task_class.function, block.name, 0, {}};
    for (const ObjectId object : item.task.dependencies) {
        if (outcome(object) != nullptr) {
            continue;
        }
        ++waiting.missing;
        if (waiting.first_missing.size() == missing_named_max) {
            continue;
        }
        wire::MissingStatus missing{
            object, wire::MissingStatus::State::elsewhere, {}, {}, owner_of(object)};
        if (const Place place = const_cast<Owner*>(this)->find(object); place.block != nullptr) {
            using Of = wire::MissingStatus::State;
            const Item& other = place.item();
            missing.state = other.state == State::granted   ? Of::granted
                            : other.state == State::waiting ? Of::waiting
                                                            : Of::ready;
            missing.function = place.block->task_class.function;
            missing.name = place.block->name;
            missing.at = other.worker;
        }
        waiting.first_missing.push_back(std::move(missing));
    }
    return waiting;
}

const wire::TaskClass* Owner::explain(wire::TaskStatus& status) const {
    using Stage = wire::TaskStatus::Stage;
    const Place place = const_cast<Owner*>(this)->find(status.task);
    if (place.block == nullptr || place.item().dropped) {
        status.stage = Stage::unknown;
        return nullptr;
    }
    const Block& block = *place.block;
    const Item& item = place.item();
    status.function = block.task_class.function;
    status.name = block.name;
    status.is_call = block.call.has_value();
    status.attempts = item.attempt;
    switch (item.state) {
    case State::waiting:
        status.stage = item.withheld ? Stage::withheld : Stage::waiting;
        if (!item.withheld) {
            status.waiting = describe_waiting(status.task, block, item);
        }
        break;
    case State::delayed:
        status.stage = Stage::delayed;
        break;
    case State::submitted:
        status.stage = Stage::queued;
        return status.is_call ? nullptr : &block.task_class;
    case State::granted:
        status.stage = Stage::sent;
        status.at = item.gang != nullptr ? item.gang->members[place.member] : item.worker;
        break;
    case State::done:
        status.stage =
            item.outcome.kind == wire::Outcome::Kind::failed ? Stage::failed : Stage::done;
        break;
    }
    return nullptr;
}

} // namespace muster::owner
