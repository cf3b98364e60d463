#pragma once

#include "wire/actions.hpp"

#include <utility>
#include <variant>
#include <vector>

/// Reads the lists of orders that state machines append to.
namespace muster::testing {

/// All orders of one kind, in order.
template <class A>
std::vector<A> orders(const wire::Actions& actions) {
    std::vector<A> found;
    for (const auto& action : actions) {
        if (const auto* order = std::get_if<A>(&action)) {
            found.push_back(*order);
        }
    }
    return found;
}

/// All messages of one kind with their receivers, in order.
template <class M>
std::vector<std::pair<Rank, M>> sent(const wire::Actions& actions) {
    std::vector<std::pair<Rank, M>> found;
    for (const auto& order : orders<wire::SendMessage>(actions)) {
        if (const auto* message = std::get_if<M>(&order.message)) {
            found.emplace_back(order.to, *message);
        }
    }
    return found;
}

/// A class of tasks that demand CPUs only.
inline wire::TaskClass cpu_class(std::uint32_t function,
                                 Amount cpus = 1,
                                 std::int32_t priority = 0,
                                 std::uint32_t depth = 0) {
    return {FunctionId{function}, {cpus, {}, {}, {}}, priority, depth, {}};
}

inline Buffer bytes(std::size_t size) {
    return Buffer::copy_of(std::vector<std::byte>(size, std::byte{1}));
}

} // namespace muster::testing
