#pragma once

#include "doctor/facts.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::doctor {

enum class Verdict {
    ok,
    note,    ///< Works, but there is something to know.
    problem, ///< Something will not work.
};

struct Finding {
    std::string area; ///< "MPI", "Slurm", …
    Verdict verdict = Verdict::ok;
    std::string text;   ///< What was found.
    std::string advice; ///< What to change; empty: nothing.
    bool operator==(const Finding&) const = default;
};

[[nodiscard]] std::string_view to_string(Verdict verdict);

/// All checks, in the order in which they are shown. Pure.
[[nodiscard]] std::vector<Finding> judge(const Facts& facts);

/// The checks one by one.
void judge_mpi(const Facts& facts, std::vector<Finding>& findings);
void judge_slurm(const Facts& facts, std::vector<Finding>& findings);
void judge_way(const Facts& facts, std::vector<Finding>& findings);
void judge_pmi(const Facts& facts, std::vector<Finding>& findings);
void judge_shared_memory(const Facts& facts, std::vector<Finding>& findings);
void judge_limits(const Facts& facts, std::vector<Finding>& findings);
void judge_clocks(const Facts& facts, std::vector<Finding>& findings);
void judge_gpus(const Facts& facts, std::vector<Finding>& findings);
void judge_cpus(const Facts& facts, std::vector<Finding>& findings);
void judge_file_systems(const Facts& facts, std::vector<Finding>& findings);

/// For people: one line each, advice below it.
[[nodiscard]] std::string as_text(const std::vector<Finding>& findings);

/// {"problems": 1, "findings": [{"area": …, "verdict": …, "text": …, "advice": …}]}
[[nodiscard]] std::string as_json(const std::vector<Finding>& findings);

} // namespace muster::launcher::doctor
