#include "pool/decide.hpp"

#include <fmt/format.h>

namespace muster::launcher::pool {
namespace {

std::string jobs(int count) {
    return fmt::format("{} job{}", count, count == 1 ? "" : "s");
}

} // namespace

Decision decide(const Rules& rules, const Standing& standing) {
    const int under_way = standing.waiting + standing.running;
    if (standing.left == 0) {
        if (under_way == 0) {
            return {Step::done, "all commands are done"};
        }
        if (standing.waiting > 0) {
            return {Step::withdraw, "all commands are done"};
        }
        return {Step::wait,
                fmt::format("all commands are done, and {} end", jobs(standing.running))};
    }
    if (standing.fruitless >= rules.fruitless_max) {
        return {
            Step::give_up,
            fmt::format("{} in a row ended without finishing a command", jobs(standing.fruitless))};
    }
    if (standing.waiting >= rules.waiting_max) {
        return {Step::wait,
                fmt::format("{} of its own wait{} in the queue already (--backlog)",
                            jobs(standing.waiting),
                            standing.waiting == 1 ? "s" : "")};
    }
    if (under_way >= rules.jobs_max) {
        return {Step::wait, fmt::format("{} are under way (--max-jobs)", jobs(under_way))};
    }
    if (standing.left <= static_cast<std::uint64_t>(standing.running)) {
        return {Step::wait,
                fmt::format("{} command{} left, which the {} that run may be at",
                            standing.left,
                            standing.left == 1 ? " is" : "s are",
                            jobs(standing.running))};
    }
    return {Step::submit, fmt::format("{} commands are left", standing.left)};
}

} // namespace muster::launcher::pool
