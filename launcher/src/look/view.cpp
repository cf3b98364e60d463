#include "look/view.hpp"

#include "cli/digits.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace muster::launcher::look {
namespace {

using nlohmann::json;

double number(const json& item, const char* key) {
    const auto place = item.find(key);
    return place != item.end() && place->is_number() ? place->get<double>() : 0.0;
}

std::string text(const json& item, const char* key) {
    const auto place = item.find(key);
    return place != item.end() && place->is_string() ? place->get<std::string>() : std::string();
}

bool flag(const json& item, const char* key) {
    const auto place = item.find(key);
    return place != item.end() && place->is_boolean() && place->get<bool>();
}

const json& list(const json& item, const char* key) {
    static const json none = json::array();
    const auto place = item.find(key);
    return place != item.end() && place->is_array() ? *place : none;
}

double sum(const json& items, const char* key) {
    double total = 0;
    for (const json& item : items) {
        total += number(item, key);
    }
    return total;
}

/// What all ranks and functions come to.
struct Totals {
    double waiting, ready, placed, running, done, failed, retried, attempts, busy, cpus;

    explicit Totals(const json& status)
        : waiting(sum(list(status, "functions"), "waiting")),
          ready(sum(list(status, "functions"), "ready")),
          placed(sum(list(status, "functions"), "placed")),
          running(sum(list(status, "ranks"), "running")),
          done(sum(list(status, "functions"), "done")),
          failed(sum(list(status, "functions"), "failed")),
          retried(sum(list(status, "functions"), "retried")),
          attempts(sum(list(status, "ranks"), "attempts")),
          busy(sum(list(status, "ranks"), "busy_seconds")),
          cpus(sum(list(status, "ranks"), "cpus")) {}
};

double elapsed(const Sample& now, const Sample* before) {
    return before == nullptr ? 0
                             : number(now.status, "seconds") - number(before->status, "seconds");
}

double rate(double now, double before, double seconds) {
    return seconds > 0 ? std::max(0.0, now - before) / seconds : 0;
}

std::string per_second(double rate) {
    return rate >= 10 || rate == 0 ? counted(std::round(rate)) + "/s"
                                   : fmt::format("{:.1f}/s", rate);
}

const json* of_name(const json& items, const char* key, const json& value) {
    const auto place = std::find_if(items.begin(), items.end(), [&](const json& item) {
        return item.value(key, json()) == value;
    });
    return place == items.end() ? nullptr : &*place;
}

/// A part of the page: lines of which some may have to go.
struct Part {
    std::string heading;
    std::vector<std::string> lines;
    std::string more; ///< "and {} more ranks"
};

std::string host_line(const Sample& now) {
    const json& hello = now.hello;
    const std::string job = text(hello, "job");
    const bool goes_on = now.status.contains("term"); // else it is seen from its traces
    std::string line = fmt::format("{} (process {}{}) on {}: {} rank{}, ",
                                   text(hello, "program"),
                                   number(hello, "pid"),
                                   job.empty() ? std::string() : ", job " + job,
                                   text(hello, "host"),
                                   counted(number(hello, "ranks")),
                                   number(hello, "ranks") == 1 ? "" : "s");
    line += goes_on ? fmt::format("running for {}, coordinated by rank {} (term {})",
                                  duration(number(now.status, "seconds")),
                                  number(now.status, "coordinator"),
                                  number(now.status, "term"))
                    : fmt::format("ran for {}", duration(number(now.status, "seconds")));
    return line + (flag(now.status, "ending") ? ", ENDING: nothing starts any more" : "");
}

std::string tasks_line(const Totals& totals, double done_rate, bool has_rate) {
    return fmt::format(
        "tasks: {} waiting, {} ready, {} placed, {} running, {} done{}, {} failed, {} "
        "retried",
        counted(totals.waiting),
        counted(totals.ready),
        counted(totals.placed),
        counted(totals.running),
        counted(totals.done),
        has_rate ? fmt::format(" ({})", per_second(done_rate)) : std::string(),
        counted(totals.failed),
        counted(totals.retried));
}

std::string memory_line(const json& ranks) {
    return fmt::format("memory: {} of processes; large values {} of {}, {} on disk",
                       bytes(sum(ranks, "resident_bytes")),
                       bytes(sum(ranks, "room_used_bytes")),
                       bytes(sum(ranks, "room_bytes")),
                       bytes(sum(ranks, "spilled_bytes")));
}

std::string bar(double part) {
    constexpr int width = 10;
    const int full = std::clamp(static_cast<int>(std::lround(part * width)), 0, width);
    return '[' + std::string(static_cast<std::size_t>(full), '#') +
           std::string(static_cast<std::size_t>(width - full), '.') + ']';
}

Part rank_part(const Sample& now, const Sample* before) {
    const double seconds = elapsed(now, before);
    Part part;
    part.heading = fmt::format("{:>6}  {:<16} {:<12} {:>11} {:>8} {:>8} {:>8} {:>10} {:>8} {:>10}",
                               "RANK",
                               "HOST",
                               "CPUS",
                               "USED",
                               "RUNNING",
                               "IN GET()",
                               "HELD",
                               seconds > 0 ? "ENDED/S" : "ENDED",
                               "FAILED",
                               "MEMORY");
    part.more = "ranks";
    std::vector<std::pair<int, std::string>> lines; // what is wrong goes first
    for (const json& rank : list(now.status, "ranks")) {
        const std::string head =
            fmt::format("{:>6}  {:<16} ", number(rank, "rank"), fit(text(rank, "host"), 16));
        if (flag(rank, "lost")) {
            lines.emplace_back(0, head + "lost: the run goes on without it");
            continue;
        }
        if (!flag(rank, "answered")) {
            lines.emplace_back(0, head + "has not answered within a second");
            continue;
        }
        const double cpus = number(rank, "cpus");
        const double used = cpus - number(rank, "cpus_free");
        const json* const earlier =
            before == nullptr ? nullptr
                              : of_name(list(before->status, "ranks"), "rank", rank.at("rank"));
        const double attempts = number(rank, "attempts");
        const double ended =
            earlier == nullptr ? attempts : rate(attempts, number(*earlier, "attempts"), seconds);
        lines.emplace_back(
            1,
            head + fmt::format("{:<12} {:>4} of {:>3} {:>8} {:>8} {:>8} {:>10} {:>8} {:>10}",
                               bar(cpus > 0 ? used / cpus : 0),
                               used,
                               cpus,
                               counted(number(rank, "running")),
                               counted(number(rank, "blocked")),
                               counted(number(rank, "held")),
                               counted(std::round(ended)),
                               counted(number(rank, "attempts_failed")),
                               bytes(number(rank, "resident_bytes"))));
    }
    std::stable_sort(
        lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [order, line] : lines) {
        part.lines.push_back(std::move(line));
    }
    return part;
}

Part function_part(const Sample& now, const Sample* before) {
    const double seconds = elapsed(now, before);
    Part part;
    part.heading = fmt::format("{:>12} {:>12} {:>12} {:>12} {:>8} {:>8} {:>10}  {}",
                               "WAITING",
                               "READY",
                               "PLACED",
                               "DONE",
                               "FAILED",
                               "RETRIED",
                               seconds > 0 ? "DONE/S" : "",
                               "FUNCTION");
    part.more = "functions";
    std::vector<const json*> functions;
    for (const json& item : list(now.status, "functions")) {
        functions.push_back(&item);
    }
    const auto undone = [](const json& item) {
        return number(item, "waiting") + number(item, "ready") + number(item, "placed");
    };
    std::stable_sort(functions.begin(), functions.end(), [&](const json* a, const json* b) {
        return std::pair(undone(*a), number(*a, "done")) >
               std::pair(undone(*b), number(*b, "done"));
    });
    for (const json* item : functions) {
        const json* const earlier =
            before == nullptr
                ? nullptr
                : of_name(list(before->status, "functions"), "name", item->at("name"));
        part.lines.push_back(fmt::format(
            "{:>12} {:>12} {:>12} {:>12} {:>8} {:>8} {:>10}  {}",
            counted(number(*item, "waiting")),
            counted(number(*item, "ready")),
            counted(number(*item, "placed")),
            counted(number(*item, "done")),
            counted(number(*item, "failed")),
            counted(number(*item, "retried")),
            seconds > 0 ? counted(std::round(rate(number(*item, "done"),
                                                  earlier == nullptr ? 0 : number(*earlier, "done"),
                                                  seconds)))
                        : std::string(),
            text(*item, "name")));
    }
    return part;
}

Part running_part(const Sample& now) {
    Part part;
    part.heading = "RUNNING FOR LONGEST";
    part.more = "that run";
    std::vector<const json*> running;
    for (const json& item : list(now.status, "running")) {
        running.push_back(&item);
    }
    std::stable_sort(running.begin(), running.end(), [](const json* a, const json* b) {
        return number(*a, "seconds") > number(*b, "seconds");
    });
    for (const json* item : running) {
        part.lines.push_back(fmt::format("{:>12}  rank {:<5} {} ({}){}{}",
                                         duration(number(*item, "seconds")),
                                         number(*item, "rank"),
                                         text(*item, "function"),
                                         text(*item, "task"),
                                         flag(*item, "call") ? ", a call of an actor" : "",
                                         flag(*item, "blocked") ? ", in get()" : ""));
    }
    return part;
}

Part queued_part(const Sample& now) {
    Part part;
    part.heading = "READY, AND WAITING FOR ROOM";
    part.more = "kinds";
    for (const json& item : list(now.status, "queued")) {
        const std::string group = text(item, "group");
        part.lines.push_back(group.empty() ? fmt::format("  {} × {}: {}",
                                                         counted(number(item, "tasks")),
                                                         text(item, "function"),
                                                         text(item, "why"))
                                           : "  " + group);
    }
    return part;
}

/// A part's lines, no more than `lines_max`, the heading included.
void add_part(const Part& part, std::size_t lines_max, bool bold, std::vector<std::string>& lines) {
    if (part.lines.empty() || lines_max < 2) {
        return;
    }
    lines.push_back(bold ? "\x1b[1m" + part.heading + "\x1b[0m" : part.heading);
    const std::size_t room = lines_max - 1;
    const std::size_t shown = part.lines.size() <= room ? part.lines.size() : room - 1;
    lines.insert(
        lines.end(), part.lines.begin(), part.lines.begin() + static_cast<std::ptrdiff_t>(shown));
    if (shown < part.lines.size()) {
        lines.push_back(fmt::format("  … and {} more {}",
                                    counted(static_cast<double>(part.lines.size() - shown)),
                                    part.more));
    }
}

} // namespace

std::string counted(double value) {
    const std::string digits =
        grouped_digits(static_cast<std::uint64_t>(std::llround(std::abs(value))));
    return value < 0 ? "-" + digits : digits;
}

std::string bytes(double value) {
    constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return unit == 0 || value >= 100 ? fmt::format("{:.0f} {}", value, units[unit])
                                     : fmt::format("{:.1f} {}", value, units[unit]);
}

std::string duration(double seconds) {
    if (seconds < 0.001) {
        return fmt::format("{:.0f} µs", seconds * 1e6);
    }
    if (seconds < 1) {
        return fmt::format("{:.0f} ms", seconds * 1e3);
    }
    if (seconds < 60) {
        return fmt::format("{:.1f} s", seconds);
    }
    const auto whole = static_cast<std::int64_t>(seconds);
    if (whole < 3600) {
        return fmt::format("{}:{:02}", whole / 60, whole % 60);
    }
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string fit(const std::string& text, std::size_t width) {
    std::string fitting;
    std::size_t columns = 0;
    std::size_t last_begin = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool continues = (byte & 0xC0U) == 0x80;
        if (!continues) {
            if (width > 0 && columns == width) {
                fitting.resize(last_begin);
                return fitting + "…";
            }
            last_begin = fitting.size();
            ++columns;
        }
        fitting += byte < 0x20 || byte == 0x7F ? '?' : text[i];
    }
    return fitting;
}

std::vector<std::string> render(const Sample& now, const Sample* before, const Page& page) {
    const Totals totals(now.status);
    const double seconds = elapsed(now, before);
    std::vector<std::string> lines;
    lines.push_back(host_line(now));
    lines.push_back(
        tasks_line(totals,
                   before == nullptr ? 0 : rate(totals.done, Totals(before->status).done, seconds),
                   seconds > 0));
    if (sum(list(now.status, "ranks"), "resident_bytes") > 0) {
        lines.push_back(memory_line(list(now.status, "ranks")));
    }
    if (seconds > 0 && totals.cpus > 0) {
        const double busy = rate(totals.busy, Totals(before->status).busy, seconds);
        lines.back() += fmt::format("; tasks took {:.1f} of {} CPUs", busy, totals.cpus);
    }
    const std::array parts{
        rank_part(now, before), function_part(now, before), running_part(now), queued_part(now)};
    // Each gets an equal part of the room, and what others leave.
    std::array<std::size_t, 4> wanted{};
    std::array<std::size_t, 4> given{};
    std::size_t room =
        page.height == 0 ? SIZE_MAX : page.height - std::min(page.height, lines.size());
    for (std::size_t i = 0; i < parts.size(); ++i) {
        wanted[i] = parts[i].lines.empty() ? 0 : parts[i].lines.size() + 1;
    }
    while (room > 0 && given != wanted) {
        for (std::size_t i = 0; i < parts.size() && room > 0; ++i) {
            if (given[i] < wanted[i]) {
                ++given[i];
                --room;
            }
        }
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
        add_part(parts[i], given[i], page.bold_headings, lines);
    }
    for (std::string& line : lines) {
        const bool bold = line.starts_with("\x1b[1m");
        const std::string plain = bold ? line.substr(4, line.size() - 8) : line;
        const std::string fitting = fit(plain, page.width);
        line = bold ? "\x1b[1m" + fitting + "\x1b[0m" : fitting;
    }
    return lines;
}

std::string summarize(const Sample& now, const Sample* before) {
    const Totals totals(now.status);
    const double seconds = elapsed(now, before);
    const json& ranks = list(now.status, "ranks");
    double silent = 0;
    double lost = 0;
    for (const json& rank : ranks) {
        lost += flag(rank, "lost") ? 1 : 0;
        silent += !flag(rank, "lost") && !flag(rank, "answered") ? 1 : 0;
    }
    std::string line = fmt::format(
        "seconds={:.1f} ranks={} waiting={} ready={} placed={} running={} done={} failed={} "
        "retried={} resident_bytes={:.0f} value_bytes={:.0f}",
        number(now.status, "seconds"),
        ranks.size(),
        totals.waiting,
        totals.ready,
        totals.placed,
        totals.running,
        totals.done,
        totals.failed,
        totals.retried,
        sum(ranks, "resident_bytes"),
        sum(ranks, "value_bytes"));
    if (seconds > 0) {
        line += fmt::format(" done_per_second={:.1f}",
                            rate(totals.done, Totals(before->status).done, seconds));
    }
    if (silent > 0) {
        line += fmt::format(" silent={}", silent);
    }
    if (lost > 0) {
        line += fmt::format(" lost={}", lost);
    }
    return line + (flag(now.status, "ending") ? " ending" : "");
}

} // namespace muster::launcher::look
