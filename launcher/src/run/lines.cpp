#include "run/lines.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace muster::launcher::run {

std::vector<std::string> LineSplitter::take(std::string_view bytes) {
    std::vector<std::string> lines;
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        if (end == std::string_view::npos) {
            pending_ += bytes;
            break;
        }
        pending_ += bytes.substr(0, end + 1);
        lines.push_back(std::exchange(pending_, {}));
        bytes.remove_prefix(end + 1);
    }
    if (pending_.size() >= line_max_) {
        lines.push_back(std::exchange(pending_, {}));
    }
    return lines;
}

std::string format_ranks(const std::set<int>& ranks) {
    std::string text;
    for (auto it = ranks.begin(); it != ranks.end();) {
        const int first = *it;
        int last = first;
        for (++it; it != ranks.end() && *it == last + 1; ++it) {
            last = *it;
        }
        text += text.empty() ? "" : ",";
        text += first == last ? fmt::to_string(first) : fmt::format("{}-{}", first, last);
    }
    return text;
}

std::string
format_prefix(Prefix prefix, const std::string& ranks, std::string_view host, Duration elapsed) {
    switch (prefix) {
    case Prefix::none:
        return {};
    case Prefix::rank:
        return fmt::format("[{}] ", ranks);
    case Prefix::host:
        return fmt::format("[{} {}] ", ranks, host);
    case Prefix::time:
        return fmt::format("[{} {:.3f}] ", ranks, std::chrono::duration<double>(elapsed).count());
    }
    return {};
}

void LineMerger::add(TimePoint now, int rank, std::string text) {
    const std::uint64_t place = printed_[rank]++;
    auto behind_own = waiting_.end(); // from there on it may stand
    auto equal = waiting_.end();
    for (auto it = waiting_.end();
         it != waiting_.begin() && !std::prev(it)->line.ranks.contains(rank);) {
        --it;
        behind_own = it;
        if (it->line.text == text) {
            equal = it;
        }
    }
    if (equal != waiting_.end()) {
        equal->line.ranks.insert(rank);
        return;
    }
    while (behind_own != waiting_.end() && behind_own->place <= place) {
        ++behind_own;
    }
    waiting_.insert(behind_own, {{{rank}, std::move(text)}, now, place});
}

std::vector<LineMerger::Merged> LineMerger::take(TimePoint now) {
    std::vector<Merged> lines;
    while (!waiting_.empty()) {
        const Waiting& front = waiting_.front();
        if (static_cast<int>(front.line.ranks.size()) < ranks_ && now < front.since + patience_ &&
            waiting_.size() <= waiting_max_) {
            break;
        }
        lines.push_back(std::move(waiting_.front().line));
        waiting_.pop_front();
    }
    return lines;
}

std::vector<LineMerger::Merged> LineMerger::take_all() {
    std::vector<Merged> lines;
    for (Waiting& each : waiting_) {
        lines.push_back(std::move(each.line));
    }
    waiting_.clear();
    return lines;
}

std::optional<TimePoint> LineMerger::deadline() const {
    return waiting_.empty() ? std::nullopt : std::optional(waiting_.front().since + patience_);
}

} // namespace muster::launcher::run
