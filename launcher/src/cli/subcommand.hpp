#pragma once

#include <boost/program_options.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher {

namespace po = boost::program_options;

/// A command line to learn from.
struct Example {
    std::string_view command; ///< "muster sweep …", as it is typed.
    std::string_view effect;  ///< What it does, in a few words.
};

struct ExitCode {
    std::string_view code; ///< "0", "1 to 100", …
    std::string_view meaning;
};

/// What may stand beside the options.
enum class Words {
    none,     ///< Nothing.
    anywhere, ///< Names, before and behind options.
    command,  ///< A command: from the first word that is no option, or behind "--", all is its own.
};

/// A command line as it was understood.
struct Arguments {
    po::variables_map options;
    std::vector<std::string> words;
    int argc = 0; ///< As main() got them, for muster::run().
    char** argv = nullptr;

    [[nodiscard]] bool has(const std::string& name) const { return options.count(name) != 0; }

    /// A switch that was given.
    [[nodiscard]] bool is_set(const std::string& name) const {
        return has(name) && options[name].as<bool>();
    }

    /// Of an option that has a default or was given.
    template <class T>
    [[nodiscard]] const T& get(const std::string& name) const {
        return options[name].as<T>();
    }
};

/// One of muster's commands: what its help, its manual page and the completions are made of, and
/// what it does.
///
/// Options name their values by what they are: "FILE" and "DIR" are completed as such, "a|b|c" are
/// the words that may stand there.
struct Subcommand {
    std::string_view name;    ///< "sweep"; of a group of commands with the group's: "data verify".
    std::string_view summary; ///< One line, without a full stop.
    std::string_view usage;   ///< Behind "muster <name>".
    std::vector<Example> examples;
    std::string_view description; ///< Paragraphs, separated by empty lines.
    std::vector<ExitCode> exit_codes;
    Words words = Words::none;
    void (*add_options)(po::options_description& options);
    /// @return the exit code. @throws UsageError, which main() reports with exit code 2, and Error.
    int (*run)(const Arguments& arguments);

    /// Its name as one word, as its manual page has it: "data-verify".
    [[nodiscard]] std::string page_name() const;

    /// All its options, with those that every command has.
    [[nodiscard]] po::options_description options() const;
};

} // namespace muster::launcher
