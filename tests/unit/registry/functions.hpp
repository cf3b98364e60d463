#pragma once

#include <muster/core/detail/registry.hpp>

namespace muster::detail {

/// The runtime has its own; for these tests it takes the answer of whichever function ran.
struct Invocation {
    int answer = 0;
};

template <auto F>
void invoke_function(Invocation& invocation) {
    invocation.answer = F();
}

/// As <muster/core/task.hpp> registers what it calls.
template <auto F>
struct Registered {
    static inline FunctionEntry entry{&invoke_function<F>, function_name<F>()};
};

} // namespace muster::detail

// Two source files each have an anonymous-namespace function of this name.
const muster::detail::FunctionEntry& same_name_one();
const muster::detail::FunctionEntry& same_name_two();
