#include "body.hpp"

#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

namespace muster::test {
namespace {

template <class Exception>
int throws(const std::string& message) {
    throw Exception(message);
}

struct OutOfPaper : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Odd {
    int value = 0;
};

int pass(int value) {
    return value;
}

int get_failing() {
    return task<&throws<std::domain_error>>.with({.placement = rank_at(where() + 1)})("deep").get();
}

/// Fails with Exception on every rank, and is rebuilt as just that type here.
template <class Exception>
void expect_rebuilt() {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto future =
            task<&throws<Exception>>.with({.placement = on_rank(rank)})("disk on fire");
        try {
            (void)future.get();
            ADD_FAILURE() << "no exception";
        } catch (const TaskError& error) {
            EXPECT_EQ(error.code(), ErrorCode::task_failed);
            ASSERT_EQ(error.chain().size(), 1U);
            EXPECT_EQ(error.root_cause().message, "disk on fire");
            EXPECT_EQ(index(error.root_cause().rank), rank);
            EXPECT_EQ(error.root_cause().attempt, 1U);
            EXPECT_EQ(error.root_cause().id, future.id());
            EXPECT_FALSE(error.root_cause().host.empty());
            EXPECT_TRUE(contains(error.root_cause().task, "throws")) << error.root_cause().task;
            EXPECT_TRUE(contains(error.what(), "disk on fire")) << error.what();
            EXPECT_TRUE(contains(error.what(), "on rank " + std::to_string(rank))) << error.what();
            try {
                error.rethrow_cause();
            } catch (const std::exception& cause) {
                EXPECT_EQ(typeid(cause), typeid(Exception)) << typeid(cause).name();
                EXPECT_STREQ(cause.what(), "disk on fire");
            }
        }
    }
}

template <class Call>
std::exception_ptr cause_of(const Call& call) {
    try {
        call();
    } catch (const TaskError& error) {
        try {
            error.rethrow_cause();
        } catch (...) {
            return std::current_exception();
        }
    }
    return nullptr;
}

} // namespace

MUSTER_BODY(StandardExceptionsAreRebuiltAsTheirType) {
    expect_rebuilt<std::runtime_error>();
    expect_rebuilt<std::range_error>();
    expect_rebuilt<std::overflow_error>();
    expect_rebuilt<std::underflow_error>();
    expect_rebuilt<std::logic_error>();
    expect_rebuilt<std::invalid_argument>();
    expect_rebuilt<std::domain_error>();
    expect_rebuilt<std::length_error>();
    expect_rebuilt<std::out_of_range>();
    expect_rebuilt<Error>();
    expect_rebuilt<UsageError>();
}

MUSTER_BODY(ErrorsKeepTheirCodes) {
    const auto own = task<[]() -> int { throw Error("late", ErrorCode::timed_out); }>();
    try {
        std::rethrow_exception(cause_of([&] { (void)own.get(); }));
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::timed_out);
        EXPECT_STREQ(error.what(), "late");
    }
    const auto system = task<[]() -> int {
        throw std::system_error(ENOENT, std::generic_category(), "opening it");
    }>();
    try {
        std::rethrow_exception(cause_of([&] { (void)system.get(); }));
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::no_such_file_or_directory);
        EXPECT_STREQ(error.what(), "opening it: No such file or directory");
    }
    const auto memory = task<[]() -> int { throw std::bad_alloc(); }>();
    EXPECT_THROW(std::rethrow_exception(cause_of([&] { (void)memory.get(); })), std::bad_alloc);
}

MUSTER_BODY(OtherExceptionsKeepTheirTypesName) {
    const auto derived = task<&throws<OutOfPaper>>("tray 2");
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { (void)derived.get(); }), "OutOfPaper: tray 2"));
    EXPECT_THROW(std::rethrow_exception(cause_of([&] { (void)derived.get(); })),
                 std::runtime_error);
    const auto odd = task<[]() -> int { throw Odd{3}; }>();
    const auto text = thrown_by<TaskError>([&] { (void)odd.get(); });
    EXPECT_TRUE(contains(text, "Odd")) << text;
    EXPECT_TRUE(contains(text, "not a std::exception")) << text;
    EXPECT_THROW(std::rethrow_exception(cause_of([&] { (void)odd.get(); })), std::runtime_error);
    const auto number = task<[]() -> int { throw 42; }>();
    EXPECT_TRUE(contains(thrown_by<TaskError>([&] { (void)number.get(); }), "int"));
}

MUSTER_BODY(AFailedDependencyIsTheCause) {
    auto root =
        task<&throws<std::range_error>>.with({.placement = rank_at(1), .name = "root"})("rotten");
    auto middle = task<&pass>(root);
    auto top = task<&pass>.with({.name = "top"})(middle);
    try {
        (void)top.get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        ASSERT_EQ(error.chain().size(), 3U);
        EXPECT_EQ(error.chain()[0].task, "top");
        EXPECT_EQ(error.chain()[0].attempt, 0U);
        EXPECT_TRUE(contains(error.chain()[1].task, "pass")) << error.chain()[1].task;
        EXPECT_EQ(error.root_cause().task, "root");
        EXPECT_EQ(error.root_cause().message, "rotten");
        EXPECT_THROW(error.rethrow_cause(), std::range_error);
        EXPECT_TRUE(contains(error.what(), "because task root")) << error.what();
    }
    // Submitted when the dependency has failed already; and by way of a vector.
    EXPECT_THROW((void)task<&pass>(root).get(), TaskError);
    const auto sum = task<[](std::vector<int> all) { return all.size(); }>;
    EXPECT_THROW((void)sum(std::vector{task<&pass>(1), root, middle}).get(), TaskError);
}

MUSTER_BODY(AFailureThatATaskWaitedForIsItsCause) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        try {
            (void)task<&get_failing>.with({.placement = on_rank(rank)})().get();
            ADD_FAILURE() << "no exception";
        } catch (const TaskError& error) {
            ASSERT_EQ(error.chain().size(), 2U);
            EXPECT_TRUE(contains(error.chain()[0].task, "get_failing"));
            EXPECT_EQ(index(error.chain()[0].rank), rank);
            EXPECT_EQ(index(error.chain()[1].rank), (rank + 1) % rank_count());
            EXPECT_THROW(error.rethrow_cause(), std::domain_error);
        }
    }
}

MUSTER_BODY(ALongChainOfFailuresKeepsItsEnds) {
    auto value = task<&throws<std::out_of_range>>("first");
    for (int i = 0; i < 300; ++i) {
        value = task<&pass>(value);
    }
    try {
        (void)value.get();
        ADD_FAILURE() << "no exception";
    } catch (const TaskError& error) {
        EXPECT_EQ(error.chain().front().id, value.id());
        EXPECT_EQ(error.root_cause().message, "first");
    }
}

MUSTER_BODY(ManyTasksMayThrowAtOnce) {
    auto futures = map<&throws<std::logic_error>>(std::vector<std::string>(2'000, "all of us"));
    std::size_t failed = 0;
    for (auto& future : as_completed(futures)) {
        try {
            (void)future.get();
        } catch (const TaskError& error) {
            failed += error.root_cause().message == "all of us" ? 1U : 0U;
        }
    }
    EXPECT_EQ(failed, futures.size());
}

MUSTER_BODY(AMessageOfTenMegabytesArrives) {
    for (int rank = 0; rank < rank_count(); ++rank) {
        const auto future = task<[](std::size_t size) -> int {
                                throw std::runtime_error(std::string(size, 'm'));
                            }>.with({.placement = on_rank(rank)})(std::size_t{10'000'000});
        try {
            (void)future.get();
            ADD_FAILURE() << "no exception";
        } catch (const TaskError& error) {
            EXPECT_EQ(error.root_cause().message.front(), 'm');
            EXPECT_EQ(task<&pass>(3).get(), 3); // the rank goes on
        }
    }
}

MUSTER_BODY(AnEmptyFutureSaysSo) {
    const Future<int> empty;
    EXPECT_FALSE(empty.valid());
    const std::string expected =
        "this future is empty (default-constructed or moved from): it names no task";
    EXPECT_EQ(thrown_by<Error>([&] { (void)empty.get(); }), expected);
    EXPECT_EQ(thrown_by<Error>([&] { (void)empty.ready(); }), expected);
    EXPECT_EQ(thrown_by<Error>([&] { (void)empty.id(); }), expected);
    EXPECT_EQ(thrown_by<Error>([&] { cancel(empty); }), expected);
    EXPECT_EQ(thrown_by<Error>([&] { (void)wait(std::vector{empty}); }), expected);
    EXPECT_EQ(thrown_by<Error>([&] { (void)task<&pass>(empty); }), expected);
    EXPECT_EQ(thrown_by<Error>([&] {
                  (void)task<[](std::vector<int> all) { return all.size(); }>(
                      std::vector<Future<int>>(2));
              }),
              expected);
    auto moved_from = task<&pass>(4);
    const auto moved = std::move(moved_from);
    EXPECT_FALSE(moved_from.valid()); // NOLINT(bugprone-use-after-move): what is tested
    EXPECT_EQ(moved.get(), 4);
}

} // namespace muster::test
