#pragma once

#include <muster/base/ids.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

namespace muster {

/// How elements of several ranks become one.
enum class ReduceOp : std::uint8_t { sum, product, min, max };

namespace detail {

enum class ElementType : std::uint8_t { i8, u8, i16, u16, i32, u32, i64, u64, f32, f64 };

template <class T>
consteval ElementType element_type() {
    if constexpr (std::is_floating_point_v<T>) {
        return sizeof(T) == 4 ? ElementType::f32 : ElementType::f64;
    } else {
        constexpr auto log2 = sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3;
        return static_cast<ElementType>(2 * log2 + (std::is_signed_v<T> ? 0 : 1));
    }
}

class CommunicatorState;
class Operation;

} // namespace detail

/// What a communicator carries: integers and characters of up to 64 bits, float and double. Not
/// bool, of which sums would not be bools.
template <class T>
concept Arithmetic = std::is_arithmetic_v<T> && !std::is_same_v<std::remove_cv_t<T>, bool> &&
                     sizeof(T) <= 8 && !std::is_same_v<std::remove_cv_t<T>, long double>;

/// An asynchronous operation of a Communicator. The memory it was given stays its own, and in
/// place, until wait() returned or test() was true. Destroying a request that is not done waits; if
/// an exception destroys it, it gives up instead, and the member's communicator is of no more use.
class Request {
public:
    Request() = default; ///< Done.
    explicit Request(std::shared_ptr<detail::Operation> operation);
    Request(Request&&) noexcept = default;
    Request& operator=(Request&& other) noexcept;
    ~Request();

    /// @throws Error (aborted) if a member ended, naming it; Error (usage) if members' calls
    /// differ.
    void wait();
    /// True once it is done; throws as wait() does. Never blocks.
    [[nodiscard]] bool test();

private:
    std::shared_ptr<detail::Operation> operation_;
    int exceptions_before_ = 0; ///< Under way when it was made.
};

/// The ranks of a gang, as a function run with `.ranks = n` gets them: each member calls the same
/// collectives in the same order.
///
/// Ranks here count from 0 within the gang. Collectives may be blocking or asynchronous, and mix
/// freely; they take effect in the order of the calls. Results are the same bits for a given number
/// of ranks, whatever the nodes they are on and whatever the timing: elements are combined in the
/// order of a balanced tree over the ranks.
///
/// A member that throws, is cancelled or dies releases the others: their call throws
/// Error (aborted) with its name. So does one that returns while others still wait for it. Calls
/// that do not match (another collective, size, type or operation than another member's) throw
/// Error (usage) that names both.
///
/// Sizes may differ from call to call, be zero, or exceed 2^31. Sizes and types of a call must be
/// the same on all members.
///
/// Threads: one thread of a member at a time.
class Communicator {
public:
    [[nodiscard]] int rank() const noexcept;
    [[nodiscard]] int size() const noexcept;
    /// Where a member runs: its rank in the world.
    [[nodiscard]] Rank world_rank(int member) const;

    // Point to point. Messages of one pair and tag arrive in the order in which they were sent; a
    // receive names its sender, and must be of the message's size. Tags are not negative.

    template <Arithmetic T>
    void send(std::span<const T> data, int to, int tag = 0) {
        send_async(data, to, tag).wait();
    }

    template <Arithmetic T>
    void receive(std::span<T> into, int from, int tag = 0) {
        receive_async(into, from, tag).wait();
    }

    template <Arithmetic T>
    [[nodiscard]] Request send_async(std::span<const T> data, int to, int tag = 0) {
        return start_send(std::as_bytes(data), to, tag);
    }

    template <Arithmetic T>
    [[nodiscard]] Request receive_async(std::span<T> into, int from, int tag = 0) {
        return start_receive(std::as_writable_bytes(into), from, tag);
    }

    // Collectives. Every member calls them, with the same arguments but for the data.

    /// Returns once every member has called it.
    void barrier() { run(Call::barrier, {}, {}, detail::element_type<std::uint8_t>()); }

    /// `data` of `root` comes to all.
    template <Arithmetic T>
    void broadcast(std::span<T> data, int root) {
        run(Call::broadcast,
            {},
            std::as_writable_bytes(data),
            detail::element_type<T>(),
            ReduceOp::sum,
            root);
    }

    /// Element i of `result` at `root` is the reduction of element i of everybody's `data`.
    /// `result` is used at the root only, has data's size, and may be the same memory.
    template <Arithmetic T>
    void reduce(std::span<const T> data, std::span<T> result, ReduceOp op, int root) {
        run(Call::reduce,
            std::as_bytes(data),
            std::as_writable_bytes(result),
            detail::element_type<T>(),
            op,
            root);
    }

    /// Element i of everybody's `data` becomes their reduction.
    template <Arithmetic T>
    void all_reduce(std::span<T> data, ReduceOp op = ReduceOp::sum) {
        run(Call::all_reduce, {}, std::as_writable_bytes(data), detail::element_type<T>(), op);
    }

    /// `data` holds size() parts of result.size() elements; `result` of member r becomes the
    /// reduction of everybody's part r.
    template <Arithmetic T>
    void reduce_scatter(std::span<const T> data, std::span<T> result, ReduceOp op = ReduceOp::sum) {
        run(Call::reduce_scatter,
            std::as_bytes(data),
            std::as_writable_bytes(result),
            detail::element_type<T>(),
            op);
    }

    /// Part r of `result` (size() parts of data.size() elements) becomes `data` of member r.
    template <Arithmetic T>
    void all_gather(std::span<const T> data, std::span<T> result) {
        run(Call::all_gather,
            std::as_bytes(data),
            std::as_writable_bytes(result),
            detail::element_type<T>());
    }

    /// Part r of `result` becomes the part of member r's `data` that is this member's. Both have
    /// size() parts of equal size.
    template <Arithmetic T>
    void all_to_all(std::span<const T> data, std::span<T> result) {
        run(Call::all_to_all,
            std::as_bytes(data),
            std::as_writable_bytes(result),
            detail::element_type<T>());
    }

    // The same, begun and not awaited: they run in order on a thread of the communicator's own.

    [[nodiscard]] Request barrier_async() {
        return start(Call::barrier, {}, {}, detail::element_type<std::uint8_t>());
    }

    template <Arithmetic T>
    [[nodiscard]] Request broadcast_async(std::span<T> data, int root) {
        return start(Call::broadcast,
                     {},
                     std::as_writable_bytes(data),
                     detail::element_type<T>(),
                     ReduceOp::sum,
                     root);
    }

    template <Arithmetic T>
    [[nodiscard]] Request
    reduce_async(std::span<const T> data, std::span<T> result, ReduceOp op, int root) {
        return start(Call::reduce,
                     std::as_bytes(data),
                     std::as_writable_bytes(result),
                     detail::element_type<T>(),
                     op,
                     root);
    }

    template <Arithmetic T>
    [[nodiscard]] Request all_reduce_async(std::span<T> data, ReduceOp op = ReduceOp::sum) {
        return start(
            Call::all_reduce, {}, std::as_writable_bytes(data), detail::element_type<T>(), op);
    }

    template <Arithmetic T>
    [[nodiscard]] Request reduce_scatter_async(std::span<const T> data,
                                               std::span<T> result,
                                               ReduceOp op = ReduceOp::sum) {
        return start(Call::reduce_scatter,
                     std::as_bytes(data),
                     std::as_writable_bytes(result),
                     detail::element_type<T>(),
                     op);
    }

    template <Arithmetic T>
    [[nodiscard]] Request all_gather_async(std::span<const T> data, std::span<T> result) {
        return start(Call::all_gather,
                     std::as_bytes(data),
                     std::as_writable_bytes(result),
                     detail::element_type<T>());
    }

    template <Arithmetic T>
    [[nodiscard]] Request all_to_all_async(std::span<const T> data, std::span<T> result) {
        return start(Call::all_to_all,
                     std::as_bytes(data),
                     std::as_writable_bytes(result),
                     detail::element_type<T>());
    }

    Communicator(const Communicator&) = delete;
    Communicator& operator=(const Communicator&) = delete;
    ~Communicator();

    /// Private to the library.
    explicit Communicator(std::shared_ptr<detail::CommunicatorState> state);

    [[nodiscard]] const std::shared_ptr<detail::CommunicatorState>& state() const { return state_; }

    /// Private to the library: see mpi_communicator().
    const void* raw_communicator();

private:
    enum class Call : std::uint8_t {
        barrier,
        broadcast,
        reduce,
        all_reduce,
        reduce_scatter,
        all_gather,
        all_to_all,
    };

    Request start_send(std::span<const std::byte> data, int to, int tag);
    Request start_receive(std::span<std::byte> into, int from, int tag);
    void run(Call call,
             std::span<const std::byte> data,
             std::span<std::byte> result,
             detail::ElementType type,
             ReduceOp op = ReduceOp::sum,
             int root = 0);
    Request start(Call call,
                  std::span<const std::byte> data,
                  std::span<std::byte> result,
                  detail::ElementType type,
                  ReduceOp op = ReduceOp::sum,
                  int root = 0);

    std::shared_ptr<detail::CommunicatorState> state_;
};

} // namespace muster
