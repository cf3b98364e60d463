#include "look/chrome.hpp"

#include "look/view.hpp"

#include <muster/look/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <set>
#include <unordered_map>

namespace muster::launcher::look {
namespace {

using muster::look::Json;

constexpr std::array collectives{"barrier",
                                 "broadcast",
                                 "reduce",
                                 "all_reduce",
                                 "reduce_scatter",
                                 "all_gather",
                                 "all_to_all",
                                 "returned"};
constexpr std::uint32_t transfers_thread = 1'000'000; // beyond any lane

/// Microseconds, as the format wants, without losing a nanosecond.
std::string micro(std::int64_t nanoseconds) {
    const bool negative = nanoseconds < 0;
    const std::int64_t positive = negative ? -nanoseconds : nanoseconds;
    return fmt::format("{}{}.{:03}", negative ? "-" : "", positive / 1000, positive % 1000);
}

class Events {
public:
    explicit Events(std::ostream& out) : out_(out) {
        out_ << "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[";
    }

    /// `more`: further fields, each with a comma before it.
    void add(char phase,
             std::string_view name,
             std::string_view category,
             std::int32_t process,
             std::uint32_t thread,
             std::int64_t time,
             const std::string& more) {
        line_.clear();
        line_ += first_ ? "\n" : ",\n";
        first_ = false;
        line_ += "{\"ph\":\"";
        line_ += phase;
        line_ += "\",\"name\":";
        muster::look::append_quoted(line_, name);
        line_ += ",\"cat\":\"";
        line_ += category;
        line_ += fmt::format(
            "\",\"pid\":{},\"tid\":{},\"ts\":{}{}}}", process, thread, micro(time), more);
        out_ << line_;
    }

    void end(const std::vector<std::string>& notes) {
        Json json;
        json.open('{').key("notes").open('[');
        for (const std::string& note : notes) {
            json.value(note);
        }
        json.close(']').close('}');
        out_ << "\n],\"otherData\":" << json.text() << "}\n";
    }

private:
    std::ostream& out_;
    std::string line_;
    bool first_ = true;
};

std::string duration_field(std::int64_t begin, std::int64_t end) {
    return ",\"dur\":" + micro(end - begin);
}

void name_processes(const Model& model, Events& events) {
    std::set<std::pair<std::int32_t, std::uint32_t>> threads;
    for (const Slice& slice : model.slices) {
        threads.emplace(slice.rank, slice.lane);
    }
    for (const Wait& wait : model.waits) {
        threads.emplace(wait.rank, wait.lane);
    }
    const auto named =
        [&](const char* what, std::int32_t rank, std::uint32_t thread, std::string name) {
            Json json;
            json.open('{').field("name", name).close('}');
            events.add('M', what, "__metadata", rank, thread, 0, ",\"args\":" + json.text());
        };
    for (const TracedRank& rank : model.ranks) {
        named("process_name",
              rank.header.rank,
              0,
              fmt::format("rank {} on {}", rank.header.rank, rank.header.host));
        events.add('M',
                   "process_sort_index",
                   "__metadata",
                   rank.header.rank,
                   0,
                   0,
                   fmt::format(",\"args\":{{\"sort_index\":{}}}", rank.header.rank));
    }
    for (const auto& [rank, thread] : threads) {
        named("thread_name",
              rank,
              thread,
              thread == 0 ? "still running" : fmt::format("thread {}", thread));
    }
    std::set<std::int32_t> receivers;
    for (const Transfer& transfer : model.transfers) {
        receivers.insert(transfer.to);
    }
    for (const std::int32_t rank : receivers) {
        named("thread_name", rank, transfers_thread, "values that come");
    }
}

void add_slices(const Model& model, Events& events) {
    for (const Slice& slice : model.slices) {
        Json args;
        args.open('{').field("task", task_name(slice.task));
        if (const std::string& name = model.own_name(slice.task); !name.empty()) {
            args.field("name", name);
        }
        if (slice.attempt > 1) {
            args.field("attempt", slice.attempt);
        }
        args.field("outcome",
                   slice.cut_off                           ? "still ran when its trace ends"
                   : slice.is(muster::look::ran_cancelled) ? "cancelled"
                   : slice.is(muster::look::ran_failed)    ? "failed"
                   : slice.is(muster::look::ran_suspended) ? "waits, and goes on later"
                                                           : "done");
        args.close('}');
        const char* const category = slice.is(muster::look::ran_call)     ? "call"
                                     : slice.is(muster::look::ran_member) ? "member"
                                                                          : "task";
        std::string more = duration_field(slice.begin, slice.end) + ",\"args\":" + args.text();
        if (slice.is(muster::look::ran_failed)) {
            more += ",\"cname\":\"terrible\"";
        }
        events.add('X',
                   model.function_name(slice.function),
                   category,
                   slice.rank,
                   slice.lane,
                   slice.begin,
                   more);
    }
}

void add_rest(const Model& model, Events& events) {
    for (const Wait& wait : model.waits) {
        events.add('X',
                   wait.object == 0 ? std::string("waits") : "waits for " + task_name(wait.object),
                   "wait",
                   wait.rank,
                   wait.lane,
                   wait.begin,
                   duration_field(wait.begin, wait.end));
    }
    for (const Collective& one : model.collectives) {
        events.add('X',
                   one.kind < collectives.size() ? collectives[one.kind] : "collective",
                   "collective",
                   one.rank,
                   one.lane,
                   one.begin,
                   duration_field(one.begin, one.end) +
                       fmt::format(",\"args\":{{\"bytes\":{},\"task\":\"{}\"}}",
                                   one.bytes,
                                   task_name(one.task)));
    }
    // They overlap, as what nests must not: so begin and end are events of their own.
    std::uint64_t number = 0;
    for (const Transfer& one : model.transfers) {
        const std::string name =
            fmt::format("{} from rank {}", bytes(static_cast<double>(one.bytes)), one.from);
        const std::string id = fmt::format(",\"id\":{}", ++number);
        events.add('b',
                   name,
                   "transfer",
                   one.to,
                   transfers_thread,
                   one.begin,
                   id + fmt::format(",\"args\":{{\"bytes\":{},\"from\":{}}}", one.bytes, one.from));
        events.add('e', name, "transfer", one.to, transfers_thread, one.end, id);
    }
}

void add_arrows(const Model& model, Events& events) {
    if (model.edges.empty()) {
        return;
    }
    // Where what is at either end of an arrow lies.
    std::unordered_map<std::uint64_t, std::pair<const Slice*, const Slice*>> ends; // first, last
    for (const auto& [task, object] : model.edges) {
        ends.try_emplace(task);
        ends.try_emplace(object);
    }
    for (const Slice& slice : model.slices) {
        if (const auto place = ends.find(slice.task); place != ends.end()) {
            auto& [first, last] = place->second;
            first = first == nullptr ? &slice : first;
            last = last == nullptr || slice.end > last->end ? &slice : last;
        }
    }
    std::uint64_t number = 0;
    for (const auto& [task, object] : model.edges) {
        const Slice* const from = ends.at(object).second;
        const Slice* const to = ends.at(task).first;
        if (from == nullptr || to == nullptr || from->cut_off) {
            continue; // of the one or the other, nothing ran
        }
        const std::string id = fmt::format(",\"id\":{}", ++number);
        events.add('s', "takes", "takes", from->rank, from->lane, from->end - 1, id);
        events.add('f', "takes", "takes", to->rank, to->lane, to->begin, id + ",\"bp\":\"e\"");
    }
}

} // namespace

void write_chrome(const Model& model, std::ostream& out) {
    Events events(out);
    name_processes(model, events);
    add_slices(model, events);
    add_rest(model, events);
    add_arrows(model, events);
    events.end(shortcomings(model));
}

} // namespace muster::launcher::look
