// Tasks that are coroutines: co_await waits as get() does, but holds no thread, so that thousands
// may wait at once. The driver may be one, too.

#include <muster/core/muster.hpp>

#include <cstdlib>
#include <iostream>
#include <vector>

constexpr int size = 8;

// Whether a queen may be put on the next row, below those that are there.
bool is_free(const std::vector<int>& queens, int column) {
    int distance = static_cast<int>(queens.size());
    for (const int other : queens) {
        if (other == column || std::abs(other - column) == distance) {
            return false;
        }
        --distance;
    }
    return true;
}

std::vector<std::vector<int>> with_one_more(std::vector<int> queens) {
    std::vector<std::vector<int>> boards;
    for (int column = 0; column < size; ++column) {
        if (is_free(queens, column)) {
            queens.push_back(column);
            boards.push_back(queens);
            queens.pop_back();
        }
    }
    return boards;
}

int count_here(const std::vector<int>& queens) {
    if (queens.size() == size) {
        return 1;
    }
    int ways = 0;
    for (const auto& board : with_one_more(queens)) {
        ways += count_here(board);
    }
    return ways;
}

// A task for every board of up to three queens, which waits for those with one more.
muster::Coroutine<int> count_ways(std::vector<int> queens) {
    if (queens.size() == 3) {
        co_return count_here(queens);
    }
    auto parts = muster::map<&count_ways>(with_one_more(queens));
    int ways = 0;
    for (const int part : co_await muster::when_all(parts)) {
        ways += part;
    }
    co_return ways;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, []() -> muster::Coroutine<void> {
        const int ways = co_await muster::task<&count_ways>(std::vector<int>{});
        std::cout << ways << " ways to put " << size << " queens\n";
    });
}
