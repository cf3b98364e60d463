#include "digits_sweep/options.hpp"

#include <muster/base/error.hpp>

#include <boost/program_options.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace digits {
namespace {

namespace po = boost::program_options;

constexpr std::int64_t trials_max = 1'000'000;
constexpr std::int64_t epochs_max = 10'000;
constexpr std::int64_t ranks_max = 1'000'000;

po::options_description description() {
    const SweepOptions defaults;
    po::options_description options("Options");
    // Whole numbers are read as signed: a boost conversion of "-1" to unsigned would succeed.
    options.add_options() //
        ("data",
         po::value<std::string>()->value_name("FILE")->default_value(DIGITS_DATA_FILE,
                                                                     "examples/data/mnist-5k.h5"),
         "HDF5 file with 'images' (n x 28 x 28) and 'labels' (n)") //
        ("trials",
         po::value<std::int64_t>()->value_name("N")->default_value(defaults.trials),
         "configurations to try") //
        ("epochs",
         po::value<std::int64_t>()->value_name("N")->default_value(defaults.epochs),
         "epochs of a trial that is never stopped") //
        ("ranks-per-trial",
         po::value<std::int64_t>()->value_name("N")->default_value(defaults.ranks_per_trial),
         "ranks that train a network together, each on its part of every batch") //
        ("seed",
         po::value<std::int64_t>()->value_name("N")->default_value(
             static_cast<std::int64_t>(defaults.seed)),
         "decides split, trials and training; same seed, same winner") //
        ("help", "show this text");
    return options;
}

std::int64_t in_range(const po::variables_map& values,
                      const std::string& name,
                      std::int64_t least,
                      std::int64_t most) {
    const auto value = values[name].as<std::int64_t>();
    if (value < least || value > most) {
        throw muster::UsageError(fmt::format(
            "--{} {}: give a whole number from {} to {}; see --help", name, value, least, most));
    }
    return value;
}

po::variables_map parse(int argc, const char* const* argv) {
    const po::options_description options = description();
    const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
    // No guessing: "--e" must not start to mean something else when an option is added.
    constexpr int style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    const po::parsed_options parsed =
        po::command_line_parser(arguments).options(options).style(style).run();
    for (const auto& option : parsed.options) {
        if (option.position_key >= 0) {
            throw muster::UsageError(
                fmt::format("'{}' is not an option; write '--data FILE' to name a file, or see "
                            "--help",
                            option.value.front()));
        }
    }
    po::variables_map values;
    po::store(parsed, values);
    return values;
}

} // namespace

SweepOptions parse_options(int argc, const char* const* argv) {
    try {
        const po::variables_map values = parse(argc, argv);
        SweepOptions options;
        options.wants_help = values.count("help") > 0;
        if (options.wants_help) {
            return options; // whatever else was asked
        }
        options.data = values["data"].as<std::string>();
        options.trials = static_cast<int>(in_range(values, "trials", 1, trials_max));
        options.epochs = static_cast<int>(in_range(values, "epochs", 1, epochs_max));
        options.ranks_per_trial =
            static_cast<int>(in_range(values, "ranks-per-trial", 1, ranks_max));
        options.seed = static_cast<std::uint64_t>(in_range(values, "seed", 0, INT64_MAX));
        return options;
    } catch (const po::error& error) {
        throw muster::UsageError(fmt::format("{}; see --help", error.what()));
    }
}

std::string help_text() {
    std::ostringstream text;
    text << "Example:\n"
            "  mpirun -n 4 digits_sweep --trials 48 --seed 7 --ranks-per-trial 2\n\n"
            "Searches for the network that reads handwritten digits best: trains many a little\n"
            "and the better ones longer (ASHA: after 1, 4, 16, ... epochs the best quarter goes\n"
            "on), each on one rank or several, then trains the winner once more on all but the\n"
            "test images and judges it on those.\n"
            "Runs alone, or under mpirun or srun. Results count in the order in which jobs were\n"
            "started, 16 of them under way at a time, so any number of ranks finds the same.\n\n"
         << description();
    return text.str();
}

} // namespace digits
