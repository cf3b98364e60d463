#pragma once

#include <muster/core/detail/registry.hpp>
#include <muster/core/detail/thunk.hpp>
#include <muster/core/serialize.hpp>
#include <muster/pipeline/block.hpp>
#include <muster/pipeline/detail/step.hpp>
#include <muster/pipeline/options.hpp>
#include <muster/pipeline/row.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// How functions of users become steps of a plan: called by number on whichever rank has the block.
/// Private to the library.
namespace muster::data::detail {

using muster::detail::FunctionTraits;

/// Where a block is among those of its stage.
struct StepContext {
    std::uint64_t block = 0;
};

/// One function that can be a step. Its entry in the core's table gives it the same number on every
/// rank; it is never called through that.
struct StepEntry {
    using Call = Block (*)(Block block, StepContext context, std::string_view arguments);

    StepEntry(Call function_call, const char* name) noexcept;

    muster::detail::FunctionEntry function;
    Call call;
    const StepEntry* next = nullptr;
};

/// @throws Error (malformed) if there is no such step.
[[nodiscard]] const StepEntry& step_at(std::uint32_t function);

/// Its number. @throws Error (usage) outside a run.
[[nodiscard]] std::uint32_t number_of(const StepEntry& entry);

/// Registered before main() on every rank, because whoever makes the step uses it.
template <class Adapter>
struct RegisteredStep {
    static inline StepEntry entry{&Adapter::call, Adapter::function_name()};
};

// What adapters are made of.

[[nodiscard]] Block joined(const std::vector<Block>& blocks);
[[nodiscard]] Block kept_rows(const Block& block, std::span<const std::uint32_t> rows);
/// Where groups of equal keys begin in a block that is sorted by them, and its number of rows.
[[nodiscard]] std::vector<std::uint64_t> group_begins(const Block& block,
                                                      const std::vector<std::string>& keys);

/// The parameters behind the first `skipped`, as values.
template <std::size_t skipped, class Parameters>
struct RestOf;

template <std::size_t skipped, class... P>
struct RestOf<skipped, std::tuple<P...>> {
    template <std::size_t... I>
    static auto pick(std::index_sequence<I...>)
        -> std::tuple<std::decay_t<std::tuple_element_t<I + skipped, std::tuple<P...>>>...>;
    static constexpr std::size_t count = sizeof...(P) < skipped ? 0 : sizeof...(P) - skipped;
    using Values = decltype(pick(std::make_index_sequence<count>{}));
};

template <auto F, std::size_t skipped>
using BoundValues = typename RestOf<skipped, typename FunctionTraits<F>::Parameters>::Values;

template <class Values>
std::string encode_bound(const Values& values) {
    Writer writer;
    encode(writer, values);
    const auto bytes = writer.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <class Values>
Values decode_bound(std::string_view arguments) {
    return from_buffer<Values>(std::as_bytes(std::span(arguments)));
}

template <auto F, std::size_t skipped, class First>
constexpr void check_function() {
    using Parameters = typename FunctionTraits<F>::Parameters;
    constexpr bool has_first = std::tuple_size_v<Parameters> >= skipped;
    static_assert(has_first, "muster: a pipeline's function takes what it works on first");
    if constexpr (has_first) {
        static_assert(
            std::is_same_v<std::remove_cvref_t<std::tuple_element_t<0, Parameters>>, First>,
            "muster: a pipeline's function takes a const Block& first if it is given to "
            "map_batches or map_groups, and a const Row& otherwise");
    }
}

template <auto F, class... A>
BoundValues<F, 1> bind_one(A&&... arguments) {
    static_assert(std::tuple_size_v<BoundValues<F, 1>> == sizeof...(A),
                  "muster: another number of arguments is bound than the function takes behind its "
                  "first parameter");
    return BoundValues<F, 1>(std::forward<A>(arguments)...);
}

/// Calls `batch` with each so many rows, and joins what it returns.
template <class Call>
Block in_batches(const Block& block, std::uint64_t batch_size, Call&& batch) {
    if (batch_size == 0 || block.rows() <= batch_size) {
        return batch(block);
    }
    std::vector<Block> made;
    for (std::uint64_t first = 0; first < block.rows(); first += batch_size) {
        made.push_back(batch(block.slice(first, std::min(batch_size, block.rows() - first))));
    }
    return joined(made);
}

template <auto F>
struct MapBatches {
    static constexpr bool takes_empty = false;
    using Bound = std::pair<std::uint64_t, BoundValues<F, 1>>; ///< Batch size, arguments.

    static constexpr const char* function_name() { return muster::detail::function_name<F>(); }

    static Block call(Block block, StepContext, std::string_view arguments) {
        const auto bound = decode_bound<Bound>(arguments);
        return in_batches(block, bound.first, [&](const Block& batch) {
            return std::apply([&](const auto&... rest) -> Block { return F(batch, rest...); },
                              bound.second);
        });
    }
};

template <auto F>
struct MapGroups {
    static constexpr bool takes_empty = false;
    using Bound = std::pair<std::vector<std::string>, BoundValues<F, 1>>; ///< Keys, arguments.

    static constexpr const char* function_name() { return muster::detail::function_name<F>(); }

    static Block call(Block block, StepContext, std::string_view arguments) {
        const auto bound = decode_bound<Bound>(arguments);
        const auto begins = group_begins(block, bound.first);
        std::vector<Block> made;
        for (std::size_t i = 0; i + 1 < begins.size(); ++i) {
            const Block group = block.slice(begins[i], begins[i + 1] - begins[i]);
            made.push_back(std::apply(
                [&](const auto&... rest) -> Block { return F(group, rest...); }, bound.second));
        }
        return joined(made);
    }
};

template <auto F>
struct MapRows {
    static constexpr bool takes_empty = false;
    using Bound = BoundValues<F, 2>;

    static constexpr const char* function_name() { return muster::detail::function_name<F>(); }

    static Block call(Block block, StepContext, std::string_view arguments) {
        const auto bound = decode_bound<Bound>(arguments);
        Rows made;
        std::apply(
            [&](const auto&... rest) {
                for (std::uint64_t row = 0; row < block.rows(); ++row) {
                    NewRow out(made.add());
                    F(Row(block, row), out, rest...);
                }
            },
            bound);
        return made.finish();
    }
};

template <auto F>
struct FlatMapRows {
    static constexpr bool takes_empty = false;
    using Bound = BoundValues<F, 2>;

    static constexpr const char* function_name() { return muster::detail::function_name<F>(); }

    static Block call(Block block, StepContext, std::string_view arguments) {
        const auto bound = decode_bound<Bound>(arguments);
        Rows made;
        std::apply(
            [&](const auto&... rest) {
                for (std::uint64_t row = 0; row < block.rows(); ++row) {
                    F(Row(block, row), made, rest...);
                }
            },
            bound);
        return made.finish();
    }
};

template <auto F>
struct FilterRows {
    static constexpr bool takes_empty = true;
    using Bound = BoundValues<F, 1>;

    static constexpr const char* function_name() { return muster::detail::function_name<F>(); }

    static Block call(Block block, StepContext, std::string_view arguments) {
        const auto bound = decode_bound<Bound>(arguments);
        std::vector<std::uint32_t> kept;
        std::apply(
            [&](const auto&... rest) {
                for (std::uint64_t row = 0; row < block.rows(); ++row) {
                    if (F(Row(block, row), rest...)) {
                        kept.push_back(static_cast<std::uint32_t>(row));
                    }
                }
            },
            bound);
        return kept.size() == block.rows() ? block : kept_rows(block, kept);
    }
};

template <class Adapter>
Step make_step(const char* operation, const typename Adapter::Bound& bound) {
    Step step;
    step.function = number_of(RegisteredStep<Adapter>::entry);
    step.name = std::string(operation) + '(' + Adapter::function_name() + ')';
    step.arguments = encode_bound(bound);
    step.takes_empty = Adapter::takes_empty;
    return step;
}

} // namespace muster::data::detail
