#include <muster/core/detail/function_name.hpp>

#include <gtest/gtest.h>

#include <string_view>

namespace study {

namespace {

int hidden() {
    return 1;
}

} // namespace

template <class T>
T train(T value) {
    return value;
}

struct Model {
    static int fit() { return 2; }

    [[nodiscard]] int loss() const { return 3; }
};

} // namespace study

int at_top() {
    return 4;
}

constexpr auto at_namespace_scope = [] { return 5; };

using muster::detail::function_name;

#if defined(__clang__)
constexpr bool is_gcc = false; // clang++ says nothing about a lambda given as a template argument.
#else
constexpr bool is_gcc = true;
#endif

TEST(FunctionName, IsTheFunctionsNameWithItsNamespaces) {
    EXPECT_STREQ(function_name<&at_top>(), "at_top");
    EXPECT_STREQ(function_name<&study::Model::fit>(), "study::Model::fit");
    EXPECT_STREQ(function_name<&study::Model::loss>(), "study::Model::loss");
    EXPECT_TRUE(std::string_view(function_name<&study::train<int>>()).starts_with("study::train"));
}

TEST(FunctionName, LeavesOutAnonymousNamespaces) {
    EXPECT_STREQ(function_name<&study::hidden>(), "study::hidden");
}

TEST(FunctionName, OfALambdaSaysWhereItIs) {
    constexpr std::string_view name = function_name<[](double x) { return x; }>();
    EXPECT_EQ(name,
              is_gcc ? "lambda in FunctionName_OfALambdaSaysWhereItIs_Test::TestBody(...)"
                     : "lambda");
    EXPECT_TRUE(std::string_view(function_name<at_namespace_scope>()).starts_with("lambda"))
        << function_name<at_namespace_scope>();
}

TEST(FunctionName, OfALambdaInALambdaNamesTheFunctionAroundBoth) {
    constexpr std::string_view name = [] { return function_name<[](int x) { return x; }>(); }();
    EXPECT_EQ(name,
              is_gcc ? "lambda in "
                       "FunctionName_OfALambdaInALambdaNamesTheFunctionAroundBoth_Test::"
                       "TestBody(...)"
                     : "lambda");
}
