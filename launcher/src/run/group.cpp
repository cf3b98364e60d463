#include "run/group.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/duration.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>

namespace muster::launcher::run {
namespace {

constexpr int lost_code = 1;

/// Within which the same signal from several nodes is one.
constexpr auto signal_window = std::chrono::seconds(1);

/// Lines of a failing rank are set off from what muster says.
std::string indented(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto line = text.substr(0, end);
        result += fmt::format("\n    {}", line);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return result;
}

bool asks_to_end(int signal) {
    return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

std::string plural(int count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

} // namespace

std::string describe(const Ending& ending) {
    if (!ending.start.empty()) {
        return fmt::format("could not be started: {}", ending.start);
    }
    if (ending.signal != 0) {
        return fmt::format("signal {} ({})", ending.signal, ::strsignal(ending.signal));
    }
    return fmt::format("exit code {}", ending.exit_code);
}

Group::Group(GroupOptions options, TimePoint now)
    : options_(std::move(options)), now_(now), gather_until_(now + options_.join_patience) {
    MUSTER_ASSERT(options_.nodes_min >= 1 && options_.nodes_max >= options_.nodes_min);
    if (options_.timeout) {
        timeout_at_ = now + *options_.timeout;
    }
}

void Group::on_event(TimePoint now, const Event& event, std::vector<Action>& actions) {
    MUSTER_ASSERT(phase_ != Phase::finished);
    now_ = now;
    actions_ = &actions;
    std::visit([this](const auto& each) { handle(each); }, event);
    actions_ = nullptr;
}

std::optional<TimePoint> Group::deadline() const {
    std::optional<TimePoint> first;
    const auto consider = [&](const std::optional<TimePoint>& time) {
        if (time && (!first || *time < *first)) {
            first = time;
        }
    };
    if (phase_ == Phase::finished) {
        return first;
    }
    if (phase_ == Phase::gathering) {
        consider(gather_until_);
        consider(last_call_until_);
    }
    consider(kill_at_);
    consider(stop_until_);
    if (!timed_out_) {
        consider(timeout_at_);
    }
    return first;
}

void Group::handle(const Joined& event) {
    if (members_.contains(event.node)) {
        return; // a supervisor joins once
    }
    members_[event.node].joined = event;
    if (phase_ == Phase::gathering) {
        consider_start();
    } // else it has its part in the next generation, if there is one
}

std::string Group::rank_of(const Exited& event, const Member& member) const {
    const int rank = member.placement.first_rank + event.index;
    if (!options_.subject.empty()) {
        return options_.subject;
    }
    std::string text = fmt::format("rank {}", rank);
    if (member.placement.hosts > 1 || member.placement.world_size > 1) {
        text += fmt::format(" on {}", member.joined.host);
    }
    return event.pid > 0 ? fmt::format("{} (process {})", text, event.pid) : text;
}

void Group::handle(const Exited& event) {
    const auto place = members_.find(event.node);
    if (place == members_.end() || event.generation != generation_ ||
        !place->second.in_generation || place->second.running == 0) {
        return;
    }
    Member& member = place->second;
    --member.running;
    // What ends after the others were told to is no failure of its own.
    if (!event.ending.ok() && phase_ == Phase::running) {
        if (failure_) {
            ++failures_more_;
        } else {
            Failure failure;
            failure.brief = fmt::format("{}: {}", rank_of(event, member), describe(event.ending));
            failure.code = event.ending.code();
            failure.text = failure.brief;
            if (!event.error_file.empty()) {
                failure.text += "\n  it reported:" + indented(event.error_file);
            } else if (!event.error_tail.empty()) {
                failure.text +=
                    "\n  the last lines of its standard error:" + indented(event.error_tail);
            }
            failure_ = std::move(failure);
        }
        if (ending_signal_ == 0) {
            stop_all(/*at_once=*/false);
        }
    }
    consider_end();
}

void Group::handle(const Stopped& event) {
    const auto place = members_.find(event.node);
    if (place == members_.end() || event.generation != generation_) {
        return;
    }
    place->second.in_generation = false;
    place->second.running = 0;
    place->second.joined.port = event.port;
    consider_end();
}

void Group::handle(const Lost& event) {
    const auto place = members_.find(event.node);
    if (place == members_.end()) {
        return;
    }
    const bool had_part = place->second.in_generation;
    const std::string host = place->second.joined.host;
    members_.erase(place);
    ++gone_;
    if (phase_ == Phase::gathering) {
        say(fmt::format("node {} is lost: {}", host, event.why));
        consider_start();
        return;
    }
    if (had_part) {
        lost_in_generation_ = true;
        if (!failure_) {
            const std::string text = fmt::format("node {} is lost: {}", host, event.why);
            failure_ = Failure{text, text, lost_code};
        } else {
            say(fmt::format("node {} is lost: {}", host, event.why));
        }
        if (phase_ == Phase::running && ending_signal_ == 0) {
            stop_all(/*at_once=*/false);
        }
        consider_end();
    }
}

void Group::handle(const LauncherEnded& event) {
    launcher_ended_ = true;
    launcher_how_ = event.how;
    if (phase_ == Phase::gathering) {
        consider_start();
    }
}

void Group::handle(const Signalled& event) {
    const auto before = signalled_at_.find(event.number);
    if (event.by_node && before != signalled_at_.end() && now_ < before->second + signal_window) {
        return;
    }
    signalled_at_[event.number] = now_;
    if (asks_to_end(event.number)) {
        if (phase_ == Phase::gathering) {
            finish(128 + event.number);
            return;
        }
        if (ending_signal_ != 0) {
            killed_after_signal_ = phase_ == Phase::running;
            stop_all(/*at_once=*/true); // asked again: at once
            return;
        }
        ending_signal_ = event.number;
        if (phase_ == Phase::running) {
            kill_at_ = now_ + options_.grace;
        }
    }
    for (const auto& [node, member] : members_) {
        if (member.in_generation && phase_ == Phase::running) {
            actions_->emplace_back(Forward{node, event.number});
        }
    }
}

void Group::handle(const Ticked&) {
    if (timeout_at_ && now_ >= *timeout_at_ && !timed_out_) {
        timed_out_ = true;
        say(fmt::format("the time of {} (--timeout) is up", format_duration(*options_.timeout)));
        if (phase_ == Phase::gathering) {
            finish(timed_out_code);
            return;
        }
        stop_all(/*at_once=*/false);
        consider_end();
        return;
    }
    if (phase_ == Phase::gathering) {
        consider_start();
        return;
    }
    if (kill_at_ && now_ >= *kill_at_) {
        kill_at_.reset();
        say(fmt::format("{} did not end within {} of signal {} (--grace)",
                        plural(running(), "rank"),
                        format_duration(options_.grace),
                        ending_signal_));
        killed_after_signal_ = true;
        stop_all(/*at_once=*/true);
    }
    if (stop_until_ && now_ >= *stop_until_) {
        stop_until_.reset();
        std::vector<NodeId> silent;
        for (const auto& [node, member] : members_) {
            if (member.in_generation) {
                silent.push_back(node);
            }
        }
        for (const NodeId node : silent) {
            if (phase_ != Phase::finished) {
                handle(Lost{node, "it did not stop its processes when it was told to"});
            }
        }
    }
}

int Group::nodes_possible() const {
    return launcher_ended_ ? static_cast<int>(members_.size()) : options_.nodes_max - gone_;
}

int Group::running() const {
    int count = 0;
    for (const auto& [node, member] : members_) {
        count += member.in_generation ? member.running : 0;
    }
    return count;
}

void Group::consider_start() {
    const int there = static_cast<int>(members_.size());
    if (nodes_possible() < options_.nodes_min) {
        say(fmt::format("{} of {} are there{}",
                        there,
                        plural(options_.nodes_min, "node"),
                        launcher_how_.empty() ? "" : "; " + launcher_how_));
        finish(lost_code);
        return;
    }
    if (there >= options_.nodes_min && there >= nodes_possible()) {
        start_generation();
        return;
    }
    if (there >= options_.nodes_min && !last_call_until_) {
        last_call_until_ = now_ + options_.last_call;
    }
    if (last_call_until_ && now_ >= *last_call_until_ && there >= options_.nodes_min) {
        start_generation();
        return;
    }
    if (now_ >= gather_until_) {
        std::string names;
        for (const auto& [node, member] : members_) {
            names += (names.empty() ? "" : ", ") + member.joined.host;
        }
        say(fmt::format(
            "after {} only {} of {} have joined{}{}; is each node able to reach this one? "
            "(--join-timeout)",
            format_duration(options_.join_patience),
            there,
            plural(options_.nodes_min, "node"),
            names.empty() ? "" : ": ",
            names));
        finish(lost_code);
    }
}

void Group::start_generation() {
    ++generation_;
    phase_ = Phase::running;
    failure_.reset();
    failures_more_ = 0;
    lost_in_generation_ = false;
    last_call_until_.reset();
    stop_until_.reset();
    // Ranks of a host are neighbours, whatever the order in which a launcher numbers its tasks.
    std::vector<std::string> hosts;
    std::map<std::string, int> host_sizes;
    int world_size = 0;
    for (const auto& [node, member] : members_) {
        if (std::ranges::find(hosts, member.joined.host) == hosts.end()) {
            hosts.push_back(member.joined.host);
        }
        host_sizes[member.joined.host] += member.joined.processes;
        world_size += member.joined.processes;
    }
    const Joined* master = nullptr;
    int rank = 0;
    for (std::size_t host = 0; host < hosts.size(); ++host) {
        int local_rank = 0;
        for (auto& [node, member] : members_) {
            if (member.joined.host != hosts[host]) {
                continue;
            }
            master = master == nullptr ? &member.joined : master;
            Placement placement;
            placement.generation = generation_;
            placement.first_rank = rank;
            placement.world_size = world_size;
            placement.first_local_rank = local_rank;
            placement.local_world_size = host_sizes[hosts[host]];
            placement.host_index = static_cast<int>(host);
            placement.hosts = static_cast<int>(hosts.size());
            placement.max_restarts = options_.max_restarts;
            placement.master_address = master->address;
            placement.master_port = master->port;
            member.placement = placement;
            member.running = member.joined.processes;
            member.in_generation = true;
            rank += member.joined.processes;
            local_rank += member.joined.processes;
            actions_->emplace_back(Start{node, placement});
        }
    }
}

void Group::stop_all(bool at_once) {
    if (phase_ == Phase::running) {
        phase_ = Phase::stopping;
    }
    kill_at_.reset();
    stop_until_ = now_ + (at_once ? Duration::zero() : options_.grace) + options_.stop_patience;
    for (const auto& [node, member] : members_) {
        if (member.in_generation) {
            actions_->emplace_back(Stop{node, generation_, at_once});
        }
    }
}

void Group::consider_end() {
    if (phase_ == Phase::running && running() == 0) {
        stop_all(/*at_once=*/true); // what their processes have left behind
    }
    if (phase_ == Phase::stopping && std::ranges::none_of(members_, [](const auto& entry) {
            return entry.second.in_generation;
        })) {
        after_generation();
    }
}

void Group::after_generation() {
    stop_until_.reset();
    kill_at_.reset();
    if (failure_) {
        std::string text = failure_->text;
        if (failures_more_ > 0) {
            text = fmt::format(
                "{}\n  and {} failed after it", text, plural(failures_more_, "other rank"));
        }
        say(text);
    }
    if (timed_out_) {
        finish(timed_out_code);
        return;
    }
    if (!failure_) {
        finish(killed_after_signal_ ? 128 + ending_signal_ : 0);
        return;
    }
    if (ending_signal_ != 0) {
        finish(failure_->code);
        return;
    }
    const int there = static_cast<int>(members_.size());
    if (there < options_.nodes_min) {
        say(fmt::format("{} left, and {} needed{}",
                        plural(there, "node") + (there == 1 ? " is" : " are"),
                        options_.nodes_min,
                        options_.nodes_min == options_.nodes_max ? " (--nodes MIN:MAX allows fewer)"
                                                                 : ""));
        finish(failure_->code);
        return;
    }
    if (lost_in_generation_) {
        say(fmt::format("starting anew on {}", plural(there, "node")));
    } else if (restarts_used_ < options_.max_restarts) {
        ++restarts_used_;
        say(fmt::format("restart {} of {}", restarts_used_, options_.max_restarts));
    } else {
        finish(failure_->code);
        return;
    }
    start_generation();
}

void Group::finish(int code) {
    phase_ = Phase::finished;
    actions_->emplace_back(Finish{code});
}

void Group::say(std::string text) {
    actions_->emplace_back(Say{std::move(text)});
}

} // namespace muster::launcher::run
