#include "cli/pages.hpp"

#include <muster/slurm/batch_script.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

namespace muster::launcher {
namespace {

constexpr std::size_t width = 90;

/// How wide it is on a terminal: bytes that go on with a character of UTF-8 do not count.
std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80U;
    }));
}

/// Words of one paragraph, in lines of at most `width` columns.
std::string wrap(std::string_view text, std::size_t indent) {
    std::istringstream words{std::string(text)};
    const std::string margin(indent, ' ');
    std::string result;
    std::string line = margin;
    std::string word;
    while (words >> word) {
        if (line.size() > indent && columns(line) + 1 + columns(word) > width) {
            result += line + '\n';
            line = margin;
        }
        line += (line.size() > indent ? " " : "") + word;
    }
    return line.size() > indent ? result + line + '\n' : result;
}

/// An indented line stands as it is; the rest are paragraphs.
std::vector<std::string> paragraphs(std::string_view text) {
    std::vector<std::string> result;
    std::istringstream lines{std::string(text)};
    std::string line;
    bool open = false;
    while (std::getline(lines, line)) {
        if (line.empty()) {
            open = false;
        } else if (line.starts_with("    ")) {
            result.push_back(line);
            open = false;
        } else if (open) {
            result.back() += " " + line;
        } else {
            result.push_back(line);
            open = true;
        }
    }
    return result;
}

bool is_verbatim(const std::string& paragraph) {
    return paragraph.starts_with("    ");
}

struct OptionText {
    std::string long_name;
    char short_name = 0;
    std::string value; ///< Empty: a switch.
    std::string description;
    std::string standard; ///< The default, as text.

    [[nodiscard]] std::string shown() const {
        const std::string head = short_name != 0 ? fmt::format("-{}, --{}", short_name, long_name)
                                                 : fmt::format("    --{}", long_name);
        return value.empty() ? head : head + " " + value;
    }
};

std::vector<OptionText> option_texts(const Subcommand& subcommand) {
    std::vector<OptionText> texts;
    const po::options_description options = subcommand.options();
    for (const auto& option : options.options()) {
        OptionText text;
        text.long_name = option->long_name();
        const std::string name =
            option->canonical_display_name(po::command_line_style::allow_dash_for_short);
        if (name.size() == 2 && name.front() == '-') {
            text.short_name = name[1];
        }
        text.description = option->description();
        if (option->semantic()->max_tokens() > 0) {
            // "NAME" or, where there is a default, "NAME (=3)".
            const std::string value = option->semantic()->name();
            const auto at = value.find(" (=");
            text.value = value.substr(0, at);
            if (at != std::string::npos) {
                text.standard = value.substr(at + 3, value.size() - at - 4);
            }
        }
        texts.push_back(std::move(text));
    }
    return texts;
}

std::string with_default(const OptionText& option) {
    return option.standard.empty()
               ? option.description
               : fmt::format("{} (default: {})", option.description, option.standard);
}

std::string troff(std::string_view text) {
    std::string result;
    for (const char letter : text) {
        if (letter == '\\') {
            result += "\\e";
        } else if (letter == '-') {
            result += "\\-";
        } else {
            result += letter;
        }
    }
    // A line that begins with a dot or quote would be a request.
    if (!result.empty() && (result.front() == '.' || result.front() == '\'')) {
        result.insert(0, "\\&");
    }
    return result;
}

std::vector<std::string> choices(const OptionText& option) {
    std::vector<std::string> words;
    if (option.value.find('|') == std::string::npos) {
        return words;
    }
    std::istringstream stream{option.value};
    std::string word;
    while (std::getline(stream, word, '|')) {
        words.push_back(word);
    }
    return words;
}

template <class Range>
std::string join(const Range& range, std::string_view separator) {
    return fmt::format("{}", fmt::join(range, separator));
}

std::string list_line(const Subcommand& subcommand) {
    return fmt::format("    {:<14}{}\n", subcommand.name, subcommand.summary);
}

/// What stands first on the command line: "data" of "data verify", or the whole name.
std::string_view first_word(const Subcommand& subcommand) {
    return subcommand.name.substr(0, subcommand.name.find(' '));
}

/// What stands second; empty for a command of no group.
std::string_view second_word(const Subcommand& subcommand) {
    const auto blank = subcommand.name.find(' ');
    return blank == std::string_view::npos ? "" : subcommand.name.substr(blank + 1);
}

/// Each group with the second words of its commands, in their order.
struct Group {
    std::string_view name;
    std::vector<std::string_view> words;
};

std::vector<Group> groups_of(std::span<const Subcommand* const> subcommands) {
    std::vector<Group> groups;
    for (const Subcommand* subcommand : subcommands) {
        if (second_word(*subcommand).empty()) {
            continue;
        }
        const auto name = first_word(*subcommand);
        auto place = std::ranges::find(groups, name, &Group::name);
        if (place == groups.end()) {
            place = groups.insert(groups.end(), {name, {}});
        }
        place->words.push_back(second_word(*subcommand));
    }
    return groups;
}

} // namespace

std::string overview(std::span<const Subcommand* const> subcommands) {
    std::string page = "muster: runs programs, sweeps and services on the nodes of a job\n\n"
                       "Usage: muster COMMAND [options] …\n\n";
    for (const Subcommand* subcommand : subcommands) {
        page += list_line(*subcommand);
    }
    page += "\n    muster COMMAND --help     examples and options of a command\n"
            "    muster --version          what this program was built with\n"
            "    muster completions bash|zsh\n";
    return page;
}

bool is_group(std::span<const Subcommand* const> subcommands, std::string_view word) {
    const auto groups = groups_of(subcommands);
    return std::ranges::find(groups, word, &Group::name) != groups.end();
}

std::string group_overview(std::span<const Subcommand* const> subcommands, std::string_view group) {
    std::string page = fmt::format("Usage: muster {} COMMAND [options] …\n\n", group);
    for (const Subcommand* subcommand : subcommands) {
        if (first_word(*subcommand) == group) {
            page += list_line(*subcommand);
        }
    }
    return page +
           fmt::format("\n    muster {} COMMAND --help     examples and options of a command\n",
                       group);
}

std::string help_page(const Subcommand& subcommand) {
    std::string page = fmt::format("muster {}: {}\n\n", subcommand.name, subcommand.summary);
    for (const Example& example : subcommand.examples) {
        page += fmt::format("    {}\n{}", example.command, wrap(example.effect, 8));
    }
    page += fmt::format("\nUsage: muster {} {}\n\n", subcommand.name, subcommand.usage);
    bool was_verbatim = false;
    for (const std::string& paragraph : paragraphs(subcommand.description)) {
        const bool verbatim = is_verbatim(paragraph);
        page += was_verbatim && !verbatim ? "\n" : "";
        page += verbatim ? paragraph + "\n" : wrap(paragraph, 0) + "\n";
        was_verbatim = verbatim;
    }
    page += was_verbatim ? "\n" : "";
    constexpr std::size_t margin = 30;
    page += "Options:\n";
    for (const OptionText& option : option_texts(subcommand)) {
        const std::string head = "  " + option.shown();
        std::string text = wrap(with_default(option), margin);
        if (columns(head) + 2 <= margin) {
            text.replace(0, columns(head), head);
            page += text;
        } else {
            page += head + "\n" + text;
        }
    }
    if (!subcommand.exit_codes.empty()) {
        page += "\nExit codes:\n";
        for (const ExitCode& code : subcommand.exit_codes) {
            std::string text = wrap(code.meaning, 12);
            const std::string head = fmt::format("  {}", code.code);
            text.replace(0, head.size(), head);
            page += text;
        }
    }
    page += fmt::format(
        "\nAn option may also be set by a variable ({}) or in muster.conf, below [{}].\n",
        "MUSTER_" +
            [&] {
                std::string name(subcommand.name);
                std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
                    return c == ' ' ? '_' : static_cast<char>(std::toupper(c));
                });
                return name;
            }() +
            "_…",
        subcommand.name);
    return page;
}

std::string manual_page(const Subcommand& subcommand, std::string_view version) {
    std::string page =
        fmt::format(".TH MUSTER\\-{} 1 \"\" \"muster {}\"\n.SH NAME\nmuster\\-{} \\- {}\n",
                    troff(subcommand.page_name()),
                    version,
                    troff(subcommand.page_name()),
                    troff(subcommand.summary));
    page += fmt::format(
        ".SH SYNOPSIS\n.B muster {}\n{}\n", troff(subcommand.name), troff(subcommand.usage));
    page += ".SH EXAMPLES\n";
    for (const Example& example : subcommand.examples) {
        page += fmt::format(".TP\n.B {}\n{}\n", troff(example.command), troff(example.effect));
    }
    page += ".SH DESCRIPTION\n";
    for (const std::string& paragraph : paragraphs(subcommand.description)) {
        page += is_verbatim(paragraph) ? fmt::format(".nf\n{}\n.fi\n", troff(paragraph))
                                       : fmt::format(".PP\n{}\n", troff(paragraph));
    }
    page += ".SH OPTIONS\n";
    for (const OptionText& option : option_texts(subcommand)) {
        std::string shown = option.shown();
        shown.erase(0, shown.find_first_not_of(' '));
        page += fmt::format(".TP\n.B {}\n{}\n", troff(shown), troff(with_default(option)));
    }
    if (!subcommand.exit_codes.empty()) {
        page += ".SH EXIT STATUS\n";
        for (const ExitCode& code : subcommand.exit_codes) {
            page += fmt::format(".TP\n.B {}\n{}\n", troff(code.code), troff(code.meaning));
        }
    }
    return page + ".SH SEE ALSO\n.BR muster (1)\n";
}

std::string manual_overview(std::span<const Subcommand* const> subcommands,
                            std::string_view version) {
    std::string page =
        fmt::format(".TH MUSTER 1 \"\" \"muster {}\"\n.SH NAME\nmuster \\- runs programs, sweeps "
                    "and services on the nodes of "
                    "a job\n.SH SYNOPSIS\n.B muster\nCOMMAND [options]\n.SH COMMANDS\n",
                    version);
    std::string see;
    for (const Subcommand* subcommand : subcommands) {
        page += fmt::format(".TP\n.BR muster\\-{} (1)\n{}\n",
                            troff(subcommand->page_name()),
                            troff(subcommand->summary));
    }
    return page + see;
}

std::string bash_completions(std::span<const Subcommand* const> subcommands) {
    std::vector<std::string_view> names;
    std::string cases;
    for (const Subcommand* subcommand : subcommands) {
        if (std::ranges::find(names, first_word(*subcommand)) == names.end()) {
            names.push_back(first_word(*subcommand));
        }
        std::vector<std::string> options;
        std::string values;
        for (const OptionText& option : option_texts(*subcommand)) {
            options.push_back("--" + option.long_name);
            const auto words = choices(option);
            if (!words.empty()) {
                values += fmt::format("                --{}) COMPREPLY=($(compgen -W '{}' -- "
                                      "\"$word\")); return ;;\n",
                                      option.long_name,
                                      join(words, " "));
            } else if (option.value == "DIR") {
                values += fmt::format(
                    "                --{}) COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n",
                    option.long_name);
            } else if (option.value == "FILE") {
                values += fmt::format(
                    "                --{}) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n",
                    option.long_name);
            }
        }
        cases += fmt::format("        '{}')\n            case $before in\n{}            esac\n"
                             "            options='{}' ;;\n",
                             subcommand->name,
                             values,
                             join(options, " "));
    }
    std::string groups;
    for (const Group& group : groups_of(subcommands)) {
        groups += fmt::format("    if [[ $command == {0} ]]; then\n"
                              "        if ((COMP_CWORD == 2)); then\n"
                              "            COMPREPLY=($(compgen -W '{1}' -- \"$word\"))\n"
                              "            return\n"
                              "        fi\n"
                              "        command=\"{0} ${{COMP_WORDS[2]}}\"\n"
                              "    fi\n",
                              group.name,
                              join(group.words, " "));
    }
    return fmt::format(
        "# bash completion of muster; made by: muster completions bash\n"
        "_muster() {{\n"
        "    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} "
        "options=\n"
        "    COMPREPLY=()\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        COMPREPLY=($(compgen -W '{} completions --help --version' -- \"$word\"))\n"
        "        return\n"
        "    fi\n"
        "    local command=${{COMP_WORDS[1]}}\n"
        "{}"
        "    case $command in\n"
        "        completions) COMPREPLY=($(compgen -W 'bash zsh' -- \"$word\")); return ;;\n"
        "{}    esac\n"
        "    if [[ $word == -* ]]; then\n"
        "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
        "    else\n"
        "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
        "    fi\n"
        "}}\n"
        "complete -o filenames -F _muster muster\n",
        join(names, " "),
        groups,
        cases);
}

std::string zsh_completions(std::span<const Subcommand* const> subcommands) {
    std::string commands;
    std::string cases;
    std::string groups;
    for (const Group& group : groups_of(subcommands)) {
        commands += fmt::format(
            "        {}\n",
            slurm::shell_quoted(fmt::format("{}:{}", group.name, join(group.words, ", "))));
        groups += fmt::format("    if [[ $command == {0} ]]; then\n"
                              "        if ((CURRENT == 2)); then\n"
                              "            _values 'command' {1}\n"
                              "            return\n"
                              "        fi\n"
                              "        command=\"{0} $words[2]\"\n"
                              "        shift words\n"
                              "        ((CURRENT--))\n"
                              "    fi\n",
                              group.name,
                              join(group.words, " "));
    }
    for (const Subcommand* subcommand : subcommands) {
        if (second_word(*subcommand).empty()) {
            commands += fmt::format(
                "        {}\n",
                slurm::shell_quoted(fmt::format("{}:{}", subcommand->name, subcommand->summary)));
        }
        cases += fmt::format("        '{}')\n            _arguments \\\n", subcommand->name);
        for (const OptionText& option : option_texts(*subcommand)) {
            std::string description = option.description;
            for (const char letter : {'[', ']'}) {
                std::replace(description.begin(), description.end(), letter, ' ');
            }
            std::string text = fmt::format("--{}[{}]", option.long_name, description);
            if (const auto words = choices(option); !words.empty()) {
                text += fmt::format(":value:({})", join(words, " "));
            } else if (option.value == "DIR") {
                text += ":directory:_files -/";
            } else if (option.value == "FILE") {
                text += ":file:_files";
            } else if (!option.value.empty()) {
                text += fmt::format(":{}:", option.value);
            }
            cases += fmt::format("                {} \\\n", slurm::shell_quoted(text));
        }
        cases += "                '*:file:_files' ;;\n";
    }
    return fmt::format("#compdef muster\n"
                       "# zsh completion of muster; made by: muster completions zsh\n"
                       "_muster() {{\n"
                       "    local -a commands\n"
                       "    commands=(\n"
                       "{}        'completions:prints completions for bash or zsh'\n"
                       "    )\n"
                       "    if ((CURRENT == 2)); then\n"
                       "        _describe 'command' commands\n"
                       "        return\n"
                       "    fi\n"
                       "    local command=$words[2]\n"
                       "    shift words\n"
                       "    ((CURRENT--))\n"
                       "{}"
                       "    case $command in\n"
                       "{}        completions) _values 'shell' bash zsh ;;\n"
                       "    esac\n"
                       "}}\n"
                       "_muster \"$@\"\n",
                       commands,
                       groups,
                       cases);
}

} // namespace muster::launcher
