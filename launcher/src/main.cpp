#include "cli/command_line.hpp"
#include "cli/pages.hpp"
#include "subcommands.hpp"
#include "version.hpp"

#include <muster/base/error.hpp>
#include <muster/slurm/launch.hpp>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher {
namespace {

constexpr int usage_code = 2;
constexpr int failure_code = 1;

/// Of ranks that all say the same, the first one does.
bool speaks(const slurm::Environment& environment) {
    const auto launch = slurm::detect_launch(environment);
    return !launch || launch->rank.value_or(0) == 0;
}

int print(const std::string& text) {
    std::cout << text << std::flush;
    return std::cout ? 0 : failure_code;
}

const Subcommand* find(std::string_view name) {
    const auto all = subcommands();
    const auto place = std::find_if(all.begin(), all.end(), [&](const auto* one) {
        return one->name == name || one->page_name() == name;
    });
    return place == all.end() ? nullptr : *place;
}

int print_completions(std::span<const std::string> words) {
    if (words.size() == 1 && words.front() == "bash") {
        return print(bash_completions(subcommands()));
    }
    if (words.size() == 1 && words.front() == "zsh") {
        return print(zsh_completions(subcommands()));
    }
    throw UsageError("completions are for bash or zsh: muster completions bash");
}

/// The manual pages' source, for the build: not in the overview.
int print_manual(std::span<const std::string> words) {
    if (words.size() == 1 && words.front() == "--names") {
        std::string names;
        for (const Subcommand* subcommand : subcommands()) {
            names += subcommand->page_name() + "\n";
        }
        return print(names);
    }
    if (words.empty()) {
        return print(manual_overview(subcommands(), version()));
    }
    const Subcommand* subcommand = find(words.front());
    if (subcommand == nullptr) {
        throw UsageError("no command '" + words.front() + "'");
    }
    return print(manual_page(*subcommand, version()));
}

std::string take_first(std::vector<std::string>& tokens) {
    std::string first = tokens.front();
    tokens.erase(tokens.begin());
    return first;
}

int run(int argc, char** argv, const slurm::Environment& environment) {
    std::vector<std::string> tokens(argv + std::min(argc, 2), argv + argc);
    std::string name = argc > 1 ? argv[1] : "--help";
    const bool asks_help = name == "help";
    if (name == "--help" || name == "-h" || (asks_help && tokens.empty())) {
        return print(overview(subcommands()));
    }
    if (name == "--version") {
        return print(version_page());
    }
    if (name == "completions") {
        return print_completions(tokens);
    }
    if (name == "manual") {
        return print_manual(tokens);
    }
    if (asks_help) {
        name = take_first(tokens);
    }
    if (is_group(subcommands(), name)) {
        if (tokens.empty() || tokens.front() == "--help" || tokens.front() == "-h") {
            return print(group_overview(subcommands(), name));
        }
        name += " " + take_first(tokens);
    }
    const Subcommand* subcommand = find(name);
    if (subcommand == nullptr) {
        throw UsageError("there is no command '" + name + "'; see muster --help");
    }
    // Whatever else is wrong with the line, who asks for help gets it.
    const auto own = subcommand->words == Words::command
                         ? split_command(tokens, subcommand->options()).options_end
                         : tokens.size();
    const std::span<const std::string> options(tokens.data(), own);
    if (asks_help || std::any_of(options.begin(), options.end(), [](const std::string& token) {
            return token == "--help" || token == "-h";
        })) {
        return print(help_page(*subcommand));
    }
    const auto files = find_settings(environment, std::filesystem::current_path());
    Arguments arguments = read_command_line(*subcommand, tokens, environment, files);
    arguments.argc = argc;
    arguments.argv = argv;
    return subcommand->run(arguments);
}

} // namespace
} // namespace muster::launcher

int main(int argc, char** argv) {
    using namespace muster;
    const auto environment = slurm::Environment::of_process();
    const auto report = [&](const std::exception& error) {
        if (launcher::speaks(environment)) {
            std::cerr << "muster: " << error.what() << '\n';
        }
    };
    try {
        return launcher::run(argc, argv, environment);
    } catch (const Error& error) {
        report(error);
        return error.code() == ErrorCode::usage ? launcher::usage_code : launcher::failure_code;
    } catch (const std::exception& error) {
        report(error);
        return launcher::failure_code;
    }
}
