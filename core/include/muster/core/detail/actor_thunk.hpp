#pragma once

#include <muster/core/detail/actor_block.hpp>
#include <muster/core/detail/thunk.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

/// Constructors and member functions as the other ranks find them. Private to the library.
namespace muster::detail {

template <class R, class C, class... P>
struct MethodSignature : SignatureTraits<R, P...> {
    using Class = C;
};

// Falls back to a method without parameters, so that the compiler says no more than the sentence.
template <class F>
struct MethodTraits : MethodSignature<void, void> {
    static_assert(sizeof(F) == 0,
                  "muster: call<> takes a member function of the actor's class: "
                  "handle.call<&Counter::add>(1)");
};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...)> : MethodSignature<R, C, P...> {};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...) const> : MethodSignature<R, C, P...> {};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...) noexcept> : MethodSignature<R, C, P...> {};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...) const noexcept> : MethodSignature<R, C, P...> {};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...)&> : MethodSignature<R, C, P...> {};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...) const&> : MethodSignature<R, C, P...> {};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...)& noexcept> : MethodSignature<R, C, P...> {};

template <class R, class C, class... P>
struct MethodTraits<R (C::*)(P...) const& noexcept> : MethodSignature<R, C, P...> {};

template <auto M>
using Method = MethodTraits<std::remove_cv_t<decltype(M)>>;

template <class P>
inline constexpr bool takes_all_values = false;
template <class... P>
inline constexpr bool takes_all_values<std::tuple<P...>> = (is_value_parameter<P> && ...);

/// True if M may be called on an actor of class C; what is wrong is said by static_asserts.
template <class C, auto M>
constexpr bool check_method() {
    using Signature = Method<M>;
    using Class = typename Signature::Class;
    if constexpr (std::is_void_v<Class>) {
        return false;
    } else {
        constexpr bool is_member = std::is_base_of_v<Class, C>;
        constexpr bool takes_values = takes_all_values<typename Signature::Parameters>;
        constexpr bool returns_value = !std::is_reference_v<typename Signature::Result>;
        static_assert(
            is_member,
            "muster: the member function called is one of another class than the actor's");
        static_assert(takes_values,
                      "muster: a call's parameters are passed by value: T or const T&, not T&");
        static_assert(returns_value,
                      "muster: a call returns by value: a reference would point into another rank");
        if constexpr (returns_value && !std::is_void_v<typename Signature::Result>) {
            check_serializable<typename Signature::Result>();
        }
        []<class... P>(std::type_identity<std::tuple<P...>>) {
            (check_serializable<StoredParameter<P>>(), ...);
        }(std::type_identity<typename Signature::Parameters>{});
        return is_member && takes_values && returns_value;
    }
}

template <class C, auto M>
void invoke_method(Invocation& invocation) {
    using Signature = Method<M>;
    using Result = typename Signature::Result;
    constexpr std::type_identity<typename Signature::Parameters> parameters;
    auto* const object = static_cast<C*>(invocation.instance);
    const auto call = [object](auto&&... values) -> decltype(auto) {
        return (object->*M)(std::forward<decltype(values)>(values)...);
    };
    if constexpr (Signature::returns_coroutine) {
        start_with<Result>(invocation, parameters, call);
    } else {
        invoke_with<Result>(invocation, parameters, call);
    }
}

template <class C, auto M>
struct RegisteredMethod {
    static inline FunctionEntry entry{&invoke_method<C, M>, function_name<M>()};
};

/// What the constructor is given for an argument of type A. Text travels as std::string.
template <class A>
struct ConstructorParameter {
    using Plain = std::decay_t<A>;
    using Type =
        std::conditional_t<std::is_same_v<Plain, const char*> || std::is_same_v<Plain, char*> ||
                               std::is_same_v<Plain, std::string_view>,
                           std::string,
                           Plain>;
};

/// A future stands for its value.
template <class T>
struct ValueParameter {
    using Type = T;
};

template <class T>
struct ValueParameter<Future<T>> {
    using Type = T;
};

template <class T>
struct ValueParameter<std::vector<Future<T>>> {
    using Type = std::vector<T>;
};

template <class... P>
struct ConstructorList {
    using Tuple = std::tuple<P...>;
    template <class C>
    static constexpr bool constructs = std::is_constructible_v<C, P...>;
};

template <class... A>
struct ConstructorChoice {
    using AsGiven = ConstructorList<typename ConstructorParameter<A>::Type...>;
    using AsValues =
        ConstructorList<typename ValueParameter<typename ConstructorParameter<A>::Type>::Type...>;
    /// Futures are dependencies, unless the constructor takes futures only.
    template <class C>
    using For = std::conditional_t<AsValues::template constructs<C>, AsValues, AsGiven>;
};

/// What an actor's save() gives.
template <class C>
using SavedState = std::remove_cvref_t<decltype(std::declval<const C&>().save())>;

/// The class has `S save() const` and `void load(S)`, and S travels.
template <class C>
concept Saves = requires(const C& from, C& to) {
    requires !std::is_void_v<decltype(from.save())>;
    to.load(std::declval<SavedState<C>>());
    requires Serializable<SavedState<C>>;
};

template <class C>
Buffer save_actor(const void* actor) {
    return to_buffer(static_cast<const C*>(actor)->save());
}

template <class C, class Parameters>
void invoke_constructor(Invocation& invocation) {
    invoke_with<void>(invocation, std::type_identity<Parameters>{}, [&](auto&&... values) {
        auto made = std::make_shared<C>(std::forward<decltype(values)>(values)...);
        if constexpr (Saves<C>) {
            if (invocation.saved != nullptr) {
                made->load(from_buffer<SavedState<C>>(invocation.saved->bytes()));
            }
            invocation.save = &save_actor<C>;
        }
        invocation.made = std::move(made);
    });
}

template <class C, class Parameters>
struct RegisteredConstructor {
    static inline FunctionEntry entry{&invoke_constructor<C, Parameters>, type_name<C>()};
};

} // namespace muster::detail
