#pragma once

#include "cli/subcommand.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace muster::launcher {

/// A command with an option of each kind.
inline const Subcommand& sample() {
    static const Subcommand subcommand{
        .name = "sample",
        .summary = "does nothing",
        .usage = "[options] program [arguments]",
        .examples = {{"muster sample -n 2 ./a.out", "twice"}},
        .description = "One paragraph\nof two lines.\n\n    verbatim\n\nAnother.",
        .exit_codes = {{"0", "done"}},
        .words = Words::command,
        .add_options =
            [](po::options_description& options) {
                options.add_options()                                                             //
                    ("number,n", po::value<int>()->value_name("N")->default_value(1), "a number") //
                    ("max-fails", po::value<int>()->value_name("N"), "another")                   //
                    ("verbose,v", po::bool_switch(), "says more")                                 //
                    ("mode", po::value<std::string>()->value_name("fast|slow"), "how [really]")   //
                    ("file", po::value<std::string>()->value_name("FILE"), "a file")              //
                    ("line",
                     po::value<std::vector<std::string>>()->value_name("TEXT"),
                     "may be given several times");
            },
        .run = [](const Arguments&) { return 0; }};
    return subcommand;
}

/// A command of which only the options matter.
inline Subcommand options_only(std::string_view name,
                               void (*add_options)(po::options_description& options)) {
    return {.name = name,
            .summary = "",
            .usage = "",
            .examples = {},
            .description = "",
            .exit_codes = {},
            .words = Words::command,
            .add_options = add_options,
            .run = nullptr};
}

} // namespace muster::launcher
