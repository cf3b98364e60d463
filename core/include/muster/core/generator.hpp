#pragma once

#include <muster/core/actor.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace muster {

/// What a task returns that makes its values one after another: a coroutine that `co_yield`s them.
///
///     muster::Generator<Batch> batches(std::string file) {
///         for (Reader reader(file); reader.more();) { co_yield reader.next(); }
///     }
///     for (const Batch& batch : muster::task<&batches>("train.h5")) { train(batch); }
///
/// Submitting it gives a Stream, from which the values are taken while the task still runs. It
/// waits for futures with get(); `co_await` is for Coroutine.
///
/// Threads: resumed by one thread at a time, not always the same one.
template <class T>
class Generator {
public:
    struct promise_type {
        std::optional<T> value;
        std::exception_ptr error;

        Generator get_return_object() {
            return Generator(std::coroutine_handle<promise_type>::from_promise(*this));
        }

        [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }

        [[nodiscard]] std::suspend_always final_suspend() const noexcept { return {}; }

        std::suspend_always yield_value(T next) {
            value = std::move(next);
            return {};
        }

        void return_void() const noexcept {}

        void unhandled_exception() noexcept { error = std::current_exception(); }

        template <class A>
        std::suspend_never await_transform(A&& /*awaited*/) {
            static_assert(sizeof(A) == 0,
                          "muster: a Generator waits with get(); co_await is for Coroutine");
            return {};
        }
    };

    Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, {})) {}

    Generator& operator=(Generator other) noexcept {
        std::swap(frame_, other.frame_);
        return *this;
    }

    ~Generator() {
        if (frame_) {
            frame_.destroy();
        }
    }

    /// The next value; nothing after the last. Throws what the coroutine throws, and then there is
    /// none.
    [[nodiscard]] std::optional<T> next() {
        if (frame_.done()) {
            return std::nullopt;
        }
        auto& promise = frame_.promise();
        promise.value.reset();
        frame_.resume();
        if (promise.error) {
            std::rethrow_exception(std::exchange(promise.error, {}));
        }
        return std::exchange(promise.value, std::nullopt);
    }

private:
    explicit Generator(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

    std::coroutine_handle<promise_type> frame_;
};

/// The values of a task that returns a Generator, in the order in which it yields them.
///
/// The task runs ahead of who takes them, by TaskOptions::ahead values, and no further: it is an
/// actor, and keeps what its options demand from its start until its last value was taken, or the
/// stream is destroyed. If its rank is lost, it is made again elsewhere (TaskOptions::retries
/// times) and makes once more, without giving them, the values that were taken: they are to be the
/// same ones.
///
/// Not copied, and not sent to other tasks; the futures that take() gives may be. One thread.
template <class T>
class Stream {
public:
    using value_type = T;

    Stream() = default;
    Stream(Stream&&) noexcept = default;

    Stream& operator=(Stream&& other) noexcept {
        if (this != &other) {
            stop();
            ask_ = std::exchange(other.ask_, nullptr);
            ahead_ = std::exchange(other.ahead_, {});
            ahead_max_ = other.ahead_max_;
            asked_ = other.asked_;
            taken_ = other.taken_;
        }
        return *this;
    }

    ~Stream() { stop(); }

    /// Waits for the next value; nothing after the last.
    /// @throws TaskError where the task threw, after the values that it yielded before; then there
    ///         is nothing more.
    [[nodiscard]] std::optional<T> next() {
        while (ask_) {
            ask_ahead();
            const Future<std::optional<T>> first = std::move(ahead_.front());
            ahead_.pop_front();
            try {
                std::optional<T> value = first.get();
                ++taken_;
                if (value) {
                    ask_ahead();
                } else {
                    stop();
                }
                return value;
            } catch (const Error& error) {
                if (error.code() != ErrorCode::restarted) {
                    stop();
                    throw;
                }
                ahead_.clear();
                asked_ = taken_;
            }
        }
        return std::nullopt;
    }

    /// The next value's future, in place of next(): to be waited for with others, or awaited. It
    /// has nothing after the last, and fails (ErrorCode::restarted) if the task was lost meanwhile.
    [[nodiscard]] Future<std::optional<T>> take() {
        if (!ask_) {
            throw Error("this stream has ended, or is empty: it has no next value",
                        ErrorCode::usage);
        }
        ask_ahead();
        Future<std::optional<T>> first = std::move(ahead_.front());
        ahead_.pop_front();
        ++taken_;
        ask_ahead();
        return first;
    }

    class Iterator {
    public:
        using value_type = T;
        using difference_type = std::ptrdiff_t;

        Iterator() = default;

        explicit Iterator(Stream* stream) : stream_(stream) { ++*this; }

        const T& operator*() const { return *value_; }

        const T* operator->() const { return &*value_; }

        Iterator& operator++() {
            auto value = stream_->next();
            value_ = value ? std::make_shared<T>(std::move(*value)) : nullptr;
            return *this;
        }

        void operator++(int) { ++*this; }

        friend bool operator==(const Iterator& it, std::default_sentinel_t) {
            return it.value_ == nullptr;
        }

    private:
        Stream* stream_ = nullptr;
        std::shared_ptr<T> value_;
    };

    /// Once: a stream is gone through from where it is.
    Iterator begin() { return Iterator(this); }

    std::default_sentinel_t end() const { return {}; }

    /// Private to the library: `ask` asks for the value of an index.
    Stream(std::function<Future<std::optional<T>>(std::uint64_t)> ask, std::size_t ahead_max)
        : ask_(std::move(ask)), ahead_max_(ahead_max) {
        ask_ahead();
    }

private:
    void ask_ahead() {
        while (ahead_.size() < ahead_max_) {
            ahead_.push_back(ask_(asked_++));
        }
    }

    void stop() noexcept {
        try {
            for (const auto& future : ahead_) {
                cancel(future);
            }
        } catch (...) {
            // The run has ended, or memory has: they are answered, and nobody hears it.
        }
        ahead_.clear();
        ask_ = nullptr;
    }

    std::function<Future<std::optional<T>>(std::uint64_t)> ask_; ///< None: it has ended.
    std::deque<Future<std::optional<T>>> ahead_;                 ///< Asked for, and not taken.
    std::size_t ahead_max_ = 1;
    std::uint64_t asked_ = 0; ///< The index to ask for next.
    std::uint64_t taken_ = 0; ///< The index to take next.
};

namespace detail {

template <class R>
struct GeneratedType {};

template <class T>
struct GeneratedType<Generator<T>> {
    using Type = T;
};

template <class R>
inline constexpr bool is_generator = false;
template <class T>
inline constexpr bool is_generator<Generator<T>> = true;

/// The actor that a generator's task is.
template <auto F, class Parameters>
class GeneratorTask;

template <auto F, class... P>
class GeneratorTask<F, std::tuple<P...>> {
public:
    using Value = typename GeneratedType<typename FunctionTraits<F>::Result>::Type;

    explicit GeneratorTask(std::decay_t<P>... arguments) : arguments_(std::move(arguments)...) {}

    /// The value of that index, counted from the first. Asked in order, but for a restart: what is
    /// skipped is made, and dropped; what was passed is made anew.
    std::optional<Value> next(std::uint64_t index) {
        if (!generator_ || index < made_) {
            made_ = 0;
            generator_.emplace(std::apply(
                [](auto&... arguments) { return F(pass<P>(arguments)...); }, arguments_));
        }
        while (made_ < index) {
            ++made_;
            if (!generator_->next()) {
                return std::nullopt;
            }
        }
        ++made_;
        return generator_->next();
    }

private:
    // The argument stays, for another beginning.
    template <class Q>
    static decltype(auto) pass(std::decay_t<Q>& argument) {
        if constexpr (std::is_reference_v<Q>) {
            return std::as_const(argument);
        } else {
            return std::decay_t<Q>(argument);
        }
    }

    std::tuple<std::decay_t<P>...> arguments_;
    std::optional<Generator<Value>> generator_;
    std::uint64_t made_ = 0; ///< The index of the next value.
};

/// What a task() call gives.
template <class R>
struct TaskHandle {
    using Type = Future<R>;
};

template <class T>
struct TaskHandle<Generator<T>> {
    using Type = Stream<T>;
};

/// What a generator's task is as an actor. Throws Error (usage) for options that it cannot have.
[[nodiscard]] ActorOptions generator_options(const TaskOptions& options, const char* function);

template <auto F, class... A>
auto start_stream(const TaskOptions& options, A&&... arguments) {
    using Parameters = typename FunctionTraits<F>::Parameters;
    using Value = typename GeneratedType<typename FunctionTraits<F>::Result>::Type;
    using Body = GeneratorTask<F, Parameters>;
    constexpr bool stores_all = []<class... P>(std::type_identity<std::tuple<P...>>) {
        return (std::is_same_v<StoredParameter<P>, std::decay_t<P>> && ...);
    }(std::type_identity<Parameters>{});
    static_assert(stores_all,
                  "muster: a Generator's parameters are kept while it runs: take std::vector or "
                  "std::string, not a span or view");
    check_serializable<Value>();
    auto body =
        spawn<Body>(generator_options(options, function_name<F>()), std::forward<A>(arguments)...);
    return Stream<Value>(
        [body](std::uint64_t index) { return body.template call<&Body::next>(index); },
        options.ahead);
}

} // namespace detail

} // namespace muster
