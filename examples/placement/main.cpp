// Tasks say what they need; the cluster finds a place, or says at once that there is none.

#include <muster/core/muster.hpp>

#include <iostream>
#include <string>
#include <vector>

int where() {
    return muster::index(muster::cluster().rank);
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        const int ranks = muster::cluster().ranks;

        // Half a CPU each, on as many ranks as there are.
        std::vector<muster::Future<int>> many;
        for (int i = 0; i < 2 * ranks; ++i) {
            many.push_back(muster::task<&where>.with({.cpus = 0.5, .placement = muster::spread})());
        }
        (void)muster::wait(many);

        // Exactly there.
        auto last = muster::task<&where>.with({.placement = muster::on_rank(ranks - 1)})();
        std::cout << "the last rank is " << last.get() << " of " << ranks << '\n';

        // More urgent than the rest, and with a resource that ranks have if MUSTER_RESOURCES says.
        try {
            auto licensed = muster::task<&where>.with(
                {.resources = {{"license", 1}}, .priority = 10, .name = "licensed"})();
            std::cout << "rank " << licensed.get() << " has a license\n";
        } catch (const muster::Error& error) {
            std::cout << "nobody has a license: " << error.what() << '\n';
        }
    });
}
