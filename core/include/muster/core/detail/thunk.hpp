#pragma once

#include <muster/core/coroutine.hpp>
#include <muster/core/detail/client.hpp>
#include <muster/core/detail/registry.hpp>
#include <muster/core/future.hpp>
#include <muster/core/serialize.hpp>

#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// Between typed calls and bytes: how a call's arguments are encoded, and how a function is called
/// with them on the other side. Private to the library.
namespace muster::detail {

template <class R>
struct GangResult {
    using type = std::vector<std::remove_cv_t<R>>;
};

template <class R>
requires std::is_void_v<R>

struct GangResult<R> {
    using type = void;
};

template <class R, class... P>
struct SignatureTraits {
    /// What a function that is a coroutine has in the end.
    using Result = typename CoroutineResult<std::remove_cv_t<R>>::type;
    using MemberResult = Result;
    using Parameters = std::tuple<P...>;
    static constexpr std::size_t parameter_count = sizeof...(P);
    static constexpr bool is_gang = false;
    static constexpr bool returns_coroutine = is_coroutine<std::remove_cv_t<R>>;
};

/// A function that takes a communicator first runs as a gang: its result is every member's.
template <class R, class... P>
struct SignatureTraits<R, Communicator&, P...> {
    using Result = typename GangResult<typename CoroutineResult<R>::type>::type;
    using MemberResult = typename CoroutineResult<std::remove_cv_t<R>>::type;
    using Parameters = std::tuple<P...>;
    static constexpr std::size_t parameter_count = sizeof...(P);
    static constexpr bool is_gang = true;
    static constexpr bool returns_coroutine = is_coroutine<std::remove_cv_t<R>>;
};

// Falls back to the signature of a function that takes and returns nothing, so that the compiler
// says no more than the sentence.
template <class F>
struct CallableTraits : SignatureTraits<void> {
    static_assert(sizeof(F) == 0,
                  "muster: a task is a function (task<&f>) or a captureless lambda that is not "
                  "generic (task<[](double x) { ... }>)");
};

template <class R, class... P>
struct CallableTraits<R (*)(P...)> : SignatureTraits<R, P...> {};

template <class R, class... P>
struct CallableTraits<R (*)(P...) noexcept> : SignatureTraits<R, P...> {};

template <class R, class C, class... P>
struct CallableTraits<R (C::*)(P...) const> : SignatureTraits<R, P...> {};

template <class R, class C, class... P>
struct CallableTraits<R (C::*)(P...) const noexcept> : SignatureTraits<R, P...> {};

template <class F>
concept WithOneCallOperator = requires {
    &F::operator();
};

template <class F>
struct SelectTraits : CallableTraits<F> {};

template <WithOneCallOperator F>
struct SelectTraits<F> : CallableTraits<decltype(&F::operator())> {};

template <class F>
requires std::is_member_function_pointer_v<F>

struct SelectTraits<F> : SignatureTraits<void> {
    static_assert(sizeof(F) == 0,
                  "muster: a member function is no task: call it in a function or lambda that "
                  "takes the object as a parameter");
};

template <auto F>
struct FunctionTraits : SelectTraits<std::remove_cv_t<decltype(F)>> {};

template <class P>
inline constexpr bool is_value_parameter =
    !std::is_lvalue_reference_v<P> || std::is_const_v<std::remove_reference_t<P>>;

template <auto F>
inline constexpr bool takes_values = []<class... P>(std::type_identity<std::tuple<P...>>) {
    return (is_value_parameter<P> && ...);
}(std::type_identity<typename FunctionTraits<F>::Parameters>{});

/// A communicator is the runtime's to give, and not an argument: what is left of the parameters
/// must not be one.
template <auto F>
inline constexpr bool takes_one_communicator =
    []<class... P>(std::type_identity<std::tuple<P...>>) {
        return (!std::is_same_v<std::remove_cvref_t<P>, Communicator> && ...);
    }(std::type_identity<typename FunctionTraits<F>::Parameters>{});

template <auto F>
constexpr void check_signature() {
    using Signature = FunctionTraits<F>;
    static_assert(takes_one_communicator<F>,
                  "muster: a gang's function takes one communicator, first and by reference: "
                  "f(muster::Communicator& ranks, ...)");
    static_assert(takes_values<F> || !takes_one_communicator<F>,
                  "muster: a task's parameters are passed by value: T or const T&, not T&");
    static_assert(
        !Signature::is_gang || !Signature::returns_coroutine,
        "muster: a gang's function is no coroutine: its members meet in collectives, which "
        "hold their threads; it may call get()");
    static_assert(!std::is_reference_v<typename Signature::MemberResult>,
                  "muster: a task returns by value: a reference would point into another rank");
    if constexpr (!std::is_void_v<typename Signature::MemberResult>) {
        check_serializable<typename Signature::MemberResult>();
    }
    []<class... P>(std::type_identity<std::tuple<P...>>) {
        (check_serializable<StoredParameter<P>>(), ...);
    }(std::type_identity<typename Signature::Parameters>{});
}

template <class T>
struct IsFuture : std::false_type {};

template <class T>
struct IsFuture<Future<T>> : std::true_type {};

template <class T>
struct IsFutureVector : std::false_type {};

template <class T>
struct IsFutureVector<std::vector<Future<T>>> : std::true_type {};

template <class T>
struct IsVector : std::false_type {};

template <class T>
struct IsVector<std::vector<T>> : std::true_type {};

/// How one argument is encoded.
enum class ArgumentKind : std::uint8_t {
    value = 0,      ///< its encoding follows
    dependency = 1, ///< the next dependency's value
    list = 2,       ///< a count follows; so many dependencies are the elements of a vector
};

template <class Elements>
void write_array(Writer& writer, const Elements& elements) {
    writer.write_count(elements.size());
    writer.write(elements.data(), elements.size() * sizeof(elements[0]));
}

/// The encoding of a vector or string of these elements, where values are kept: one copy.
template <class Elements>
Buffer encode_array(Client& client, const Elements& elements) {
    const std::size_t bytes =
        Writer::bytes_of_count(elements.size()) + elements.size() * sizeof(elements[0]);
    Writer writer;
    writer.use(client.allocate_value(bytes), bytes);
    write_array(writer, elements);
    return writer.take();
}

/// A value that is to be an object.
template <class T>
Buffer encode_object(Client& client, const T& value) {
    if constexpr (is_viewable<T>) {
        return encode_array(client, value);
    } else if constexpr (HoldsEncoding<T>) {
        return client.share_value(value.muster_encoding());
    } else {
        return client.share_value(to_buffer(value));
    }
}

template <class T>
Buffer encode_result(const T& value) {
    return encode_object(current_client(), value);
}

/// Encodes the arguments of one task after another into shared memory.
class ArgumentEncoder {
public:
    /// `tasks_expected` if it is known: many small tasks then share pieces of memory.
    /// `keyed`: for tasks whose arguments belong to their key.
    explicit ArgumentEncoder(Client& client, std::size_t tasks_expected = 1, bool keyed = false)
        : client_(client), tasks_left_(tasks_expected), keyed_(keyed) {
        tasks_.tasks.reserve(tasks_expected);
        writer_.set_context(&actors_);
    }

    ArgumentEncoder(const ArgumentEncoder&) = delete;
    ArgumentEncoder& operator=(const ArgumentEncoder&) = delete;

    template <class P, class A>
    void add(A&& argument) {
        using Parameter = StoredParameter<P>;
        using Argument = std::remove_cvref_t<A>;
        if constexpr (IsFuture<Argument>::value && !IsFuture<Parameter>::value) {
            static_assert(std::is_same_v<typename Argument::value_type, Parameter>,
                          "muster: a future in place of an argument must be a Future of exactly "
                          "the parameter's type");
            encode(writer_, ArgumentKind::dependency);
            depend_on(*argument.block(), argument.id());
        } else if constexpr (IsFutureVector<Argument>::value && IsVector<Parameter>::value &&
                             !IsFutureVector<Parameter>::value) {
            static_assert(std::is_same_v<typename Argument::value_type::value_type,
                                         typename Parameter::value_type>,
                          "muster: futures in place of a vector's elements must be Futures of "
                          "exactly the element's type");
            encode(writer_, ArgumentKind::list);
            encode(writer_, static_cast<std::uint64_t>(argument.size()));
            key_list(argument.size());
            for (const auto& future : argument) {
                depend_on(*future.block(), future.id());
            }
        } else {
            constexpr bool is_view = detail::Parameter<P>::is_view && std::is_convertible_v<A, P>;
            static_assert(is_view || std::is_convertible_v<A, Parameter>,
                          "muster: an argument does not convert to the parameter's type");
            if constexpr (is_view) {
                add_elements(std::remove_cvref_t<P>(argument));
            } else if constexpr (std::is_same_v<Argument, Parameter> && is_viewable<Parameter>) {
                add_elements(argument);
            } else if constexpr (std::is_same_v<Argument, Parameter>) {
                add_value(argument);
            } else if constexpr (std::is_convertible_v<A, Parameter>) {
                add_value<Parameter>(Parameter(std::forward<A>(argument)));
            }
        }
    }

    /// The arguments that were added since the last call are those of one task.
    void end_task();

    /// All tasks.
    [[nodiscard]] EncodedTasks take() { return std::move(tasks_); }

private:
    /// Larger arguments become objects: fetched by the rank that runs the task, sent once.
    static constexpr std::size_t inline_bytes_max = 2048;

    template <class T>
    void add_value(const T& value) {
        if constexpr (HoldsEncoding<T>) {
            Buffer stored = encode_object(client_, value);
            if (stored.size() > inline_bytes_max) {
                key_value(stored.bytes());
                depend_on_stored(std::move(stored));
                return;
            }
        }
        encode(writer_, ArgumentKind::value);
        const std::size_t before = writer_.size();
        encode(writer_, value);
        const auto encoded = writer_.bytes().subspan(before);
        key_value(encoded);
        if (encoded.size() > inline_bytes_max) {
            Buffer stored = client_.copy_value(encoded);
            writer_.truncate(before - sizeof(ArgumentKind));
            depend_on_stored(std::move(stored));
        }
    }

    /// The same, of an array: copied once, whatever its size.
    template <class Elements>
    void add_elements(const Elements& elements) {
        if (elements.size() * sizeof(elements[0]) > inline_bytes_max) {
            Buffer stored = encode_array(client_, elements);
            key_value(stored.bytes());
            depend_on_stored(std::move(stored));
        } else {
            encode(writer_, ArgumentKind::value);
            const std::size_t before = writer_.size();
            write_array(writer_, elements);
            key_value(writer_.bytes().subspan(before));
        }
    }

    [[nodiscard]] Buffer store(std::span<const std::byte> bytes);
    void depend_on(FutureBlock& block, ObjectId object);
    /// In place of a value: the name of the object that holds it.
    void depend_on_stored(Buffer value);
    /// An encoded value is the next argument of the key, if there is one.
    void key_value(std::span<const std::byte> value);
    /// The next `count` dependencies are one argument.
    void key_list(std::size_t count);
    void key_argument(const std::optional<KeyDigest>& argument);

    Client& client_;
    EncodedTasks tasks_;
    std::size_t tasks_left_; ///< An estimate.
    bool keyed_;
    Buffer chunk_; ///< What the next arguments are stored in, from chunk_used_ on.
    std::byte* chunk_bytes_ = nullptr;
    std::size_t chunk_used_ = 0;
    Writer writer_;
    std::vector<ObjectId> dependencies_;
    std::vector<ObjectId> actors_; ///< The writer's context: handles put themselves here.
    ArgumentsKey key_;
    /// Objects made by depend_on_stored(): held until the tasks are submitted.
    std::vector<Future<void>> held_;
};

template <class... P, class... A>
void encode_as(ArgumentEncoder& encoder, std::type_identity<std::tuple<P...>>, A&&... arguments) {
    (encoder.template add<P>(std::forward<A>(arguments)), ...);
}

template <auto F, class... A>
void encode_arguments(ArgumentEncoder& encoder, A&&... arguments) {
    encode_as(encoder,
              std::type_identity<typename FunctionTraits<F>::Parameters>{},
              std::forward<A>(arguments)...);
}

template <class T>
concept TupleLike = requires {
    std::tuple_size<std::remove_cvref_t<T>>::value;
};

/// An element of a map: the only argument, or a tuple of all of them.
template <auto F, class E>
void encode_element(ArgumentEncoder& encoder, E&& element) {
    constexpr std::size_t count = FunctionTraits<F>::parameter_count;
    if constexpr (count == 1) {
        encode_arguments<F>(encoder, std::forward<E>(element));
    } else {
        static_assert(TupleLike<E>,
                      "muster: a function of several parameters is mapped over tuples of them");
        if constexpr (TupleLike<E>) {
            static_assert(std::tuple_size_v<std::remove_cvref_t<E>> == count,
                          "muster: the tuples mapped over have another size than the function's "
                          "parameter list");
            std::apply(
                [&](auto&&... values) {
                    encode_arguments<F>(encoder, std::forward<decltype(values)>(values)...);
                },
                std::forward<E>(element));
        }
    }
}

/// The reverse, on the rank that runs the task.
class ArgumentDecoder {
public:
    explicit ArgumentDecoder(const Invocation& invocation)
        : reader_(invocation.arguments), dependencies_(invocation.dependencies) {}

    template <class P>
    typename Parameter<P>::Held next() {
        using Parameter = StoredParameter<P>;
        using Held = typename detail::Parameter<P>::Held;
        constexpr bool is_view = detail::Parameter<P>::is_view;
        switch (decode<ArgumentKind>(reader_)) {
        case ArgumentKind::value:
            if constexpr (is_view) {
                return Held(encoded_array<typename Parameter::value_type>());
            } else {
                return Held(decode<Parameter>(reader_));
            }
        case ArgumentKind::dependency:
            if constexpr (!std::is_same_v<Held, Parameter>) {
                return Held(next_dependency());
            } else {
                return decode_object<Parameter>(next_dependency());
            }
        case ArgumentKind::list:
            if constexpr (IsVector<Parameter>::value) {
                Parameter list;
                const auto count = decode<std::uint64_t>(reader_);
                for (std::uint64_t i = 0; i < count; ++i) {
                    list.push_back(
                        decode_object<typename Parameter::value_type>(next_dependency()));
                }
                if constexpr (is_view) {
                    return Held(to_buffer(list));
                } else {
                    return Held(std::move(list));
                }
            }
            break;
        }
        throw_malformed();
    }

private:
    /// The array that is encoded next, still encoded.
    template <class E>
    Buffer encoded_array() {
        const auto all = reader_.rest();
        Reader counter(all);
        const std::size_t count = counter.read_count_of(sizeof(E));
        return Buffer::copy_of(reader_.take(counter.offset() + count * sizeof(E)));
    }

    const Buffer& next_dependency();
    [[noreturn]] static void throw_malformed();

    Reader reader_;
    std::span<const Buffer> dependencies_;
    std::size_t used_ = 0;
};

/// Every member's result at the first member, nothing at the others. Collective: what members call
/// last, so that one which returns while others still wait for it is noticed.
std::vector<Buffer> gather_results(Communicator& communicator, Buffer own);

/// Encodes the vector of all members' results; nothing at members that got none.
template <class R>
Buffer join_results(const std::vector<Buffer>& results) {
    if (results.empty()) {
        return {};
    }
    std::vector<R> joined;
    joined.reserve(results.size());
    for (const Buffer& result : results) {
        joined.push_back(from_buffer<R>(result.bytes()));
    }
    return to_buffer(joined);
}

/// Calls `function` with the arguments decoded as values of P, and keeps what it returns.
template <class Result, class... P, class F>
void invoke_with(Invocation& call, std::type_identity<std::tuple<P...>>, F&& function) {
    ArgumentDecoder decoder(call);
    // Braces evaluate from left to right, which is the order of encoding.
    std::tuple<typename Parameter<P>::Held...> arguments{decoder.template next<P>()...};
    if constexpr (std::is_void_v<Result>) {
        std::apply(function, std::move(arguments));
    } else {
        call.result = encode_result(std::apply(function, std::move(arguments)));
    }
}

/// What a function that is a coroutine was called with, and its coroutine. The arguments live as
/// long, so that parameters may be references to them.
template <class Result, class Arguments>
class CallWithArguments final : public CoroutineCall {
public:
    template <class F>
    CallWithArguments(F&& function, Arguments arguments)
        : arguments_(std::move(arguments)),
          coroutine_(std::apply(std::forward<F>(function), std::move(arguments_))) {
        coroutine_.check();
        coroutine_.handle().promise().run = this;
        continue_with(coroutine_.handle());
    }

    Buffer result() override {
        if constexpr (std::is_void_v<Result>) {
            coroutine_.handle().promise().take();
            return {};
        } else {
            return encode_result(coroutine_.handle().promise().take());
        }
    }

private:
    Arguments arguments_;
    Coroutine<Result> coroutine_;
};

/// As invoke_with(), for a function that returns a coroutine, which is left to the caller to run.
template <class Result, class... P, class F>
void start_with(Invocation& call, std::type_identity<std::tuple<P...>>, F&& function) {
    using Arguments = std::tuple<typename Parameter<P>::Held...>;
    ArgumentDecoder decoder(call);
    call.coroutine = std::make_unique<CallWithArguments<Result, Arguments>>(
        std::forward<F>(function), Arguments{decoder.template next<P>()...});
}

template <auto F>
void invoke_function(Invocation& invocation) {
    using Signature = FunctionTraits<F>;
    constexpr std::type_identity<typename Signature::Parameters> parameters;
    using Result = typename Signature::MemberResult;
    if constexpr (Signature::returns_coroutine) {
        if constexpr (!Signature::is_gang) { // which check_signature() refuses
            start_with<Result>(invocation, parameters, [](auto&&... values) {
                return F(std::forward<decltype(values)>(values)...);
            });
        }
    } else if constexpr (Signature::is_gang) {
        Communicator& communicator = *invocation.communicator;
        invoke_with<Result>(invocation, parameters, [&](auto&&... values) -> decltype(auto) {
            return F(communicator, std::forward<decltype(values)>(values)...);
        });
        auto results = gather_results(communicator, std::move(invocation.result));
        if constexpr (!std::is_void_v<Result>) {
            invocation.result = join_results<Result>(results);
        }
    } else {
        invoke_with<Result>(invocation, parameters, [](auto&&... values) -> decltype(auto) {
            return F(std::forward<decltype(values)>(values)...);
        });
    }
}

template <auto F>
FunctionShape function_shape() {
    using Signature = FunctionTraits<F>;
    FunctionShape shape;
    if constexpr (!std::is_void_v<typename Signature::Result>) {
        shape.result = type_hash<typename Signature::Result>();
    }
    []<class... P>(std::type_identity<std::tuple<P...>>, std::uint64_t& hash) {
        ((hash = combine_hashes(hash, type_hash<StoredParameter<P>>())), ...);
    }(std::type_identity<typename Signature::Parameters>{}, shape.parameters);
    return shape;
}

/// Registered before main() on every rank, because it is odr-used by every call of task<F>.
template <auto F>
struct Registered {
    static inline FunctionEntry entry{
        &invoke_function<F>, function_name<F>(), FunctionTraits<F>::is_gang, &function_shape<F>};
};

template <auto F>
const FunctionEntry& function_entry() {
    return Registered<F>::entry;
}

} // namespace muster::detail
