#pragma once

#include "sweep/rows.hpp"
#include "sweep/template.hpp"

#include <muster/base/amount.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::launcher::sweep {

/// A command that is to be run, with all values filled in. It travels to the rank that runs it.
struct Command {
    std::uint64_t number = 0;  ///< Its place in the sweep, from 1.
    std::uint32_t attempt = 1; ///< Counts from 1; more than one if it is retried.
    std::vector<std::string> argv;
    std::vector<std::pair<std::string, std::string>> environment;
    std::string directory;
    std::string input;      ///< Standard input.
    std::string input_file; ///< Or the file it is.

    /// Text by which it is found again in a journal: all of the above but number and attempt.
    [[nodiscard]] std::string identity() const;

    /// As one would type it, for people.
    [[nodiscard]] std::string shown() const;
};

/// How the commands of a group are to be run.
struct Settings {
    Amount cpus = 1;
    Amount gpus = 0;
    Bytes memory{}; ///< Demanded, and a limit.
    std::map<std::string, Amount> resources;
    std::int32_t priority = 0;
    std::uint32_t retries = 0;
    std::chrono::milliseconds timeout{0};
    bool shell = false; ///< The words are a shell's program; values in it are quoted.
    std::vector<std::pair<std::string, std::string>> environment; ///< Values are templates.
    std::string directory;                                        ///< A template.
    std::string input;                                            ///< A template.
    std::string input_file;                                       ///< A template.
};

/// Commands that are made of one template and the rows of its sources.
class Group {
public:
    /// @param words  The command; none: each row's value is a line with a command.
    /// @throws UsageError, as Template does.
    Group(std::string name,
          std::vector<std::string> words,
          std::unique_ptr<Combination> rows,
          Settings settings,
          std::vector<std::string> after = {});

    /// The next command, but for its number, which is `number`; nothing at the end.
    /// @throws Error of a source.
    [[nodiscard]] std::optional<Command> next(std::uint64_t number);

    /// Whether next() would not wait for somebody who writes into a pipe.
    [[nodiscard]] bool ready() const { return rows_->ready(); }

    [[nodiscard]] const std::string& name() const { return name_; }

    [[nodiscard]] const Settings& settings() const { return settings_; }

    /// Names of the groups that must have succeeded before it begins.
    [[nodiscard]] const std::vector<std::string>& after() const { return after_; }

private:
    [[nodiscard]] std::vector<std::string> argv_of(const Row& row, std::uint64_t number) const;

    std::string name_;
    std::unique_ptr<Combination> rows_;
    Settings settings_;
    std::vector<std::string> after_;
    std::vector<Template> words_;
    bool appends_values_ = false;
    bool ran_once_ = false; ///< Of a group without sources: it is one command.
    std::vector<std::pair<std::string, Template>> environment_;
    std::optional<Template> directory_;
    std::optional<Template> input_;
    std::optional<Template> input_file_;
};

} // namespace muster::launcher::sweep
