// Resources on several ranks, reserved together: an actor in one bundle, tasks in another.

#include <muster/core/muster.hpp>

#include <iostream>
#include <vector>

class Sum {
public:
    void add(int value) { sum_ += value; }

    int value() const { return sum_; }

private:
    int sum_ = 0;
};

int square(int x) {
    return x * x;
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        // What no cluster like this could hold is refused at once, with the reason.
        try {
            const std::vector<muster::Bundle> too_many(1000, {.cpus = 1, .gpus = 100});
            (void)muster::placement_group(too_many);
        } catch (const muster::Error&) {
            std::cout << "a group of 1000 bundles: refused\n";
        }

        // Both bundles, or none; near to one another, if that is possible.
        const auto group =
            muster::placement_group({{.cpus = 0.5}, {.cpus = 0.5}},
                                    {.strategy = muster::Strategy::pack, .name = "summing"});

        // Nothing waits here until the group has its place: the tasks do.
        const auto sum = muster::spawn<Sum>({.cpus = 0.5, .placement = group.bundle(0)});
        std::vector<int> numbers;
        for (int i = 1; i <= 10; ++i) {
            numbers.push_back(i);
        }
        const auto squares =
            muster::map<&square>(numbers, {.cpus = 0.25, .placement = group.bundle(1)});
        for (const auto& future : squares) {
            sum.call<&Sum::add>(future);
        }
        std::cout << "the sum of 10 squares is " << sum.call<&Sum::value>().get() << '\n';
    }); // the last handle goes: its resources are free
}
