#include "sweep/job.hpp"

#include "cli/words.hpp"

#include <muster/base/error.hpp>
#include <muster/slurm/batch_script.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::launcher::sweep {
namespace {

std::optional<Template> template_of(const std::string& text,
                                    const std::vector<std::string>& columns) {
    return text.empty() ? std::nullopt : std::optional<Template>(std::in_place, text, columns);
}

} // namespace

std::string Command::identity() const {
    std::string text;
    // Lengths, so that no two commands have one text.
    const auto put = [&](std::string_view part) {
        text += std::to_string(part.size());
        text += ':';
        text += part;
    };
    for (const std::string& word : argv) {
        put(word);
    }
    if (!environment.empty() || !directory.empty() || !input.empty() || !input_file.empty()) {
        text += "|";
        for (const auto& [name, value] : environment) {
            put(name);
            put(value);
        }
        text += "|";
        put(directory);
        put(input);
        put(input_file);
    }
    return text;
}

std::string Command::shown() const {
    std::string text;
    if (!directory.empty()) {
        text += "cd " + slurm::shell_quoted(directory) + " && ";
    }
    for (const auto& [name, value] : environment) {
        text += name + "=" + slurm::shell_quoted(value) + " ";
    }
    const bool is_shell = argv.size() == 3 && argv[0] == "/bin/sh" && argv[1] == "-c";
    text += is_shell ? argv[2] : shell_line(argv);
    if (!input_file.empty()) {
        text += " < " + slurm::shell_quoted(input_file);
    } else if (!input.empty()) {
        text += " <<< " + slurm::shell_quoted(input);
    }
    for (auto at = text.find(slot_mark); at != std::string::npos; at = text.find(slot_mark)) {
        text.replace(at, slot_mark.size(), "{%}");
    }
    return text;
}

Group::Group(std::string name,
             std::vector<std::string> words,
             std::unique_ptr<Combination> rows,
             Settings settings,
             std::vector<std::string> after)
    : name_(std::move(name)), rows_(std::move(rows)), settings_(std::move(settings)),
      after_(std::move(after)) {
    const auto& columns = rows_->columns();
    if (settings_.shell && words.size() > 1) {
        // One program, as typed: words of the command line come without the shell's quotes.
        std::string program;
        for (const std::string& word : words) {
            program += (program.empty() ? "" : " ") + word;
        }
        words = {std::move(program)};
    }
    for (const std::string& word : words) {
        words_.emplace_back(word, columns);
    }
    for (const auto& [variable, value] : settings_.environment) {
        environment_.emplace_back(variable, Template(value, columns));
    }
    directory_ = template_of(settings_.directory, columns);
    input_ = template_of(settings_.input, columns);
    input_file_ = template_of(settings_.input_file, columns);
    const auto uses = [](const Template& text) { return text.has_values(); };
    const bool used = std::any_of(words_.begin(), words_.end(), uses) ||
                      std::any_of(environment_.begin(),
                                  environment_.end(),
                                  [&](const auto& entry) { return uses(entry.second); }) ||
                      (directory_ && uses(*directory_)) || (input_ && uses(*input_)) ||
                      (input_file_ && uses(*input_file_));
    appends_values_ = !used && !words_.empty();
    if (words_.empty() && columns.size() > 1) {
        throw UsageError(
            "there is no command, and a row has several values: lines that are commands "
            "come from one source");
    }
    if (words_.empty() && columns.empty()) {
        throw UsageError("there is no command to run");
    }
}

std::vector<std::string> Group::argv_of(const Row& row, std::uint64_t number) const {
    if (words_.empty()) {
        if (settings_.shell) {
            return {"/bin/sh", "-c", row.front()};
        }
        auto words = split_words(row.front());
        if (!words) {
            throw UsageError(fmt::format(
                "command {}: {}; --shell runs lines with a shell", number, words.error().message));
        }
        return std::move(*words);
    }
    if (settings_.shell) {
        std::string program = words_.front().fill(row, number, &slurm::shell_quoted);
        if (appends_values_) {
            for (const std::string& value : row) {
                program += " " + slurm::shell_quoted(value);
            }
        }
        return {"/bin/sh", "-c", std::move(program)};
    }
    std::vector<std::string> argv;
    argv.reserve(words_.size() + (appends_values_ ? row.size() : 0));
    for (const Template& word : words_) {
        argv.push_back(word.fill(row, number));
    }
    if (appends_values_) {
        argv.insert(argv.end(), row.begin(), row.end());
    }
    return argv;
}

std::optional<Command> Group::next(std::uint64_t number) {
    Row row;
    Command command;
    for (;;) {
        row.clear();
        if (rows_->empty()) {
            if (std::exchange(ran_once_, true)) {
                return std::nullopt;
            }
        } else if (!rows_->next(row)) {
            return std::nullopt;
        }
        command.argv = argv_of(row, number);
        if (!command.argv.empty()) {
            break; // else a line that is empty, or a comment
        }
    }
    command.number = number;
    for (const auto& [variable, value] : environment_) {
        command.environment.emplace_back(variable, value.fill(row, number));
    }
    const auto fill = [&](const std::optional<Template>& text) {
        return text ? text->fill(row, number) : std::string();
    };
    command.directory = fill(directory_);
    command.input = fill(input_);
    command.input_file = fill(input_file_);
    return command;
}

} // namespace muster::launcher::sweep
