#pragma once

#include <muster/core/detail/actor_block.hpp>
#include <muster/core/detail/actor_thunk.hpp>
#include <muster/core/future.hpp>
#include <muster/core/options.hpp>
#include <muster/core/serialize.hpp>

#include <compare>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster {

template <class C>
class ActorHandle;

namespace detail {

/// An actor's handle with options for calls: what .with() makes.
template <class C>
class ConfiguredHandle {
public:
    ConfiguredHandle(ActorHandle<C> actor, CallOptions options)
        : actor_(std::move(actor)), options_(options) {}

    /// As ActorHandle::call(), with the options.
    template <auto M, class... A>
    auto call(A&&... arguments) const {
        return actor_.template call_as<M>(options_, std::forward<A>(arguments)...);
    }

private:
    ActorHandle<C> actor_;
    CallOptions options_;
};

} // namespace detail

/// An actor: an object of an ordinary class that lives on some rank, and is called from any.
///
///     auto hits = muster::spawn<Counter>({.name = "hits"}, 10);
///     hits.call<&Counter::add>(5);
///     int n = hits.call<&Counter::value>().get(); // 15
///
/// A handle: copying it is cheap. It may be an argument of tasks and calls, part of any value that
/// travels, and of objects stored by put(). The actor is destroyed (its destructor runs, on its
/// rank) when no handle is left on any rank and all calls are done, unless it has Lifetime::job; at
/// the latest when the run has ended, and then what the destructor calls is dropped. A handle
/// inside a task's or a call's *result* keeps its actor until the run ends. kill() ends it at once.
///
/// Calls run one at a time, so the class needs no locks, unless ActorOptions::max_concurrency
/// allows more. Those of one *caller* (the driver, a task, another actor) start in the order made:
/// a call whose arguments are not there yet holds back the later ones of the same caller, and
/// nobody else's. Of several callers none waits for ever. cancel() takes a call back, or asks it to
/// stop, as a task.
///
/// A call that throws fails alone: its future throws TaskError, and the actor lives on. If the
/// constructor threw or was cancelled, every call fails with that reason.
///
/// An actor whose rank is lost is gone, unless ActorOptions::max_restarts says otherwise. It goes
/// on with the state it was constructed with or, if its class has `S save() const` and
/// `void load(S)`, with the one saved last:
///
///     struct Counter { int n = 0; void add(int k) { n += k; }
///                      int save() const { return n; } void load(int saved) { n = saved; } };
///     auto hits = muster::spawn<Counter>({.max_restarts = 2, .replay = true});
///
/// Threads: different handles may be used at the same time, also if they name the same actor.
template <class C>
class ActorHandle {
public:
    using actor_type = C;

    ActorHandle() = default;

    /// Calls the member function `M` with these arguments, as task() does: they travel by value,
    /// and a Future in the place of a value is a dependency. Sent straight to the actor's rank.
    ///
    /// Returns at once, unless this caller has ActorOptions::pending_calls_max calls under way.
    /// @throws Error (usage) if the handle is empty.
    template <auto M, class... A>
    auto call(A&&... arguments) const {
        return call_as<M>(CallOptions{}, std::forward<A>(arguments)...);
    }

    /// The same actor, called as the options say.
    [[nodiscard]] detail::ConfiguredHandle<C> with(CallOptions options) const {
        return detail::ConfiguredHandle<C>(*this, options);
    }

    /// Private to the library: what call() does.
    template <auto M, class... A>
    auto call_as(const CallOptions& options, A&&... arguments) const {
        using Signature = detail::Method<M>;
        using Result = std::remove_cvref_t<typename Signature::Result>;
        constexpr bool is_right = detail::check_method<C, M>();
        constexpr bool count_matches = !is_right || sizeof...(A) == Signature::parameter_count;
        static_assert(
            count_matches,
            "muster: the actor is called with another number of arguments than the member "
            "function takes (default arguments are not seen through a pointer to it)");
        if constexpr (is_right && count_matches) {
            detail::Client& client = this->client();
            detail::ArgumentEncoder encoder(client);
            detail::encode_as(encoder,
                              std::type_identity<typename Signature::Parameters>{},
                              std::forward<A>(arguments)...);
            encoder.end_task();
            return Future<Result>(
                client.call(
                    *block_, detail::RegisteredMethod<C, M>::entry, options, encoder.take()),
                0);
        } else {
            return Future<void>();
        }
    }

    /// False for a default-constructed or moved-from handle.
    [[nodiscard]] bool valid() const noexcept { return block_ != nullptr; }

    /// The actor's name in logs: that of the task that made it. Zero for an empty handle.
    [[nodiscard]] ObjectId id() const noexcept {
        return block_ == nullptr ? ObjectId{} : block_->actor();
    }

    /// Handles are equal if they name the same actor.
    friend bool operator==(const ActorHandle& a, const ActorHandle& b) { return a.id() == b.id(); }

    friend auto operator<=>(const ActorHandle& a, const ActorHandle& b) {
        return a.id() <=> b.id();
    }

    /// Private to the library.
    explicit ActorHandle(std::shared_ptr<detail::ActorBlock> block) : block_(std::move(block)) {}

    [[nodiscard]] const std::shared_ptr<detail::ActorBlock>& block() const { return block_; }

private:
    [[nodiscard]] detail::Client& client() const {
        if (block_ == nullptr) {
            detail::throw_empty_handle();
        }
        detail::check_same_run(*block_);
        return *block_->client();
    }

    std::shared_ptr<detail::ActorBlock> block_;
};

/// Makes an actor on some rank: `C(arguments...)`, as a task. Returns at once; calls made meanwhile
/// wait for it. Futures among the arguments are dependencies, as task()'s. With a name it waits for
/// the coordinator to enter it, and find_actor() finds it from then on.
///
/// @throws Error (infeasible) if no rank could ever satisfy the options, with the closest fit;
///         Error (usage) if a living actor has the name, or if it is to be replayed and cannot be.
template <class C, class... A>
ActorHandle<C> spawn(const ActorOptions& options, A&&... arguments) {
    using Parameters = typename detail::ConstructorChoice<A...>::template For<C>;
    constexpr bool is_class = std::is_class_v<C> && !std::is_const_v<C>;
    static_assert(is_class, "muster: an actor is an object of a class");
    constexpr bool is_constructible = Parameters::template constructs<C>;
    static_assert(!is_class || is_constructible,
                  "muster: the actor's class has no constructor that takes these arguments");
    if constexpr (is_class && is_constructible) {
        using Tuple = typename Parameters::Tuple;
        []<class... P>(std::type_identity<std::tuple<P...>>) {
            (check_serializable<P>(), ...);
        }(std::type_identity<Tuple>{});
        detail::Client& client = detail::current_client();
        detail::ArgumentEncoder encoder(client);
        detail::encode_as(encoder, std::type_identity<Tuple>{}, std::forward<A>(arguments)...);
        encoder.end_task();
        return ActorHandle<C>(client.spawn({detail::RegisteredConstructor<C, Tuple>::entry,
                                            detail::type_name<C>(),
                                            detail::Saves<C>},
                                           options,
                                           encoder.take()));
    } else {
        return {};
    }
}

/// Finds a living actor by its name, from any rank. Waits for the coordinator's answer.
/// @throws Error (usage) if there is none of that name (it says which there are), or it is of
///         another class.
template <class C>
ActorHandle<C> find_actor(const std::string& name) {
    return ActorHandle<C>(detail::current_client().find_actor(name, detail::type_name<C>()));
}

/// Asks that an actor not be made: if its constructor has not run, it is cancelled, and every call
/// fails. No effect on an actor that lives.
template <class C>
void cancel(const ActorHandle<C>& actor) {
    if (!actor.valid()) {
        detail::throw_empty_handle();
    }
    actor.block()->client()->cancel(actor.id());
}

/// Ends the actor for everybody, whoever has handles and whatever its lifetime. Calls that have not
/// started fail and say so, those that run are asked to stop, and when they have ended the
/// destructor runs. It is not made again. Returns at once; no effect on an actor that has ended.
template <class C>
void kill(const ActorHandle<C>& actor) {
    if (!actor.valid()) {
        detail::throw_empty_handle();
    }
    detail::check_same_run(*actor.block());
    actor.block()->client()->kill_actor(actor.id());
}

// A handle inside a value travels by name. The writer's context lists the actors that what is
// written must hold; a writer without one holds them until the run ends.

template <class C>
void muster_encode(Writer& writer, const ActorHandle<C>& actor) {
    encode(writer, actor.id());
    if (!actor.valid()) {
        return;
    }
    const auto& block = *actor.block();
    detail::check_same_run(block);
    if (writer.context() != nullptr) {
        static_cast<std::vector<ObjectId>*>(writer.context())->push_back(actor.id());
    } else {
        block.client()->escape_actor(actor.id());
    }
    encode(writer, block.client()->run_id());
    encode(writer, block.pending_calls_max());
    encode(writer, block.replays());
}

template <class C>
void muster_decode(Reader& reader, ActorHandle<C>& actor) {
    const auto id = decode<ObjectId>(reader);
    if (id == ObjectId{}) {
        actor = {};
        return;
    }
    const auto run_id = decode<std::uint64_t>(reader);
    const auto pending_calls_max = decode<std::uint32_t>(reader);
    const auto replays = decode<bool>(reader);
    auto& client = detail::current_client();
    if (run_id != client.run_id()) {
        detail::throw_handle_of_another_run(id);
    }
    actor = ActorHandle<C>(client.borrow_actor(id, pending_calls_max, replays));
}

} // namespace muster
