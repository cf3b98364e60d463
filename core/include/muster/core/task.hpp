#pragma once

#include <muster/core/detail/client.hpp>
#include <muster/core/detail/thunk.hpp>
#include <muster/core/future.hpp>
#include <muster/core/generator.hpp>
#include <muster/core/options.hpp>

#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster {

namespace detail {

template <auto F>
struct TaskCall {
    using Signature = FunctionTraits<F>;
    using Result = typename Signature::Result;
    using Handle = typename TaskHandle<Result>::Type;

    template <class... A>
    Handle operator()(A&&... arguments) const {
        return submit(TaskOptions{}, std::forward<A>(arguments)...);
    }

    template <class... A>
    static Handle submit(const TaskOptions& options, A&&... arguments) {
        constexpr bool count_matches = sizeof...(A) == Signature::parameter_count;
        static_assert(count_matches || !takes_one_communicator<F>,
                      "muster: the task is called with another number of arguments than its "
                      "function takes (default arguments are not seen through a function pointer)");
        if constexpr (is_generator<Result>) {
            if constexpr (count_matches) {
                return start_stream<F>(options, std::forward<A>(arguments)...);
            }
        } else if constexpr (check_signature<F>(); count_matches && takes_values<F>) {
            ArgumentEncoder encoder(current_client(), 1, options.keyed);
            encode_arguments<F>(encoder, std::forward<A>(arguments)...);
            encoder.end_task();
            auto place = current_client().submit(function_entry<F>(), options, encoder.take());
            return Future<Result>(std::move(place.block), place.first);
        }
    }
};

/// A task with options: what .with() makes.
template <auto F>
class ConfiguredTask {
public:
    explicit ConfiguredTask(TaskOptions options) : options_(std::move(options)) {}

    template <class... A>
    auto operator()(A&&... arguments) const {
        return TaskCall<F>::submit(options_, std::forward<A>(arguments)...);
    }

private:
    TaskOptions options_;
};

template <auto F>
struct Task : TaskCall<F> {
    /// The same task, run as the options say.
    [[nodiscard]] ConfiguredTask<F> with(TaskOptions options) const {
        return ConfiguredTask<F>(std::move(options));
    }
};

} // namespace detail

/// Runs a function on some rank of the cluster: `task<&f>(arguments...)` returns a Future at once.
///
/// `F` is a function pointer or a captureless lambda: nothing is registered or named. Arguments
/// are converted to the function's parameter types here and travel by value. A Future<T> in the
/// place of a T (or a std::vector<Future<T>> in the place of a std::vector<T>) is a dependency:
/// the task runs once it is there. Where the function takes a Future, it gets the future itself.
/// Of a function that returns a Generator it returns a Stream.
///
/// @throws Error (infeasible) if no rank could ever satisfy the options, with the closest fit.
/// Threads: the driver, tasks, and threads that either of them hands a Client scope.
template <auto F>
inline constexpr detail::Task<F> task{};

/// Runs a function once for every element of a range; futures come in the range's order.
///
/// One submission, whatever the range's length. A function of several parameters takes elements
/// that are tuples (or pairs, or arrays) of them; elements may be futures, as task()'s arguments.
template <auto F, std::ranges::input_range R>
std::vector<Future<typename detail::FunctionTraits<F>::Result>>
map(R&& range, const TaskOptions& options = {}) {
    using Result = typename detail::FunctionTraits<F>::Result;
    detail::check_signature<F>();
    std::size_t tasks_expected = 1;
    if constexpr (std::ranges::sized_range<R>) {
        tasks_expected = std::ranges::size(range);
    }
    const bool keyed = options.keyed || !options.key.empty();
    detail::ArgumentEncoder encoder(detail::current_client(), tasks_expected, keyed);
    for (auto&& element : range) {
        detail::encode_element<F>(encoder, std::forward<decltype(element)>(element));
        encoder.end_task();
    }
    std::vector<Future<Result>> futures;
    detail::EncodedTasks encoded = encoder.take();
    const std::size_t count = encoded.tasks.size();
    if (count == 0) {
        return futures;
    }
    const auto [block, first] =
        detail::current_client().submit(detail::function_entry<F>(), options, std::move(encoded));
    futures.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        futures.emplace_back(block, first + i);
    }
    return futures;
}

/// What the journal has of a function's results, by the keys that its tasks had
/// (TaskOptions::key): for drivers that decide what is left to do before they submit it. Some
/// microseconds a key; nothing without a journal.
/// @throws Error (usage) in a task, and if a result was recorded as another type; Error (failed) if
///         the journal cannot be written.
template <auto F>
std::vector<std::optional<typename detail::FunctionTraits<F>::Result>>
recorded(std::span<const std::string> keys) {
    using Result = typename detail::FunctionTraits<F>::Result;
    static_assert(!std::is_void_v<Result>,
                  "muster: a function that returns nothing has no results");
    std::vector<std::optional<Result>> results;
    results.reserve(keys.size());
    for (const auto& value : detail::current_client().recorded(detail::function_entry<F>(), keys)) {
        if (value) {
            results.emplace_back(from_buffer<Result>(value->bytes()));
        } else {
            results.emplace_back();
        }
    }
    return results;
}

/// Stores a value for any number of tasks to take: it is sent to each rank once, when a task there
/// first needs it, and kept there until the last future of it is gone.
template <class T>
Future<T> put(const T& value) {
    check_serializable<T>();
    auto& client = detail::current_client();
    if constexpr (detail::is_viewable<T> || detail::HoldsEncoding<T>) {
        return Future<T>(client.put(detail::encode_object(client, value), {}), 0);
    } else {
        std::vector<ObjectId> actors; // whose handles are inside
        Writer writer;
        writer.set_context(&actors);
        encode(writer, value);
        return Future<T>(client.put(client.share_value(writer.take()), std::move(actors)), 0);
    }
}

} // namespace muster
