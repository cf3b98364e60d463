// Fills a journal as `muster sweep` does, without running anything: its driver, with a task that
// says at once that the command has ended well. So that what `--resume` does with a million of them
// can be measured without running a million.
//
//     bench_sweep_journal --journal DIR --array 1-1000000 ./job {}

#include "cli/command_line.hpp"
#include "run/all_nodes.hpp"
#include "sweep/record.hpp"
#include "sweep/sweep.hpp"

#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace muster::launcher::sweep {

Record carry_out(const Order& order) {
    Record record;
    record.run = order.run;
    record.last = order.last;
    record.host = "nowhere";
    return record;
}

std::string Record::how() const {
    return "has not run";
}

} // namespace muster::launcher::sweep

/// It stays where it is.
std::optional<int> muster::launcher::run::run_on_all_nodes(const Arguments& /*arguments*/) {
    return std::nullopt;
}

int main(int argc, char** argv) {
    using namespace muster::launcher;
    try {
        const std::vector<std::string> tokens(argv + 1, argv + argc);
        Arguments arguments = read_command_line(sweep::subcommand(), tokens, {}, {});
        arguments.argc = argc;
        arguments.argv = argv;
        return sweep::subcommand().run(arguments);
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
