#pragma once

#include <cstdint>
#include <string_view>

namespace muster::launcher::sweep {

/// When a sweep stops before its end, as GNU parallel's --halt says it: "never",
/// "soon,fail=1", "now,fail=10%", "now,success=1", "soon,done=100".
struct HaltRule {
    enum class When : std::uint8_t {
        never,
        soon, ///< What runs may end, and nothing else begins.
        now,  ///< What runs is stopped.
    };
    enum class What : std::uint8_t { fail, success, done };

    When when = When::never;
    What what = What::fail;
    std::uint64_t count = 0;
    double percent = 0; ///< Of those that are done, at least three; then `count` is 0.
};

/// @throws UsageError.
[[nodiscard]] HaltRule parse_halt_rule(std::string_view text);

/// How many commands ended how, and whether that is reason to stop.
class Tally {
public:
    explicit Tally(HaltRule rule) : rule_(rule) {}

    void add(bool succeeded);

    [[nodiscard]] HaltRule::When stops() const { return stops_; }

    [[nodiscard]] std::uint64_t succeeded() const { return succeeded_; }

    [[nodiscard]] std::uint64_t failed() const { return failed_; }

    [[nodiscard]] std::uint64_t done() const { return succeeded_ + failed_; }

private:
    HaltRule rule_;
    std::uint64_t succeeded_ = 0;
    std::uint64_t failed_ = 0;
    HaltRule::When stops_ = HaltRule::When::never;
};

} // namespace muster::launcher::sweep
