#include "digits_sweep/search.hpp"

#include <muster/base/assert.hpp>
#include <muster/core/error.hpp>

#include <deque>

namespace digits {

namespace tune = muster::tune;

void run_study(tune::Study& study,
               const StartJob& start,
               const JobResult& result,
               const JobDone& done) {
    std::deque<tune::Job> running;
    while (!study.finished()) {
        while (running.size() < jobs_under_way) {
            const auto job = study.next_job();
            if (!job) {
                break;
            }
            start(*job);
            running.push_back(*job);
        }
        MUSTER_ASSERT(!running.empty());
        const tune::Job job = running.front();
        running.pop_front();
        try {
            study.on_result(job, result(job));
        } catch (const muster::TaskError& error) {
            study.on_failure(job, error.what());
            if (study.count(tune::TrialStatus::failed) == study.trials().size()) {
                throw;
            }
        }
        done(job);
    }
}

} // namespace digits
