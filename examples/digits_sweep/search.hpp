#pragma once

#include <muster/tune/study.hpp>

#include <cstddef>
#include <functional>

namespace digits {

/// Jobs that a study has under way, on any number of ranks.
///
/// ASHA decides by the results so far, so it matters which those are. If results counted as they
/// came, or if there were as many jobs as ranks, timing and the size of the cluster would have a
/// say in who goes on. So every decision is made at a fixed lag: job n is chosen knowing the
/// results of the jobs up to n - 16, even if newer ones are there; of those only where there was
/// nothing to start without them. The price is that newer results wait to be used, that one long
/// job holds up those behind it, and that ranks beyond what 16 gangs need are idle.
inline constexpr std::size_t jobs_under_way = 16;

/// Starts a job.
using StartJob = std::function<void(const muster::tune::Job&)>;

/// Waits for a job that was started and says how good its trial is now; muster::TaskError if it
/// failed.
using JobResult = std::function<double(const muster::tune::Job&)>;

/// A job is in the books, with its result or as failed.
using JobDone = std::function<void(const muster::tune::Job&)>;

/// Carries out a study: `jobs_under_way` jobs at once as long as it has so many, and their results
/// handed in in the order in which they were started. What becomes of the trials depends on the
/// study and on the results, never on timing.
///
/// A trial whose job fails is out, and the rest goes on.
/// @throws TaskError, the last, if every trial failed: then it is not the trials' fault.
void run_study(muster::tune::Study& study,
               const StartJob& start,
               const JobResult& result,
               const JobDone& done);

} // namespace digits
