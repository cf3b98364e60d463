#include "status/page.hpp"

#include "status/words.hpp"

#include <muster/base/duration.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace muster::status {
namespace {

// One page: all of these, six lines of headings and as many of "and more".
constexpr std::size_t functions_max = 6;
constexpr std::size_t running_max = 8;
constexpr std::size_t queued_max = 6;
constexpr std::size_t groups_max = 3;
constexpr std::size_t waiting_max = 7;
constexpr std::size_t values_max = 5;
constexpr std::size_t ranks_named_max = 16;

std::string list(const std::vector<Rank>& ranks) {
    std::string text;
    for (std::size_t i = 0; i < ranks.size() && i < ranks_named_max; ++i) {
        text += (i == 0 ? "" : ", ") + std::to_string(index(ranks[i]));
    }
    if (ranks.size() > ranks_named_max) {
        text += fmt::format(" and {} more", grouped(ranks.size() - ranks_named_max));
    }
    return text;
}

/// A task that runs, and where.
struct Running {
    Rank rank{};
    wire::RunningStatus status;
};

class Page {
public:
    Page(const wire::PrintStatus& status, const Heading& heading, const NameOf& name_of)
        : status_(status), heading_(heading), name_of_(name_of) {
        for (std::size_t r = 0; r < status.ranks.size(); ++r) {
            if (const auto& rank = status.ranks[r]) {
                for (const auto& item : rank->running) {
                    running_.push_back({Rank{static_cast<std::int32_t>(r)}, item});
                }
            } else {
                silent_.push_back(Rank{static_cast<std::int32_t>(r)});
            }
        }
        std::stable_sort(running_.begin(), running_.end(), [](const Running& a, const Running& b) {
            return a.status.age > b.status.age;
        });
    }

    std::string text() {
        say_heading();
        say_functions();
        say_running();
        say_queued();
        say_waiting();
        say_values();
        return std::move(text_);
    }

private:
    template <class... T>
    void line(fmt::format_string<T...> format, T&&... values) {
        text_ += fmt::format(format, std::forward<T>(values)...) + '\n';
    }

    void more(std::uint64_t left) {
        if (left > 0) {
            line("  … and {} more", grouped(left));
        }
    }

    template <class Get>
    std::uint64_t sum(const Get& get) const {
        std::uint64_t total = 0;
        for (const auto& rank : status_.ranks) {
            total += rank ? get(*rank) : 0;
        }
        return total;
    }

    void say_heading() {
        std::uint64_t waiting = 0;
        std::uint64_t ready = 0;
        std::uint64_t granted = 0;
        for (const auto& rank : status_.ranks) {
            if (rank) {
                for (const auto& function : rank->functions) {
                    waiting += function.waiting;
                    ready += function.ready;
                    granted += function.granted;
                }
            }
        }
        const std::uint64_t running = sum([](const wire::Status& s) { return s.running_total; });
        const std::uint64_t blocked = sum([](const wire::Status& s) { return s.blocked; });
        line("muster at {}: {}, running for {}, coordinated by rank {} (term {})",
             heading_.time,
             counted(status_.ranks.size(), "rank", "ranks"),
             format_duration(heading_.running),
             index(status_.coordinator),
             number(status_.term));
        if (!silent_.empty()) {
            line("no answer within a second from {} {}",
                 silent_.size() == 1 ? "rank" : "ranks",
                 list(silent_));
        }
        line("tasks: {} waiting for others, {} ready, {} placed on a rank",
             grouped(waiting),
             grouped(ready),
             grouped(granted));
        line("ranks: {} running, {} of them in get(); {} held, {} fetching; {} living",
             counted(running, "task or call", "tasks and calls"),
             grouped(blocked),
             counted(sum([](const wire::Status& s) { return s.held; }), "task", "tasks"),
             grouped(sum([](const wire::Status& s) { return s.fetching; })),
             counted(sum([](const wire::Status& s) { return s.actors; }), "actor", "actors"));
    }

    void say_functions() {
        std::map<FunctionId, wire::FunctionStatus> functions;
        for (const auto& rank : status_.ranks) {
            if (rank) {
                for (const auto& item : rank->functions) {
                    auto& total = functions[item.function];
                    total.function = item.function;
                    total.waiting += item.waiting;
                    total.ready += item.ready;
                    total.granted += item.granted;
                }
            }
        }
        const auto all = [](const wire::FunctionStatus& item) {
            return item.waiting + item.ready + item.granted;
        };
        std::vector<wire::FunctionStatus> sorted;
        for (const auto& [id, item] : functions) {
            if (all(item) > 0) {
                sorted.push_back(item);
            }
        }
        if (sorted.empty()) {
            return;
        }
        std::stable_sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
            return all(a) > all(b);
        });
        line("{:>12}{:>12}{:>12}   function", "waiting", "ready", "placed");
        for (std::size_t i = 0; i < sorted.size() && i < functions_max; ++i) {
            line("{:>12}{:>12}{:>12}   {}",
                 grouped(sorted[i].waiting),
                 grouped(sorted[i].ready),
                 grouped(sorted[i].granted),
                 name_of_(sorted[i].function));
        }
        more(sorted.size() - std::min(sorted.size(), functions_max));
    }

    void say_running() {
        const std::uint64_t total = sum([](const wire::Status& s) { return s.running_total; });
        if (running_.empty()) {
            line("nothing runs");
            return;
        }
        line("running for longest:");
        for (std::size_t i = 0; i < running_.size() && i < running_max; ++i) {
            const auto& [rank, item] = running_[i];
            line("  {:>10}  rank {}  {}{}{}",
                 format_duration(item.age),
                 index(rank),
                 called({}, item.function, item.task, name_of_),
                 item.is_call ? ", a call of an actor" : "",
                 item.blocked ? ", in get()" : "");
        }
        more(total - std::min<std::uint64_t>({total, running_.size(), running_max}));
    }

    void say_queued() {
        for (const auto& rank : status_.ranks) {
            if (!rank || !rank->coordinator) {
                continue;
            }
            const auto& coordinator = *rank->coordinator;
            if (coordinator.draining) {
                line("the run is ending: nothing starts any more");
            }
            if (coordinator.queued.empty() && coordinator.groups.empty()) {
                continue;
            }
            line("ready, and waiting for room:");
            for (std::size_t i = 0; i < coordinator.groups.size() && i < groups_max; ++i) {
                line("  {}", status::describe(coordinator.groups[i]));
            }
            more(coordinator.groups.size() -
                 std::min<std::uint64_t>(coordinator.groups.size(), groups_max));
            for (std::size_t i = 0; i < coordinator.queued.size() && i < queued_max; ++i) {
                const auto& item = coordinator.queued[i];
                const char* const one = item.members > 0 ? "gang" : item.actor ? "actor" : "task";
                const char* const many = item.members > 0 ? "gangs"
                                         : item.actor     ? "actors"
                                                          : "tasks";
                line("  {} ({}{}): {}",
                     name_of_(item.function),
                     counted(item.tasks, one, many),
                     item.priority == 0 ? std::string()
                                        : fmt::format(", priority {}", item.priority),
                     why_queued(item));
            }
            more(coordinator.classes -
                 std::min<std::uint64_t>(coordinator.queued.size(), queued_max));
        }
    }

    [[nodiscard]] std::string describe(const wire::MissingStatus& item) const {
        for (const auto& [rank, running] : running_) {
            if (running.task == item.object) {
                return fmt::format("{}, which has run on rank {} for {}",
                                   called(item.name, item.function, item.object, name_of_),
                                   index(rank),
                                   format_duration(running.age));
            }
        }
        return status::describe(item, name_of_);
    }

    void say_waiting() {
        const std::uint64_t total = sum([](const wire::Status& s) { return s.waiting_total; });
        if (total == 0) {
            return;
        }
        line("waiting for others:");
        std::uint64_t said = 0;
        for (const auto& rank : status_.ranks) {
            for (std::size_t i = 0; rank && i < rank->waiting.size() && said < waiting_max; ++i) {
                const auto& item = rank->waiting[i];
                const std::string missing = list_missing(
                    item, [this](const wire::MissingStatus& one) { return describe(one); });
                line("  {}: {}", called(item.name, item.function, item.task, name_of_), missing);
                ++said;
            }
        }
        more(total - said);
    }

    void say_values() {
        const std::uint64_t values = sum([](const wire::Status& s) { return s.values; });
        if (values == 0) {
            return;
        }
        const auto bytes = [&](const auto& get) { return to_string(Bytes{sum(get)}); };
        const std::string disk =
            sum([](const wire::Status& s) { return s.room.disk_max; }) == 0
                ? std::string()
                : fmt::format(", {} of {} on disk",
                              bytes([](const wire::Status& s) { return s.room.disk; }),
                              bytes([](const wire::Status& s) { return s.room.disk_max; }));
        line("values: {} on all ranks, {}; large ones take {} of {} of shared memory{}",
             counted(values, "copy", "copies"),
             bytes([](const wire::Status& s) { return s.value_bytes; }),
             bytes([](const wire::Status& s) { return s.room.memory; }),
             bytes([](const wire::Status& s) { return s.room.memory_max; }),
             disk);
        std::vector<wire::ValueStatus> largest;
        for (const auto& rank : status_.ranks) {
            if (rank) {
                largest.insert(largest.end(), rank->largest.begin(), rank->largest.end());
            }
        }
        std::stable_sort(largest.begin(), largest.end(), [](const auto& a, const auto& b) {
            return a.size > b.size;
        });
        for (std::size_t i = 0; i < largest.size() && i < values_max; ++i) {
            const auto& item = largest[i];
            line("  {:>10}  rank {}  {}{}: {}",
                 to_string(Bytes{item.size}),
                 index(item.holder),
                 called(item.is_put ? "put" : item.name, item.function, item.object, name_of_),
                 item.copies == 0 ? std::string()
                                  : fmt::format(", and {}", counted(item.copies, "copy", "copies")),
                 why_kept(item));
        }
    }

    static std::string why_kept(const wire::ValueStatus& item) {
        std::vector<std::string> reasons;
        if (item.tasks > 0) {
            reasons.push_back("taken by " + counted(item.tasks, "task", "tasks"));
        }
        if (item.by_futures) {
            reasons.push_back(fmt::format("futures on rank {}", index(owner_of(item.object))));
        }
        if (item.pinned) {
            reasons.emplace_back("a future of it was sent elsewhere");
        }
        return reasons.empty() ? "about to go" : fmt::format("{}", fmt::join(reasons, ", "));
    }

    const wire::PrintStatus& status_;
    const Heading& heading_;
    const NameOf& name_of_;
    std::vector<Running> running_; ///< The oldest first.
    std::vector<Rank> silent_;
    std::string text_;
};

} // namespace

std::string render(const wire::PrintStatus& status, const Heading& heading, const NameOf& name_of) {
    return Page(status, heading, name_of).text();
}

} // namespace muster::status
