#include "sweep/output_commands.hpp"

#include "sweep/output_file.hpp"
#include "sweep/selection.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <regex.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace muster::launcher::sweep {
namespace {

namespace fs = std::filesystem;

constexpr int follow_period_ms = 200;

/// The folder that was named, and which of its commands.
struct Look {
    OutputFolder folder;
    std::vector<std::string> groups;
    Selection selection;
    bool failed_only = false;
    bool all_attempts = false;
    std::optional<Channel> only;

    [[nodiscard]] bool shows(Channel channel) const { return !only || *only == channel; }

    [[nodiscard]] std::string name(OutputId id) const { return name_of(id, groups); }
};

std::vector<std::string> read_groups(const fs::path& folder) {
    std::vector<std::string> groups;
    std::ifstream file(folder / "groups");
    for (std::string line; std::getline(file, line);) {
        groups.push_back(line);
    }
    return groups;
}

fs::path folder_in(const std::vector<std::string>& words, std::size_t place) {
    if (words.size() <= place) {
        throw UsageError("name the folder that muster sweep was given as --journal");
    }
    const fs::path folder = fs::path(words[place]) / "output";
    std::error_code error;
    return fs::is_directory(folder, error) ? folder : fs::path(words[place]);
}

Look open(const Arguments& arguments, std::size_t place) {
    const fs::path folder = folder_in(arguments.words, place);
    const auto groups = read_groups(folder);
    const std::span<const std::string> which(
        arguments.words.begin() + static_cast<std::ptrdiff_t>(place) + 1, arguments.words.end());
    Look look{OutputFolder(folder), groups, Selection(which, groups), false, false, std::nullopt};
    look.failed_only = arguments.is_set("failed");
    look.all_attempts = arguments.is_set("all-attempts");
    if (arguments.is_set("out") != arguments.is_set("err")) {
        look.only = arguments.is_set("out") ? Channel::out : Channel::err;
    }
    return look;
}

/// The attempts to show of a command: the last one, unless all are wanted.
template <class Visit>
void each_attempt(Look& look, const Visit& visit) {
    look.folder.refresh();
    for (const auto& [id, attempts] : look.folder.attempts()) {
        if (!look.selection.contains(id) ||
            (look.failed_only && attempts.back().entry.exit_code == 0)) {
            continue;
        }
        for (const auto& attempt : attempts) {
            if (look.all_attempts || &attempt == &attempts.back()) {
                visit(id, attempt);
            }
        }
    }
}

void add_common_options(po::options_description& options) {
    options.add_options()                                             //
        ("failed", po::bool_switch(), "only of commands that failed") //
        ("out", po::bool_switch(), "only standard output")            //
        ("err", po::bool_switch(), "only standard error")             //
        ("all-attempts", po::bool_switch(), "also of attempts that were followed by others");
}

int check_output() {
    std::cout.flush();
    return std::cout ? 0 : 1;
}

void add_cat_options(po::options_description& options) {
    add_common_options(options);
    options.add_options()("tag", po::bool_switch(), "print the command's number before each line");
}

/// Gives whole lines of a stream that comes in pieces.
class LineCutter {
public:
    template <class Visit>
    void add(std::string_view bytes, const Visit& visit) {
        for (;;) {
            const auto end = bytes.find('\n');
            if (end == std::string_view::npos) {
                rest_ += bytes;
                return;
            }
            rest_ += bytes.substr(0, end);
            visit(std::exchange(rest_, {}));
            bytes.remove_prefix(end + 1);
        }
    }

    template <class Visit>
    void end(const Visit& visit) {
        if (!rest_.empty()) {
            visit(std::exchange(rest_, {}));
        }
    }

private:
    std::string rest_;
};

int cat(const Arguments& arguments) {
    Look look = open(arguments, 0);
    const bool tags = arguments.is_set("tag");
    each_attempt(look, [&](OutputId id, const OutputFolder::Attempt& attempt) {
        std::map<Channel, LineCutter> lines;
        const auto print = [&](const std::string& line) {
            std::cout << look.name(id) << '\t' << line << '\n';
        };
        look.folder.read(attempt, [&](Channel channel, std::string_view bytes) {
            if (!look.shows(channel)) {
                return;
            }
            if (tags) {
                lines[channel].add(bytes, print);
            } else {
                std::cout << bytes;
            }
        });
        for (auto& [channel, rest] : lines) {
            rest.end(print);
        }
    });
    return check_output();
}

/// A compiled POSIX extended regular expression, or a plain text.
class Pattern {
public:
    Pattern(const std::string& text, bool plain, bool ignores_case)
        : plain_(plain && !ignores_case), text_(text) {
        if (plain_) {
            return;
        }
        const std::string expression = plain ? quoted(text) : text;
        const int flags = REG_EXTENDED | (ignores_case ? REG_ICASE : 0);
        if (const int error = ::regcomp(&regex_, expression.c_str(), flags); error != 0) {
            std::string reason(256, '\0');
            reason.resize(::regerror(error, &regex_, reason.data(), reason.size()) - 1);
            throw UsageError(fmt::format(
                "'{}' is no regular expression: {}; --fixed takes it as it is", text, reason));
        }
        compiled_ = true;
    }

    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;

    ~Pattern() {
        if (compiled_) {
            ::regfree(&regex_);
        }
    }

    [[nodiscard]] bool matches(const std::string& line) const {
        if (plain_) {
            return line.find(text_) != std::string::npos;
        }
        // What programs write may have any bytes in it, also nought.
        regmatch_t whole{0, static_cast<regoff_t>(line.size())};
        return ::regexec(&regex_, line.c_str(), 1, &whole, REG_STARTEND) == 0;
    }

private:
    static std::string quoted(const std::string& text) {
        std::string result;
        for (const char letter : text) {
            if (std::string_view("\\^$.[]|()*+?{}").find(letter) != std::string_view::npos) {
                result += '\\';
            }
            result += letter;
        }
        return result;
    }

    bool plain_;
    std::string text_;
    regex_t regex_{};
    bool compiled_ = false;
};

void add_grep_options(po::options_description& options) {
    add_common_options(options);
    options.add_options()                                                                //
        ("ignore-case,i", po::bool_switch(), "letters match in either case")             //
        ("fixed,F", po::bool_switch(), "the pattern is a text, not an expression")       //
        ("list,l", po::bool_switch(), "print only the numbers of commands with a match") //
        ("count,c", po::bool_switch(), "print how many lines match, per command");
}

int grep(const Arguments& arguments) {
    if (arguments.words.empty()) {
        throw UsageError("name a pattern and a folder: muster grep PATTERN DIR");
    }
    const Pattern pattern(
        arguments.words.front(), arguments.is_set("fixed"), arguments.is_set("ignore-case"));
    Look look = open(arguments, 1);
    const bool lists = arguments.is_set("list");
    const bool counts = arguments.is_set("count");
    bool found = false;
    each_attempt(look, [&](OutputId id, const OutputFolder::Attempt& attempt) {
        std::uint64_t matches = 0;
        const auto check = [&](const std::string& line) {
            if (!pattern.matches(line)) {
                return;
            }
            ++matches;
            if (!lists && !counts) {
                std::cout << look.name(id) << ": " << line << '\n';
            }
        };
        std::map<Channel, LineCutter> lines;
        look.folder.read(attempt, [&](Channel channel, std::string_view bytes) {
            if (look.shows(channel)) {
                lines[channel].add(bytes, check);
            }
        });
        for (auto& [channel, rest] : lines) {
            rest.end(check);
        }
        found = found || matches > 0;
        if (matches > 0 && lists) {
            std::cout << look.name(id) << '\n';
        } else if (matches > 0 && counts) {
            std::cout << look.name(id) << ": " << matches << '\n';
        }
    });
    const int code = check_output();
    return code != 0 ? 2 : found ? 0 : 1;
}

void add_follow_options(po::options_description& options) {
    options.add_options()                                                 //
        ("out", po::bool_switch(), "only standard output")                //
        ("err", po::bool_switch(), "only standard error")                 //
        ("from-start", po::bool_switch(), "also what was written before") //
        ("until-done", po::bool_switch(), "end when all the commands named have ended");
}

int follow(const Arguments& arguments) {
    const fs::path folder = folder_in(arguments.words, 0);
    const auto groups = read_groups(folder);
    const std::span<const std::string> which(arguments.words.begin() + 1, arguments.words.end());
    const Selection selection(which, groups);
    if (arguments.is_set("until-done") && which.size() != 1) {
        throw UsageError("--until-done follows one command: muster follow --until-done DIR 17");
    }
    std::optional<Channel> only;
    if (arguments.is_set("out") != arguments.is_set("err")) {
        only = arguments.is_set("out") ? Channel::out : Channel::err;
    }
    OutputFolder files(folder);
    std::map<std::pair<OutputId, Channel>, LineCutter> lines;
    bool ended = false;
    bool silent = !arguments.is_set("from-start");
    const auto take = [&](const OutputFolder::Chunk& chunk) {
        if (!selection.contains(chunk.id)) {
            return;
        }
        if (chunk.channel == Channel::end) {
            ended = true;
        }
        if (silent) {
            return;
        }
        const auto print = [&](const std::string& line) {
            std::cout << name_of(chunk.id, groups) << '\t' << line << '\n';
        };
        if (chunk.channel == Channel::end) {
            for (const Channel channel : {Channel::out, Channel::err}) {
                if (auto rest = lines.extract({chunk.id, channel})) {
                    rest.mapped().end(print);
                }
            }
            if (chunk.bytes != "0") {
                print(fmt::format("[ended with exit code {}]", chunk.bytes));
            }
        } else if (!only || *only == chunk.channel) {
            lines[{chunk.id, chunk.channel}].add(chunk.bytes, print);
        }
    };
    for (;;) {
        files.read_new(take);
        silent = false;
        if (!std::cout.flush()) {
            return 1;
        }
        if (arguments.is_set("until-done") && ended) {
            return 0;
        }
        ::poll(nullptr, 0, follow_period_ms);
    }
}

constexpr std::string_view which_text =
    "Commands are named by number (17), range (1-100), group (train) or both (train:1-10); if none "
    "is, all are meant.";

} // namespace

const Subcommand& cat_subcommand() {
    static const Subcommand subcommand{
        .name = "cat",
        .summary = "prints what commands of a sweep have written",
        .usage = "[options] DIR [commands…]",
        .examples = {{"muster cat out 17", "all that command 17 wrote"},
                     {"muster cat --failed --err out", "errors of those that failed"},
                     {"muster cat --tag out train:1-10", "with numbers before the lines"}},
        .description = which_text,
        .exit_codes = {{"0", "printed"},
                       {"1", "not readable"},
                       {"2", "the command line cannot be used"}},
        .words = Words::anywhere,
        .add_options = &add_cat_options,
        .run = &cat};
    return subcommand;
}

const Subcommand& grep_subcommand() {
    static const Subcommand subcommand{
        .name = "grep",
        .summary = "finds lines that commands of a sweep have written",
        .usage = "[options] PATTERN DIR [commands…]",
        .examples = {{"muster grep 'loss = nan' out", "the lines, with the commands' numbers"},
                     {"muster grep -l Killed out 1-1000", "which of the first 1,000 have it"}},
        .description = which_text,
        .exit_codes = {{"0", "a line matched"},
                       {"1", "none did"},
                       {"2", "it could not be looked for"}},
        .words = Words::anywhere,
        .add_options = &add_grep_options,
        .run = &grep};
    return subcommand;
}

const Subcommand& follow_subcommand() {
    static const Subcommand subcommand{
        .name = "follow",
        .summary = "prints what commands of a sweep write, as it comes",
        .usage = "[options] DIR [commands…]",
        .examples = {{"muster follow out", "everything that is written from now on"},
                     {"muster follow --from-start --until-done out 17",
                      "one command, from its beginning to its end"}},
        .description = which_text,
        .exit_codes = {{"0", "the command has ended (--until-done)"},
                       {"2", "the command line cannot be used"}},
        .words = Words::anywhere,
        .add_options = &add_follow_options,
        .run = &follow};
    return subcommand;
}

} // namespace muster::launcher::sweep
