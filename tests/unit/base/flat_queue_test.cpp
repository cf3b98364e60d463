#include <muster/base/flat_queue.hpp>

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace muster {
namespace {

TEST(FlatQueue, DoesWhatADequeDoes) {
    std::minstd_rand random(1);
    FlatQueue<std::unique_ptr<int>> queue;
    std::deque<int> model;
    for (int i = 0; i < 20'000; ++i) {
        const auto choice = random() % 8;
        const bool grows = i / 1'000 % 2 == 0;
        if (choice < (grows ? 5U : 3U)) {
            queue.push_back(std::make_unique<int>(i));
            model.push_back(i);
        } else if (model.empty()) {
            EXPECT_TRUE(queue.empty());
        } else if (choice < 6) {
            ASSERT_EQ(*queue.front(), model.front());
            ASSERT_EQ(*queue.pop_front(), model.front());
            model.pop_front();
        } else if (choice == 6) {
            ASSERT_EQ(*queue.back(), model.back());
            queue.pop_back();
            model.pop_back();
        } else {
            const auto place = static_cast<std::ptrdiff_t>(random() % model.size());
            ASSERT_EQ(**(queue.begin() + place), model[static_cast<std::size_t>(place)]);
            queue.erase(queue.begin() + place);
            model.erase(model.begin() + place);
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(queue.empty(), model.empty());
        ASSERT_EQ(static_cast<std::size_t>(queue.end() - queue.begin()), model.size());
    }
}

TEST(FlatQueue, IsSmallThoughItIsNeverEmpty) {
    FlatQueue<std::shared_ptr<int>> queue;
    const auto item = std::make_shared<int>(0);
    queue.push_back(item);
    for (int i = 0; i < 10'000; ++i) {
        queue.push_back(item);
        (void)queue.pop_front();
    }
    EXPECT_EQ(queue.size(), 1U);
    EXPECT_EQ(item.use_count(), 2);
    EXPECT_LE(queue.capacity(), 16U);
}

} // namespace
} // namespace muster
