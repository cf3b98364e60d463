#include "cli/command_line.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace muster::launcher {
namespace {

// No guessing: "--e" must not start to mean something else when an option is added.
constexpr int style =
    po::command_line_style::default_style & ~po::command_line_style::allow_guessing;

constexpr const char* words_key = "words";

/// What a token names among the options, and whether the next token is its value.
const po::option_description*
find(const po::options_description& options, const std::string& token, bool& value_inside) {
    std::string name = token;
    value_inside = false;
    if (token.starts_with("--")) {
        const auto equals = token.find('=');
        value_inside = equals != std::string::npos;
        name = token.substr(2, value_inside ? equals - 2 : std::string::npos);
        return options.find_nothrow(name, false);
    }
    value_inside = token.size() > 2;
    return options.find_nothrow(token.substr(0, 2), false);
}

/// The option's name without its dashes, in messages of Boost's as well.
std::string described(const po::error& error, const Subcommand& subcommand) {
    return fmt::format("{}; see muster {} --help", error.what(), subcommand.name);
}

/// One value from elsewhere than the command line.
void store_one(const po::options_description& options,
               const std::string& name,
               const std::vector<std::string>& texts,
               const std::string& where,
               po::variables_map& values) {
    po::parsed_options parsed(&options);
    for (const std::string& text : texts) {
        parsed.options.emplace_back(name, std::vector<std::string>{text});
    }
    try {
        po::store(parsed, values);
    } catch (const po::error& error) {
        throw UsageError(fmt::format("{}: {}", where, error.what()));
    }
}

void store_environment(const Subcommand& subcommand,
                       const po::options_description& options,
                       const slurm::Environment& environment,
                       po::variables_map& values) {
    for (const auto& option : options.options()) {
        const std::string variable = variable_name(subcommand.name, option->long_name());
        const auto text = environment.find(variable);
        if (text && option->long_name() != "help") {
            store_one(options, option->long_name(), {std::string(*text)}, variable, values);
        }
    }
}

void store_file(const Subcommand& subcommand,
                const po::options_description& options,
                const SettingsFile& file,
                po::variables_map& values) {
    const std::string prefix = std::string(subcommand.name) + ".";
    std::map<std::string, std::vector<std::string>> texts;
    for (const auto& [key, text] : file.values) {
        if (key.starts_with(prefix)) {
            texts[key.substr(prefix.size())].push_back(text);
        }
    }
    for (const auto& [name, given] : texts) {
        const std::string where = fmt::format("{}, [{}] {}", file.path, subcommand.name, name);
        if (options.find_nothrow(name, false) == nullptr || name == "help") {
            throw UsageError(fmt::format("{}: muster {} has no such option; see muster {} --help",
                                         where,
                                         subcommand.name,
                                         subcommand.name));
        }
        store_one(options, name, given, where, values);
    }
}

} // namespace

std::string variable_name(std::string_view subcommand, std::string_view option) {
    std::string name = fmt::format("MUSTER_{}_{}", subcommand, option);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char letter) {
        return letter == '-' || letter == ' ' ? '_' : static_cast<char>(std::toupper(letter));
    });
    return name;
}

std::string Subcommand::page_name() const {
    std::string page(name);
    std::replace(page.begin(), page.end(), ' ', '-');
    return page;
}

po::options_description Subcommand::options() const {
    po::options_description all("Options");
    add_options(all);
    all.add_options()("help,h", po::bool_switch(), "show this text");
    return all;
}

Split split_command(std::span<const std::string> tokens, const po::options_description& options) {
    std::size_t i = 0;
    while (i < tokens.size()) {
        const std::string& token = tokens[i];
        if (token == "--") {
            return {i, i + 1};
        }
        if (token.size() < 2 || token.front() != '-') {
            break;
        }
        bool value_inside = false;
        const auto* option = find(options, token, value_inside);
        const bool takes_next =
            option != nullptr && !value_inside && option->semantic()->min_tokens() > 0;
        i += takes_next ? 2 : 1;
    }
    i = std::min(i, tokens.size());
    return {i, i};
}

Arguments read_command_line(const Subcommand& subcommand,
                            std::span<const std::string> tokens,
                            const slurm::Environment& environment,
                            std::span<const SettingsFile> files) {
    const po::options_description options = subcommand.options();
    Arguments arguments;
    std::vector<std::string> own(tokens.begin(), tokens.end());
    if (subcommand.words == Words::command) {
        const Split split = split_command(tokens, options);
        own.resize(split.options_end);
        const auto words = tokens.subspan(split.words_begin);
        arguments.words.assign(words.begin(), words.end());
    }
    po::options_description hidden;
    hidden.add(options).add_options()(words_key, po::value<std::vector<std::string>>());
    po::positional_options_description positions;
    if (subcommand.words == Words::anywhere) {
        positions.add(words_key, -1);
    }
    try {
        const auto parsed =
            po::command_line_parser(own).options(hidden).positional(positions).style(style).run();
        for (const auto& option : parsed.options) {
            if (option.position_key >= 0 && subcommand.words != Words::anywhere) {
                throw UsageError(fmt::format("'{}' is not an option of muster {}; see its --help",
                                             option.value.front(),
                                             subcommand.name));
            }
        }
        po::store(parsed, arguments.options);
    } catch (const po::error& error) {
        throw UsageError(described(error, subcommand));
    }
    if (arguments.has(words_key)) {
        arguments.words = arguments.get<std::vector<std::string>>(words_key);
    }
    store_environment(subcommand, options, environment, arguments.options);
    for (const SettingsFile& file : files) {
        store_file(subcommand, options, file, arguments.options);
    }
    po::notify(arguments.options);
    return arguments;
}

} // namespace muster::launcher
