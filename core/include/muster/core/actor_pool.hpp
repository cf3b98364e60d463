#pragma once

#include <muster/core/actor.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

namespace muster {

struct ActorPoolOptions {
    /// Calls that an actor has under way at most, the one that runs included. More than one hides
    /// the round trip between two calls; more than a few makes the balance worse.
    std::size_t pending_max = 2;
};

/// Several actors of one class, to which calls go as they have room: each call to the least loaded.
///
///     muster::ActorPool<Model> pool(4, {.gpus = 1}, "weights.h5");
///     for (auto& label : pool.map<&Model::classify>(images)) { use(label.get()); }
///
/// Counts the calls made through it only. A value of this process: it does not travel.
/// Threads: one at a time.
template <class C>
class ActorPool {
public:
    explicit ActorPool(std::vector<ActorHandle<C>> actors, ActorPoolOptions options = {})
        : options_(options), queue_(std::make_shared<detail::CompletionQueue>()) {
        if (options_.pending_max == 0) {
            throw Error("an actor pool's pending_max is 0, so no actor could ever be called",
                        ErrorCode::usage);
        }
        for (auto& actor : actors) {
            add(std::move(actor));
        }
    }

    /// Spawns `count` actors, each with these arguments. @throws as spawn().
    template <class... A>
    ActorPool(std::size_t count, const ActorOptions& options, const A&... arguments)
        : ActorPool(spawn_all(count, options, arguments...)) {}

    ActorPool(ActorPool&&) noexcept = default;
    ActorPool& operator=(ActorPool&&) noexcept = default;

    /// Calls the member function `M` of the actor with the fewest calls under way; of those, the
    /// one called longest ago. Waits while every actor has `pending_max`.
    /// @throws Error (usage) if the pool is empty; as ActorHandle::call().
    template <auto M, class... A>
    auto submit(A&&... arguments) {
        const std::size_t number = wait_for_room();
        Member& member = actors_.at(number);
        const auto future = member.handle.template call<M>(std::forward<A>(arguments)...);
        const std::size_t call = ++last_call_;
        change_load(number, member, member.load + 1, call);
        // Held, so that its end is heard of also if the caller lets it go.
        under_way_.emplace(call, std::pair{number, Future<void>(future.block(), future.index())});
        future.block()->watch(future.index(), queue_, call);
        return future;
    }

    /// submit() for every element of a range; futures in the range's order. A member function of
    /// several parameters takes elements that are tuples of them.
    ///
    /// Elements go to actors as these get done with others, so this returns when the last ones are
    /// under way.
    template <auto M, std::ranges::input_range R>
    auto map(R&& range) {
        using Result = std::remove_cvref_t<typename detail::Method<M>::Result>;
        std::vector<Future<Result>> futures;
        for (auto&& element : range) {
            if constexpr (detail::Method<M>::parameter_count == 1) {
                futures.push_back(submit<M>(std::forward<decltype(element)>(element)));
            } else {
                std::apply(
                    [&](auto&&... values) {
                        futures.push_back(submit<M>(std::forward<decltype(values)>(values)...));
                    },
                    std::forward<decltype(element)>(element));
            }
        }
        return futures;
    }

    /// From now on it is called, too.
    void add(ActorHandle<C> actor) {
        const std::size_t number = ++last_actor_;
        actors_.emplace(number, Member{std::move(actor), 0, 0});
        order_.insert({0, 0, number});
    }

    /// Takes an actor without calls under way out of the pool; none if all have some.
    [[nodiscard]] std::optional<ActorHandle<C>> remove_idle() {
        note_done();
        if (order_.empty() || std::get<0>(*order_.begin()) > 0) {
            return std::nullopt;
        }
        const auto place = actors_.find(std::get<2>(*order_.begin()));
        ActorHandle<C> actor = std::move(place->second.handle);
        order_.erase(order_.begin());
        actors_.erase(place);
        return actor;
    }

    [[nodiscard]] std::size_t size() const { return actors_.size(); }

    /// Calls made through the pool that are not done.
    [[nodiscard]] std::size_t pending() {
        note_done();
        return under_way_.size();
    }

    /// Waits until no call made through the pool is under way.
    void wait_all() {
        while (!under_way_.empty()) {
            note_one_done();
        }
    }

private:
    struct Member {
        ActorHandle<C> handle;
        std::size_t load = 0;
        std::size_t called = 0; ///< Its latest call's number.
    };

    /// Load, latest call, number: the first is called next.
    using Order = std::tuple<std::size_t, std::size_t, std::size_t>;

    template <class... A>
    static std::vector<ActorHandle<C>>
    spawn_all(std::size_t count, const ActorOptions& options, const A&... arguments) {
        if (!options.name.empty() && count > 1) {
            throw Error("the actors of a pool cannot share the name \"" + options.name + '"',
                        ErrorCode::usage);
        }
        std::vector<ActorHandle<C>> actors;
        for (std::size_t i = 0; i < count; ++i) {
            actors.push_back(spawn<C>(options, arguments...));
        }
        return actors;
    }

    void change_load(std::size_t number, Member& member, std::size_t load, std::size_t called) {
        order_.erase({member.load, member.called, number});
        member.load = load;
        member.called = called;
        order_.insert({load, called, number});
    }

    /// @return the number of the actor to be called next.
    std::size_t wait_for_room() {
        if (actors_.empty()) {
            throw Error("this actor pool is empty: add() an actor before submitting",
                        ErrorCode::usage);
        }
        note_done();
        while (std::get<0>(*order_.begin()) >= options_.pending_max) {
            note_one_done();
        }
        return std::get<2>(*order_.begin());
    }

    void note(std::size_t call) {
        const auto place = under_way_.find(call);
        const std::size_t number = place->second.first;
        under_way_.erase(place);
        Member& member = actors_.at(number);
        change_load(number, member, member.load - 1, member.called);
    }

    void note_done() {
        while (const auto call = queue_->next(std::chrono::steady_clock::time_point::min())) {
            note(*call);
        }
    }

    void note_one_done() {
        const auto& client = under_way_.begin()->second.second.block()->client();
        note(*client->wait_any(*queue_, std::nullopt));
    }

    ActorPoolOptions options_;
    std::shared_ptr<detail::CompletionQueue> queue_;
    std::map<std::size_t, Member> actors_; ///< By number, which counts up.
    std::set<Order> order_;
    std::map<std::size_t, std::pair<std::size_t, Future<void>>> under_way_; ///< By call: the actor.
    std::size_t last_actor_ = 0;
    std::size_t last_call_ = 0;
};

} // namespace muster
