#pragma once

#include <muster/core/detail/coroutine_run.hpp>
#include <muster/core/future.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster {

template <class T>
class Coroutine;

/// Several futures, to be awaited: what when_all() makes.
template <class T>
class WhenAll {
public:
    explicit WhenAll(std::vector<Future<T>> futures) : futures_(std::move(futures)) {}

    [[nodiscard]] std::vector<Future<T>> take() && { return std::move(futures_); }

private:
    std::vector<Future<T>> futures_;
};

/// `co_await when_all(futures)` waits until all are done, at once, and gives their values in the
/// order of the futures (nothing for Future<void>). If some failed it throws what get() of the
/// first of them, in that order, would throw.
template <class T>
[[nodiscard]] WhenAll<T> when_all(std::vector<Future<T>> futures) {
    return WhenAll<T>(std::move(futures));
}

namespace detail {

/// Neither a value nor a failure has come to this rank.
[[nodiscard]] inline bool is_open(const FutureSlot& slot) {
    const SlotState state = slot.state.load(std::memory_order_acquire);
    return state == SlotState::pending || state == SlotState::kept_elsewhere;
}

/// Why a coroutine went on although what it waited for is not there. Throws Error (cancelled) or
/// (object_lost).
[[noreturn]] void throw_interrupted(const FutureBlock& block, std::uint64_t index);

/// On the calling thread, as get() waits.
void wait_here(Wait& wait);

class PromiseBase;

class FinalAwaiter {
public:
    [[nodiscard]] bool await_ready() const noexcept { return false; }

    template <class P>
    void await_suspend(std::coroutine_handle<P> frame) const noexcept {
        frame.promise().run->continue_with(frame.promise().continuation);
    }

    void await_resume() const noexcept {}
};

template <class T>
class FutureAwaiter final : public Wait {
public:
    explicit FutureAwaiter(Future<T> future) : future_(std::move(future)) {}

    [[nodiscard]] bool await_ready() const {
        (void)future_.id(); // throws if it is empty
        return !is_open(slot()) || future_.block()->client()->ended();
    }

    template <class P>
    void await_suspend(std::coroutine_handle<P> frame) {
        frame.promise().run->wait(frame, *this);
    }

    T await_resume() const {
        if (is_open(slot())) {
            throw_interrupted(*future_.block(), future_.index());
        }
        return future_.get();
    }

    [[nodiscard]] std::size_t answers() const override { return 1; }

    void watch(const std::shared_ptr<Watcher>& watcher) override {
        future_.block()->watch_value(future_.index(), watcher, 0);
    }

private:
    [[nodiscard]] const FutureSlot& slot() const { return future_.block()->slot(future_.index()); }

    Future<T> future_;
};

template <class T>
class AllAwaiter final : public Wait {
public:
    explicit AllAwaiter(std::vector<Future<T>> futures) : futures_(std::move(futures)) {}

    [[nodiscard]] bool await_ready() {
        for (std::size_t i = 0; i < futures_.size(); ++i) {
            (void)futures_[i].id();
            if (is_open(slot(i))) {
                open_.push_back(i);
            }
        }
        return open_.empty() || futures_.front().block()->client()->ended();
    }

    template <class P>
    void await_suspend(std::coroutine_handle<P> frame) {
        frame.promise().run->wait(frame, *this);
    }

    auto await_resume() const {
        for (const std::size_t i : open_) {
            if (is_open(slot(i))) {
                throw_interrupted(*futures_[i].block(), futures_[i].index());
            }
        }
        if constexpr (std::is_void_v<T>) {
            for (const auto& future : futures_) {
                future.get();
            }
        } else {
            std::vector<T> values;
            values.reserve(futures_.size());
            for (const auto& future : futures_) {
                values.push_back(future.get());
            }
            return values;
        }
    }

    [[nodiscard]] std::size_t answers() const override { return open_.size(); }

    void watch(const std::shared_ptr<Watcher>& watcher) override {
        for (const std::size_t i : open_) {
            futures_[i].block()->watch_value(futures_[i].index(), watcher, i);
        }
    }

private:
    [[nodiscard]] const FutureSlot& slot(std::size_t i) const {
        return futures_[i].block()->slot(futures_[i].index());
    }

    std::vector<Future<T>> futures_;
    std::vector<std::size_t> open_; ///< Those that had not come when the wait began.
};

template <class T>
class NextAwaiter final : public Wait {
public:
    explicit NextAwaiter(AsCompleted<T>& range) : range_(range) {}

    [[nodiscard]] bool await_ready() const {
        return range_.remaining() == 0 || range_.queue().has_next() ||
               range_.futures().front().block()->client()->ended();
    }

    template <class P>
    void await_suspend(std::coroutine_handle<P> frame) {
        frame.promise().run->wait(frame, *this);
    }

    /// @return the next one that is done; null after the last.
    Future<T>* await_resume() const {
        if (range_.remaining() == 0) {
            return nullptr;
        }
        if (!range_.queue().has_next()) {
            const auto& first = range_.futures().front();
            throw_interrupted(*first.block(), first.index());
        }
        return &range_.take_next();
    }

    [[nodiscard]] std::size_t answers() const override { return 1; }

    void watch(const std::shared_ptr<Watcher>& watcher) override { range_.queue().watch(watcher); }

private:
    AsCompleted<T>& range_;
};

template <class T>
class CoroutineAwaiter {
public:
    explicit CoroutineAwaiter(Coroutine<T> coroutine) : coroutine_(std::move(coroutine)) {}

    [[nodiscard]] bool await_ready() const noexcept { return false; }

    template <class P>
    void await_suspend(std::coroutine_handle<P> frame) {
        auto& promise = coroutine_.handle().promise();
        promise.run = frame.promise().run;
        promise.continuation = frame;
        promise.run->continue_with(coroutine_.handle());
    }

    T await_resume() { return coroutine_.handle().promise().take(); }

private:
    Coroutine<T> coroutine_;
};

template <class A>
struct IsAwaitable : std::false_type {};

template <class T>
struct IsAwaitable<Future<T>> : std::true_type {};

template <class T>
struct IsAwaitable<WhenAll<T>> : std::true_type {};

template <class T>
struct IsAwaitable<NextCompleted<T>> : std::true_type {};

template <class T>
struct IsAwaitable<Coroutine<T>> : std::true_type {};

/// Stands in for what cannot be awaited, so that the compiler says no more than the sentence.
struct RefusedAwaiter : std::suspend_never {};

class PromiseBase {
public:
    CoroutineRun* run = nullptr;          ///< Set when it is started.
    std::coroutine_handle<> continuation; ///< Who awaits it; nobody awaits the outermost.

    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }

    [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }

    void unhandled_exception() noexcept { exception_ = std::current_exception(); }

    template <class T>
    auto await_transform(Future<T> future) {
        return FutureAwaiter<T>(std::move(future));
    }

    template <class T>
    auto await_transform(WhenAll<T> all) {
        return AllAwaiter<T>(std::move(all).take());
    }

    template <class T>
    auto await_transform(NextCompleted<T> next) {
        return NextAwaiter<T>(next.range);
    }

    template <class T>
    auto await_transform(Coroutine<T>&& coroutine) {
        coroutine.check();
        return CoroutineAwaiter<T>(std::move(coroutine));
    }

    template <class T>
    auto await_transform(Coroutine<T>&) {
        static_assert(sizeof(T*) == 0,
                      "muster: a coroutine is awaited once: co_await f(), or "
                      "co_await std::move(coroutine)");
        return RefusedAwaiter{};
    }

    template <class A>

    requires(!IsAwaitable<std::remove_cvref_t<A>>::value)

        auto await_transform(A&&) {
        static_assert(sizeof(std::remove_cvref_t<A>) == 0,
                      "muster: a Coroutine awaits a Future, when_all(futures), "
                      "as_completed(futures).next() or another Coroutine: nothing else would be "
                      "resumed by the task's rank");
        return RefusedAwaiter{};
    }

protected:
    void rethrow() const {
        if (exception_) {
            std::rethrow_exception(exception_);
        }
    }

private:
    std::exception_ptr exception_;
};

template <class T>
class Promise : public PromiseBase {
public:
    Coroutine<T> get_return_object() {
        return Coroutine<T>(std::coroutine_handle<Promise>::from_promise(*this));
    }

    template <class V = T>
    requires std::is_constructible_v<T, V>

    void return_value(V&& value) { value_.emplace(std::forward<V>(value)); }

    T take() {
        rethrow();
        return std::move(*value_);
    }

private:
    std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
public:
    Coroutine<void> get_return_object();

    void return_void() const noexcept {}

    void take() const { rethrow(); }
};

} // namespace detail

/// A function that waits for futures without a thread: it is a coroutine if its result is a
/// Coroutine<T>, and may then `co_await`, and `co_return` a T.
///
///     muster::Coroutine<int> total(std::vector<int> parts) {
///         auto halves = muster::map<&half>(parts);
///         int sum = 0;
///         for (int part : co_await muster::when_all(halves)) { sum += part; }
///         co_return sum;
///     }
///     muster::Future<int> sum = muster::task<&total>(std::vector{1, 2, 3}); // as any task
///
/// A task, a call of an actor and the driver may be coroutines. `co_await future` gives what get()
/// gives and throws what get() throws, and does not suspend if the value is here. Else the task
/// lends its CPUs as in get(), but its thread goes on to other work, so that as many may wait as
/// memory holds. An actor whose call is suspended runs no other meanwhile. A driver keeps its
/// thread, since that has nothing else to do.
///
/// After a co_await the task may be on another thread of its rank: this_task() and the current run
/// are right there, but thread-local variables of other libraries are that thread's, and a mutex
/// must not be held across it. A task that is asked to stop while it is suspended, or
/// suspends afterwards, goes on at once: its co_await throws Error (cancelled), or Error
/// (object_lost) if the run has ended. get() may be called, too: it holds the thread.
///
/// g++ 12 destroys an aggregate twice that is made by braces within a co_await expression, if it
/// has members with destructors, as all options have. So name what is awaited:
///
///     auto part = muster::task<&half>.with({.gpus = 1})(3); // not: co_await ... .with({...})(3)
///     sum += co_await part;
///
/// Lazy: nothing runs before it is awaited, or its task starts. To be awaited once, by a
/// Coroutine, which then has its value; what it throws comes out of the co_await. It does not
/// travel. Parameters that are references must refer to what lives until it is done; those of the
/// task's own function do.
template <class T = void>
class [[nodiscard]] Coroutine {
public:
    static_assert(!std::is_reference_v<T>, "muster: a coroutine gives a value, not a reference");

    using value_type = T;
    using promise_type = detail::Promise<T>;

    Coroutine(Coroutine&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

    Coroutine& operator=(Coroutine&& other) noexcept {
        if (this != &other) {
            destroy();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }

    ~Coroutine() { destroy(); }

    /// Runs it to its end on the calling thread, which waits as in Future::get(): for functions
    /// that are no coroutines.
    /// @throws what the coroutine throws; Error (usage) if it was moved from.
    T get() &&;

    /// False if it was moved from, as by co_await.
    [[nodiscard]] bool valid() const noexcept { return handle_ != nullptr; }

    /// Private to the library.
    explicit Coroutine(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

    [[nodiscard]] std::coroutine_handle<promise_type> handle() const { return handle_; }

    void check() const {
        if (!handle_) {
            throw Error("this coroutine was moved from, or awaited before: each runs once",
                        ErrorCode::usage);
        }
    }

private:
    void destroy() {
        if (handle_) {
            handle_.destroy();
        }
    }

    std::coroutine_handle<promise_type> handle_;
};

namespace detail {

inline Coroutine<void> Promise<void>::get_return_object() {
    return Coroutine<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

/// The outermost coroutine and what it awaits.
template <class T>
class OutermostCoroutine final : public CoroutineRun {
public:
    explicit OutermostCoroutine(Coroutine<T> coroutine) : coroutine_(std::move(coroutine)) {
        coroutine_.check();
        coroutine_.handle().promise().run = this;
        continue_with(coroutine_.handle());
    }

    T take() { return coroutine_.handle().promise().take(); }

private:
    Coroutine<T> coroutine_;
};

template <class R>
struct CoroutineResult {
    using type = R;
};

template <class T>
struct CoroutineResult<Coroutine<T>> {
    using type = T;
};

template <class R>
inline constexpr bool is_coroutine = false;
template <class T>
inline constexpr bool is_coroutine<Coroutine<T>> = true;

} // namespace detail

template <class T>
T Coroutine<T>::get() && {
    detail::OutermostCoroutine<T> outermost(std::move(*this));
    while (auto* wait = outermost.resume()) {
        detail::wait_here(*wait);
    }
    return outermost.take();
}

} // namespace muster
