#pragma once

#include <muster/base/ids.hpp>
#include <muster/core/detail/function_name.hpp>

#include <atomic>
#include <cstdint>

/// Which functions are tasks: every rank's process finds the same ones before main() starts.
namespace muster::detail {

struct Invocation;

/// Hashes of the shapes of a function's types (see type_hash()), for what outlives the process.
struct FunctionShape {
    std::uint64_t result = 0; ///< 0: it returns nothing.
    std::uint64_t parameters = 0;
};

/// A task function as every rank knows it. Lives as long as the process: make it a static.
///
///     template <auto F>
///     struct Registered {
///         static inline FunctionEntry entry{&invoke_function<F>, function_name<F>()};
///     };
///
/// A call of the task that uses Registered<F>::entry thereby registers F while the program is
/// loaded, on every rank, whether or not the call is ever reached there. The entry's own address
/// is what identifies it: names need not be unique, and the linker may fold equal code but not
/// data. Code that is loaded later (dlopen) must be loaded on every rank before the run starts,
/// and never unloaded.
struct FunctionEntry {
    using Invoke = void (*)(Invocation&);
    using Shape = FunctionShape (*)();

    /// Registers it. Safe at any time during static initialisation, and from several threads.
    FunctionEntry(Invoke invoke,
                  const char* name,
                  bool is_gang = false,
                  Shape shape = nullptr) noexcept;
    FunctionEntry(const FunctionEntry&) = delete;
    FunctionEntry& operator=(const FunctionEntry&) = delete;
    ~FunctionEntry() = default;

    Invoke invoke;    ///< Decodes arguments, calls the function, encodes the result.
    const char* name; ///< For people; static storage.
    bool is_gang;     ///< It takes a communicator, and runs on any number of ranks at once.
    Shape shape;      ///< Null where nothing of it outlives the process.

    /// Private to FunctionTable.
    mutable std::atomic<FunctionId> id{FunctionId{~std::uint32_t{0}}};
    const FunctionEntry* next = nullptr;
};

} // namespace muster::detail
