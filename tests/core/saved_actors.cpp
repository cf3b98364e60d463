// Actors that are saved, as long as no rank is lost: what a loss does is
// tests/chaos/counter_test.py.

#include "body.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace muster::test {
namespace {

/// Cannot be saved.
struct Plain {
    void use() {}
};

class Saved {
public:
    explicit Saved(int start) : value_(start) {}

    int add(int by) { return value_ += by; }

    [[nodiscard]] int saves() const { return saves_; }

    [[nodiscard]] int save() const {
        ++saves_;
        return value_;
    }

    void load(int value) { value_ = value; }

private:
    int value_;
    mutable int saves_ = 0;
};

/// Tells a counter of its end, and cannot be saved just now.
class Mortal {
public:
    explicit Mortal(ActorHandle<Saved> told) : told_(std::move(told)) {}

    Mortal(const Mortal&) = delete;
    Mortal& operator=(const Mortal&) = delete;

    ~Mortal() { told_.call<&Saved::add>(1); }

    int use(int n) { return n; }

    [[nodiscard]] int save() const { throw std::runtime_error("no room"); }

    void load(int /*saved*/) {}

private:
    ActorHandle<Saved> told_;
};

int add_through(ActorHandle<Saved> counter, int times) {
    for (int i = 0; i < times; ++i) {
        counter.call<&Saved::add>(1);
    }
    return counter.call<&Saved::add>(0).get();
}

int find_and_add(const std::string& name) {
    return find_actor<Saved>(name).call<&Saved::add>(1).get();
}

} // namespace

MUSTER_BODY(AnActorThatCannotBeSavedIsNotReplayed) {
    const auto plain = thrown_by<Error>(
        [] { (void)spawn<Plain>({.name = "plain", .max_restarts = 1, .replay = true}); });
    EXPECT_TRUE(contains(plain, "actor plain (muster::test::")) << plain;
    EXPECT_TRUE(contains(plain, "`S save() const` and `void load(S)`")) << plain;
    const auto never = thrown_by<Error>([] { (void)spawn<Saved>({.replay = true}, 0); });
    EXPECT_TRUE(contains(never, ".max_restarts")) << never;
    const auto unsaved = thrown_by<Error>(
        [] { (void)spawn<Saved>({.max_restarts = 1, .save_every = 0, .replay = true}, 0); });
    EXPECT_TRUE(contains(unsaved, ".save_every")) << unsaved;
    spawn<Plain>({.name = "plain", .max_restarts = 1})
        .call<&Plain::use>()
        .get(); // the name is free
}

MUSTER_BODY(AnActorIsSavedAsOftenAsAsked) {
    const auto saves = [](const ActorOptions& options) {
        const auto actor = spawn<Saved>(options, 0);
        for (int i = 0; i < 7; ++i) {
            actor.call<&Saved::add>(1);
        }
        return actor.call<&Saved::saves>().get();
    };
    EXPECT_EQ(saves({.max_restarts = 1}), 7);
    EXPECT_EQ(saves({.max_restarts = 1, .save_every = 3}), 2);
    EXPECT_EQ(saves({.max_restarts = 1, .save_every = 3, .replay = true}), 2);
    EXPECT_EQ(saves({.max_restarts = 1, .save_every = 0}), 0);
    EXPECT_EQ(saves({.max_restarts = 1, .isolate = true, .save_every = 3}), 2);
    EXPECT_EQ(saves({}), 0); // it is never restarted
}

MUSTER_BODY(AnActorThatIsReplayedIsCalledFromEverywhere) {
    const auto counter = spawn<Saved>({.placement = rank_at(1),
                                       .name = "replayed",
                                       .max_restarts = 1,
                                       .save_every = 4,
                                       .replay = true},
                                      0);
    std::vector<Future<int>> added;
    for (int i = 0; i < 6; ++i) {
        added.push_back(task<&add_through>.with({.cpus = 0, .placement = rank_at(i)})(counter, 50));
        added.push_back(task<&find_and_add>.with({.cpus = 0, .placement = rank_at(i)})("replayed"));
    }
    for (auto& one : added) {
        EXPECT_GT(one.get(), 0);
    }
    EXPECT_EQ(counter.call<&Saved::add>(0).get(), 306);
}

MUSTER_BODY(CallsThatNoSaveCoversKeepNoActorAlive) {
    const auto told = spawn<Saved>({}, 0);
    for (int i = 0; i < 3; ++i) {
        const auto mortal = spawn<Mortal>(
            {.placement = rank_at(i), .max_restarts = 1, .save_every = 2, .replay = true}, told);
        for (int n = 0; n < 5; ++n) {
            EXPECT_EQ(mortal.call<&Mortal::use>(n).get(), n);
        }
        EXPECT_EQ(task<[](const ActorHandle<Mortal>& one) {
                      return one.call<&Mortal::use>(7).get();
                  }>.with({.cpus = 0, .placement = rank_at(i + 1)})(mortal)
                      .get(),
                  7);
    }
    while (told.call<&Saved::add>(0).get() < 3) {
    }
}

} // namespace muster::test
