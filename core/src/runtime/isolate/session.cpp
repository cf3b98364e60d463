#include "runtime/isolate/session.hpp"

#include "process/pipes.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <stop_token>
#include <utility>

namespace muster::runtime::isolate {

using detail::FutureBlock;
using detail::SlotState;
using process::Channel;
using namespace std::chrono_literals;

namespace {

// A short task answers within this time; see RankClient. Yielding keeps the core awake.
constexpr std::chrono::microseconds spin_time{50};

// At the end of the run its rank itself waits no longer than five seconds.
constexpr std::chrono::milliseconds end_grace{3000};

// For a process that closed its socket and does not end.
constexpr std::chrono::milliseconds silence_max{2000};

// For a SIGTERM to be seen, by code that may have a handler of its own.
constexpr std::chrono::milliseconds stop_seen_max{1000};

constexpr std::chrono::milliseconds forever{-1}; // as poll(2) has it

constexpr std::size_t pushed_bytes_max = 4096; // larger values are sent when asked for

Refusal refusal_of(const std::exception& error) {
    const auto* const own = dynamic_cast<const Error*>(&error);
    return {own != nullptr ? own->code() : ErrorCode::failed, error.what()};
}

} // namespace

class Session::Bell final : public detail::Watcher {
public:
    Bell() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!event_) {
            throw Error("no file descriptor is left to wait for an isolated process (ulimit -n)");
        }
    }

    /// @param tag  A future's ObjectId.
    void notify(std::size_t tag) override {
        {
            const std::lock_guard lock(mutex_);
            arrived_.push_back(ObjectId{tag});
        }
        ring();
    }

    void end() override {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        ring();
    }

    void ring() const {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
    }

    void silence() const {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto taken = ::read(event_.get(), &count, sizeof count);
    }

    [[nodiscard]] std::vector<ObjectId> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(arrived_, {});
    }

    [[nodiscard]] bool has_ended() {
        const std::lock_guard lock(mutex_);
        return ended_;
    }

    [[nodiscard]] int event() const { return event_.get(); }

private:
    process::UniqueFd event_;
    std::mutex mutex_; ///< Guards what follows.
    std::vector<ObjectId> arrived_;
    bool ended_ = false;
};

Session::Session(const Config& config,
                 process::HostedProcess process,
                 std::shared_ptr<process::ErrorRelay::Stream> error,
                 const FunctionTable& functions,
                 RankClient& client)
    : config_(config), process_(std::move(process)), error_(std::move(error)),
      functions_(functions), client_(client), channel_(process_.channel()),
      bell_(std::make_shared<Bell>()) {
    send(Hello{client_.run_id(), client_.cluster()});
}

Session::~Session() {
    for (const auto& [object, held] : held_) {
        held.block->release(held.index);
    }
}

bool Session::has_ended() const {
    // One that is just ending has closed its socket before anybody is told.
    std::array<pollfd, 2> events{{{process_.report(), POLLIN, 0}, {process_.channel(), 0, 0}}};
    return !death_.empty() || ::poll(events.data(), events.size(), 0) != 0;
}

bool Session::reusable() {
    return !stop_under_way_ && !has_ended();
}

void Session::send(const ToProcess& message, const std::vector<Buffer>& payloads) {
    channel_.send(to_buffer(message).bytes(), payloads, Channel::Wait::no);
}

Session::Outcome Session::run(const Run& run,
                              std::vector<Buffer> payloads,
                              const detail::CurrentTask& current,
                              OnStop on_stop) {
    Job job{current, on_stop, {}, {}, false};
    if (!death_.empty()) {
        return cannot_run();
    }
    const detail::CurrentScope scope(client_, &current);
    const auto attached = client_.attach(*bell_);
    const std::stop_callback stop(current.stop_token, [this] { bell_->ring(); });
    error_->forget();
    await_stop_seen(job);
    send(run, payloads);
    payloads.clear();
    while (!job.outcome) {
        // To look at the grace, which the end of the run shortens.
        wait(job.stopped_at && !job.killed ? 20ms : forever);
        stop_if_asked(job);
        attend(job);
    }
    end_all_waits();
    return std::move(*job.outcome);
}

void Session::await_stop_seen(Job& job) {
    const auto deadline = Clock::now() + stop_seen_max;
    while (stop_under_way_ && !job.outcome && Clock::now() < deadline) {
        wait(20ms);
        attend(job);
    }
    stop_under_way_ = false;
}

void Session::wait(std::chrono::milliseconds timeout) {
    std::array<pollfd, 3> events{{{process_.channel(), POLLIN, 0},
                                  {process_.report(), POLLIN, 0},
                                  {bell_->event(), POLLIN, 0}}};
    if (channel_.has_unsent()) {
        events[0].events |= POLLOUT;
    }
    const auto spin_until = Clock::now() + spin_time;
    int ready = 0;
    while ((ready = ::poll(events.data(), events.size(), 0)) == 0 && Clock::now() < spin_until) {
        ::sched_yield();
    }
    if (ready == 0) {
        ::poll(events.data(), events.size(), static_cast<int>(timeout.count()));
    }
    if (events[2].revents != 0) {
        bell_->silence();
    }
}

void Session::stop_if_asked(Job& job) {
    if (!job.current.stop_token.stop_requested() || job.killed) {
        return;
    }
    const auto now = Clock::now();
    if (!job.stopped_at) {
        job.stopped_at = now;
        stop_under_way_ = true;
        process_.signal(SIGTERM);
        return;
    }
    const bool ending = bell_->has_ended();
    const auto grace = ending ? std::min(config_.stop_grace, end_grace) : config_.stop_grace;
    if ((ending || job.on_stop == OnStop::kill) && now - *job.stopped_at >= grace) {
        job.killed = true;
        process_.signal(SIGKILL);
    }
}

void Session::attend(Job& job) {
    try {
        take_in_arrivals();
        receive(job);
        channel_.flush();
    } catch (const std::exception& error) {
        // Its memory may be overwritten, or ours is used up: it would wait for an answer for ever.
        process_.signal(SIGKILL);
        (void)process_.wait_end();
        job.outcome = died(job, fmt::format("was ended, because of this: {}", error.what()));
    }
}

void Session::receive(Job& job) {
    while (!job.outcome) {
        auto received = channel_.receive(Channel::Wait::no);
        if (received.frame) {
            perform(job, from_buffer<ToRank>(received.frame->head), received.frame->payloads);
        } else if (received.ended && !process::has_input(process_.report(), silence_max)) {
            process_.signal(SIGKILL);
            job.outcome = died(job, "closed the socket to its rank, and was ended");
        } else if (received.ended || process_.poll_end()) {
            job.outcome = died(job, {});
        } else {
            return;
        }
    }
}

Session::Outcome Session::died(const Job& job, const std::string& known) {
    end_all_waits();
    const auto end = process_.wait_end();
    std::string text = fmt::format("its process {} ", process_.pid());
    if (!known.empty()) {
        text += known;
    } else if (job.killed && end.signal == SIGKILL) {
        text += fmt::format(
            "was asked to stop by SIGTERM, ran on, and was ended by SIGKILL after {:.3g} s",
            std::chrono::duration<double>(Clock::now() - *job.stopped_at).count());
    } else {
        text += describe(end, process_.memory_limit());
    }
    if (end.is_known) {
        text += fmt::format(", peak memory {}", to_string(end.memory_peak));
    }
    death_ = text;
    const std::string lines = error_->last_lines();
    text += lines.empty() ? "; it wrote nothing to its standard error"
                          : fmt::format("; last lines of its standard error:\n{}", lines);
    Outcome outcome{false, {}, std::vector<wire::FailureRecord>(1)};
    outcome.failure.front().kind = wire::FailureRecord::Kind::system;
    outcome.failure.front().message = std::move(text);
    return outcome;
}

Session::Outcome Session::cannot_run() const {
    Outcome outcome{false, {}, std::vector<wire::FailureRecord>(1)};
    outcome.failure.front().kind = wire::FailureRecord::Kind::system;
    outcome.failure.front().message = fmt::format("its actor is gone: {}", death_);
    return outcome;
}

template <class Message, class Serve>
void Session::answer(const Message& message, Serve&& serve) {
    Answer answer;
    answer.request = message.request;
    try {
        serve(answer);
    } catch (const std::exception& error) {
        answer.refusal = refusal_of(error);
    }
    send(answer);
}

void Session::perform(Job& job, ToRank message, std::vector<Buffer>& payloads) {
    // While threads of the process wait already, a call that waits as well lends nothing more.
    detail::CurrentTask second = job.current;
    second.id = second.context;
    second.lends_cpus = false;
    const detail::CurrentScope scope(client_, blocked_ ? &second : &job.current);
    const auto visit = [&](auto& request) {
        using Request = std::remove_cvref_t<decltype(request)>;
        if constexpr (std::is_same_v<Request, Done>) {
            job.outcome = Outcome{true, std::move(payloads.at(0)), {}};
        } else if constexpr (std::is_same_v<Request, Failed>) {
            job.outcome = Outcome{false, {}, std::move(request.records)};
            job.outcome->failure.resize(std::max<std::size_t>(job.outcome->failure.size(), 1));
        } else if constexpr (std::is_same_v<Request, StopSeen>) {
            stop_under_way_ = false;
        } else if constexpr (std::is_same_v<Request, Submit>) {
            answer(request, [&](Answer& answer) { submit(request, payloads.at(0), answer); });
        } else if constexpr (std::is_same_v<Request, Put>) {
            answer(request, [&](Answer& answer) {
                const auto block = client_.put(payloads.at(0), std::move(request.actors));
                answer.id = block->id(0);
                block->acquire(0);
                held_.emplace(answer.id, Held{block, 0}); // nothing will become of it
            });
        } else if constexpr (std::is_same_v<Request, Want>) {
            want(request);
        } else if constexpr (std::is_same_v<Request, WaitBegins>) {
            answer(request, [&](Answer&) { begin_wait(); });
        } else if constexpr (std::is_same_v<Request, WaitEnds>) {
            answer(request, [&](Answer&) { end_wait(); });
        } else if constexpr (std::is_same_v<Request, CancelTask>) {
            client_.cancel(request.task);
        } else if constexpr (std::is_same_v<Request, Escape>) {
            client_.escape(request.object);
        } else if constexpr (std::is_same_v<Request, Borrow>) {
            if (!client_.ended()) {
                hold(client_.borrow(request.object), 0);
            }
        } else if constexpr (std::is_same_v<Request, Release>) {
            for (const ObjectId object : request.objects) {
                release(object);
            }
        } else if constexpr (std::is_same_v<Request, Spawn>) {
            answer(request, [&](Answer& answer) {
                const auto& constructor = functions_.at(request.constructor);
                auto actor = client_.spawn({constructor, constructor.name, request.saves},
                                           request.options,
                                           from_buffer<detail::EncodedTasks>(payloads.at(0)));
                answer.id = actor->actor();
                answer.pending_calls_max = actor->pending_calls_max();
                answer.replays = actor->replays();
                actors_.emplace(answer.id, std::move(actor));
            });
        } else if constexpr (std::is_same_v<Request, CallActor>) {
            answer(request, [&](Answer& answer) {
                const auto actor = actors_.find(request.actor);
                if (actor == actors_.end()) {
                    throw Error("the actor's handle is not its process's", ErrorCode::usage);
                }
                const auto block = client_.call(*actor->second,
                                                functions_.at(request.method),
                                                request.options,
                                                from_buffer<detail::EncodedTasks>(payloads.at(0)));
                answer.id = block->id(0);
                hold(block, 0);
            });
        } else if constexpr (std::is_same_v<Request, KillActor>) {
            client_.kill_actor(request.actor);
        } else if constexpr (std::is_same_v<Request, FindActor>) {
            answer(request, [&](Answer& answer) {
                auto actor = client_.find_actor(request.name, request.class_name.c_str());
                answer.id = actor->actor();
                answer.pending_calls_max = actor->pending_calls_max();
                answer.replays = actor->replays();
                actors_.emplace(answer.id, std::move(actor));
            });
        } else if constexpr (std::is_same_v<Request, EscapeActor>) {
            client_.escape_actor(request.actor);
        } else if constexpr (std::is_same_v<Request, BorrowActor>) {
            if (!client_.ended()) {
                actors_.emplace(request.actor,
                                client_.borrow_actor(
                                    request.actor, request.pending_calls_max, request.replays));
            }
        } else if constexpr (std::is_same_v<Request, ReleaseActor>) {
            if (const auto actor = actors_.find(request.actor); actor != actors_.end()) {
                actors_.erase(actor);
            }
        } else if constexpr (std::is_same_v<Request, MakeGroup>) {
            answer(request, [&](Answer& answer) {
                auto group = client_.make_group(std::move(request.bundles), request.options);
                answer.group = group->description();
                answer.id = answer.group->id;
                hold(group->ready(), 0);
                groups_.emplace(answer.id, std::move(group));
            });
        } else if constexpr (std::is_same_v<Request, BorrowGroup>) {
            if (!client_.ended()) {
                const ObjectId id = request.group.id;
                groups_.emplace(id, client_.borrow_group(std::move(request.group)));
            }
        } else if constexpr (std::is_same_v<Request, RemoveGroup>) {
            client_.remove_group(request.group);
        } else {
            static_assert(std::is_same_v<Request, ReleaseGroup>);
            if (const auto group = groups_.find(request.group); group != groups_.end()) {
                groups_.erase(group);
            }
        }
    };
    std::visit(visit, message);
}

void Session::submit(const Submit& message, const Buffer& payload, Answer& answer) {
    auto tasks = from_buffer<detail::EncodedTasks>(payload);
    const std::uint64_t count = tasks.tasks.size();
    const auto [block, first] =
        client_.submit(functions_.at(message.function), message.options, std::move(tasks));
    answer.id = block->id(first);
    answer.stride = block->stride();
    for (std::uint64_t i = 0; i < count; ++i) {
        hold(block, first + i);
    }
}

void Session::hold(const std::shared_ptr<FutureBlock>& block, std::uint64_t index) {
    block->acquire(index);
    held_.emplace(block->id(index), Held{block, index});
    block->watch(index, bell_, static_cast<std::size_t>(block->id(index)));
}

void Session::release(ObjectId object) {
    if (const auto place = held_.find(object); place != held_.end()) {
        const Held held = std::move(place->second);
        held_.erase(place);
        held.block->release(held.index);
    }
}

const Session::Held* Session::find(ObjectId object) const {
    const Held* best = nullptr;
    const auto state = [](const Held& held) { return held.block->slot(held.index).state.load(); };
    const auto [begin, end] = held_.equal_range(object);
    for (auto place = begin; place != end; ++place) {
        if (best == nullptr || state(place->second) > state(*best)) {
            best = &place->second;
        }
    }
    return best;
}

void Session::want(const Want& message) {
    try {
        if (find(message.object) == nullptr) {
            throw Error("the future is not its process's", ErrorCode::usage);
        }
        if (client_.ended()) {
            throw Error("the run has ended: there are no values any more", ErrorCode::object_lost);
        }
        begin_wait();
    } catch (const std::exception& error) {
        Answer answer;
        answer.request = message.request;
        answer.refusal = refusal_of(error);
        send(answer);
        return;
    }
    wanted_.emplace(message.object, message.request);
    advance(message.object);
}

void Session::take_in_arrivals() {
    for (const ObjectId object : bell_->take()) {
        advance(object);
    }
    if (!news_.empty()) {
        Resolved resolved;
        std::vector<Buffer> values;
        for (auto& [state, value] : news_) {
            resolved.futures.push_back(std::move(state));
            values.push_back(std::move(value));
        }
        news_.clear();
        send(resolved, values);
    }
    if (bell_->has_ended() && !told_of_end_) {
        told_of_end_ = true;
        send(RunEnded{});
        for (const auto& [object, request] : std::exchange(wanted_, {})) {
            Answer answer;
            answer.request = request;
            answer.refusal = {ErrorCode::object_lost,
                              "the run has ended: there are no values any more"};
            end_wait();
            send(answer);
        }
    }
}

void Session::advance(ObjectId object) {
    const Held* const held = find(object);
    if (held == nullptr) {
        return; // released meanwhile
    }
    auto& slot = held->block->slot(held->index);
    FutureState state{object, slot.state.load(std::memory_order_acquire), {}, {}};
    if (state.state == SlotState::pending) {
        return;
    }
    if (state.state == SlotState::failed) {
        state.failure = slot.failure->chain;
        state.code = slot.failure->code;
    }
    const auto [begin, end] = wanted_.equal_range(object);
    const bool has_value = state.state == SlotState::value;
    if (begin == end) {
        if (has_value && slot.value.size() > pushed_bytes_max) {
            state.state = SlotState::kept_elsewhere;
        }
        news_.emplace_back(std::move(state),
                           state.state == SlotState::value ? slot.value : Buffer());
        return;
    }
    if (state.state == SlotState::kept_elsewhere) {
        held->block->watch_value(held->index, bell_, static_cast<std::size_t>(object));
        return;
    }
    std::vector<std::uint64_t> requests;
    for (auto place = begin; place != end; ++place) {
        requests.push_back(place->second);
    }
    wanted_.erase(begin, end);
    for (const std::uint64_t request : requests) {
        end_wait();
        Answer answer;
        answer.request = request;
        answer.future = state;
        send(answer, {has_value ? slot.value : Buffer()});
    }
}

void Session::begin_wait() {
    if (waits_ == 0) {
        blocked_.emplace(client_);
    }
    ++waits_;
}

void Session::end_wait() {
    if (waits_ > 0 && --waits_ == 0) {
        blocked_.reset();
    }
}

void Session::end_all_waits() {
    waits_ = 0;
    blocked_.reset();
    wanted_.clear();
}

} // namespace muster::runtime::isolate
