#include "look/runs.hpp"

#include <algorithm>
#include <string>

namespace muster::launcher::look {

Choice choose(std::vector<muster::look::Place> runs, std::string_view wanted) {
    if (wanted.empty()) {
        return {std::move(runs)};
    }
    std::vector<muster::look::Place> fitting;
    std::copy_if(runs.begin(), runs.end(), std::back_inserter(fitting), [&](const auto& run) {
        return run.job == wanted;
    });
    if (fitting.empty()) { // a job's id counts first: its user knows no process
        std::copy_if(runs.begin(), runs.end(), std::back_inserter(fitting), [&](const auto& run) {
            return std::to_string(run.pid) == wanted;
        });
    }
    return {std::move(fitting)};
}

std::vector<std::string> over_srun(const std::string& job,
                                   const std::string& node,
                                   bool terminal,
                                   const std::vector<std::string>& command) {
    std::vector<std::string> words{
        "srun", "--jobid=" + job, "--overlap", "--nodes=1", "--ntasks=1", "--quiet"};
    if (!node.empty()) {
        words.push_back("--nodelist=" + node);
    }
    if (terminal) {
        words.emplace_back("--pty");
    }
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

} // namespace muster::launcher::look
