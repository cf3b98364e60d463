// What a checkpoint costs the training loop: how long it stands still for one that is written in
// the background, beside one that it waits for. Both end with fsync.
//
// Runs alone.

#include "report.hpp"

#include <muster/train/checkpoint_writer.hpp>

#include <boost/program_options.hpp>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;
namespace train = muster::train;
using Clock = std::chrono::steady_clock;

struct Sizes {
    int repetitions = 3;
    std::uint64_t state_mib = 1024;
    std::string folder = fs::temp_directory_path().string();
};

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A directory that is gone at the end.
class Folder {
public:
    explicit Folder(const fs::path& under) {
        std::string name = under / "muster-bench-XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error("cannot make a temporary folder: " + name);
        }
        path_ = name;
    }

    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    ~Folder() { fs::remove_all(path_); }

    [[nodiscard]] const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

/// A model and the two moments of its optimizer, in layers.
class Model {
public:
    explicit Model(std::uint64_t bytes) {
        constexpr std::uint64_t arrays = 24;
        for (std::uint64_t i = 0; i < arrays; ++i) {
            arrays_.emplace_back(bytes / arrays / sizeof(float), static_cast<float>(i));
        }
    }

    [[nodiscard]] train::State state(std::uint64_t step) const {
        train::State state(step);
        for (std::size_t i = 0; i < arrays_.size(); ++i) {
            state.array("layer" + std::to_string(i), std::span<const float>(arrays_[i]));
        }
        return state;
    }

    /// A step of training, as far as memory is concerned.
    void step() {
        for (auto& array : arrays_) {
            for (float& value : array) {
                value += 1;
            }
        }
    }

private:
    std::vector<std::vector<float>> arrays_;
};

void measure(const Sizes& sizes) {
    bench::Report report;
    bench::describe_machine(report);
    Model model(sizes.state_mib << 20U);
    for (int i = 0; i < sizes.repetitions; ++i) {
        const Folder folder(sizes.folder);
        train::CheckpointWriter writer({.folder = folder.path()});
        std::uint64_t step = 0;
        // One checkpoint is kept, as by a run that goes on; and the model changes in between.
        const auto next = [&] {
            writer.wait();
            fs::remove(train::checkpoint_path(folder.path(), step - 1));
            model.step();
        };
        const auto in_background = [&] {
            const auto begin = Clock::now();
            writer.save(model.state(++step));
            const double seconds = seconds_since(begin);
            next();
            return seconds;
        };
        const auto waiting = [&] { // from where the arrays lie: it needs no copy
            const auto begin = Clock::now();
            const train::State state = model.state(++step);
            muster::data::ArrayFileWriter file(
                train::checkpoint_path(folder.path(), step),
                {.attributes = {{"muster_checkpoint", std::int64_t{1}},
                                {"step", static_cast<std::int64_t>(step)}}});
            for (const auto& entry : state.entries()) {
                file.write(entry.piece.array, entry.values);
            }
            file.finish();
            const double seconds = seconds_since(begin);
            next();
            return seconds;
        };
        report.add("checkpoint.first.stall", "s", in_background());
        report.add("checkpoint.background.stall", "s", in_background());
        report.add("checkpoint.synchronous.stall", "s", waiting());
        const auto begin = Clock::now();
        train::Checkpoint(train::checkpoint_path(folder.path(), step)).verify();
        report.add("checkpoint.verify", "s", seconds_since(begin));
    }
    report.print();
}

} // namespace

int main(int argc, char** argv) {
    try {
        Sizes sizes;
        po::options_description options("Options");
        options.add_options()("help", "print this")("quick", "tiny sizes: does it work at all?")(
            "repetitions", po::value<int>(), "how often to measure (default 3)")(
            "mib", po::value<std::uint64_t>(), "size of the state (default 1024)")(
            "folder", po::value<std::string>(), "where to write (default: for temporary files)");
        po::variables_map values;
        po::store(po::parse_command_line(argc, argv, options), values);
        po::notify(values);
        if (values.contains("help")) {
            std::cout << "Usage: bench_checkpoint [options]\n" << options;
            return 0;
        }
        if (values.contains("quick")) {
            sizes.repetitions = 1;
            sizes.state_mib = 1;
        }
        if (values.contains("repetitions")) {
            sizes.repetitions = values["repetitions"].as<int>();
        }
        if (values.contains("mib")) {
            sizes.state_mib = values["mib"].as<std::uint64_t>();
        }
        if (values.contains("folder")) {
            sizes.folder = values["folder"].as<std::string>();
        }
        measure(sizes);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
