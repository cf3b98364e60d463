#include "jobs/queue.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

namespace muster::launcher::jobs {
namespace {

constexpr char separator = '|';

/// The fields of a line. The last may have separators of its own: a name.
std::vector<std::string> fields_of(std::string_view line, std::size_t count) {
    std::vector<std::string> fields;
    while (fields.size() + 1 < count) {
        const auto end = line.find(separator);
        if (end == std::string_view::npos) {
            return {};
        }
        fields.emplace_back(line.substr(0, end));
        line.remove_prefix(end + 1);
    }
    fields.emplace_back(line);
    return fields;
}

int number_of(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

template <class Take>
std::vector<QueueRow> parse_lines(std::string_view text, std::size_t fields, Take take) {
    std::vector<QueueRow> rows;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto parts = fields_of(text.substr(0, end), fields);
        if (!parts.empty() && !parts[0].empty() && parts[0][0] >= '0' && parts[0][0] <= '9') {
            rows.push_back(take(parts));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return rows;
}

/// "12" of "12_3" and of "12_[4-10]".
std::string_view job_of(std::string_view id) {
    return id.substr(0, id.find('_'));
}

/// By job, then element; those that wait last.
std::pair<int, int> order(const JobView& view) {
    const auto under = view.id.find('_');
    if (under == std::string::npos) {
        return {number_of(view.id), -1};
    }
    const bool waits = view.id[under + 1] == '[';
    return {number_of(view.id), waits ? 1 << 30 : number_of(view.id.substr(under + 1))};
}

std::string elapsed_text(std::int64_t seconds) {
    const std::int64_t days = seconds / 86400;
    const std::string clock =
        fmt::format("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    return days > 0 ? fmt::format("{}-{}", days, clock) : clock;
}

void take_row(JobView& view, const QueueRow& row) {
    view.name = row.name;
    view.state = row.state;
    view.elapsed = row.elapsed;
    view.limit = row.limit;
    view.nodes = row.nodes;
    view.restarts = row.restarts;
    if (row.state == "PENDING" && row.reason != "None") {
        view.reason = row.reason;
    }
    // Slurm's word, as a pattern too, for jobs that there is no record of.
    if (view.log.empty()) {
        view.log = log_path(row.log, row.id, row.name);
    }
    if (view.has_ended()) {
        view.exit_code = row.exit_code;
        if (row.signal != 0) {
            view.signal = row.signal;
        }
    }
}

/// What the script noted, where Slurm says nothing any more.
void take_events(JobView& view, std::span<const JobEvent> events) {
    using Kind = JobEvent::Kind;
    std::int64_t started = 0;
    view.state = "GONE";
    for (const JobEvent& event : events) {
        switch (event.kind) {
        case Kind::started:
            started = event.time;
            view.restarts = event.number;
            view.nodes = event.text;
            view.exit_code.reset();
            view.state = "GONE";
            break;
        case Kind::requeued:
            break;
        case Kind::continued:
            view.goes_on_as = event.text;
            break;
        case Kind::ended:
            view.state = event.number == 0 ? "COMPLETED" : "FAILED";
            view.exit_code = event.number;
            view.elapsed = elapsed_text(event.time - started);
            break;
        }
    }
}

void take_record(JobView& view, const JobRecord& record) {
    view.name = record.name;
    view.command = record.command;
    view.submitted = record.submitted;
    view.log = log_path(record.log, view.id, record.name);
}

std::string exit_text(const JobView& view) {
    if (view.signal) {
        return fmt::format("signal {}", *view.signal);
    }
    return view.exit_code ? fmt::to_string(*view.exit_code) : "";
}

} // namespace

std::string queue_format() {
    return "JobArrayID:|,State:|,TimeUsed:|,TimeLimit:|,Reason:|,exit_code:|,RestartCnt:|,NodeList:"
           "|,"
           "STDOUT:|,Name:";
}

std::vector<QueueRow> parse_queue(std::string_view text) {
    return parse_lines(text, 10, [](const std::vector<std::string>& field) {
        const int status = number_of(field[5]); // as wait() gives it
        return QueueRow{.id = field[0],
                        .name = field[9],
                        .state = field[1],
                        .elapsed = field[2],
                        .limit = field[3],
                        .reason = field[4],
                        .exit_code = status >> 8,
                        .signal = status & 0x7f,
                        .restarts = number_of(field[6]),
                        .nodes = field[7],
                        .log = field[8]};
    });
}

std::string accounting_fields() {
    return "JobID,State,Elapsed,Timelimit,ExitCode,NodeList,JobName";
}

std::vector<QueueRow> parse_accounting(std::string_view text) {
    return parse_lines(text, 7, [](const std::vector<std::string>& field) {
        const auto colon = field[4].find(':');
        return QueueRow{.id = field[0],
                        .name = field[6],
                        .state = field[1].substr(0, field[1].find(' ')), // "CANCELLED by 1000"
                        .elapsed = field[2],
                        .limit = field[3],
                        .reason = {},
                        .exit_code = number_of(field[4]),
                        .signal =
                            colon == std::string::npos ? 0 : number_of(field[4].substr(colon + 1)),
                        .restarts = 0,
                        .nodes = field[5],
                        .log = {}};
    });
}

bool JobView::has_ended() const {
    static constexpr auto states = std::to_array<std::string_view>({"COMPLETED",
                                                                    "FAILED",
                                                                    "CANCELLED",
                                                                    "TIMEOUT",
                                                                    "NODE_FAIL",
                                                                    "OUT_OF_MEMORY",
                                                                    "BOOT_FAIL",
                                                                    "DEADLINE",
                                                                    "PREEMPTED",
                                                                    "GONE"});
    return std::ranges::find(states, state) != states.end();
}

bool JobView::has_failed() const {
    return has_ended() && state != "COMPLETED" && goes_on_as.empty();
}

std::vector<JobView> join(std::span<const KnownJob> known, std::span<const QueueRow> rows) {
    std::map<std::string, const JobRecord*, std::less<>> records;
    std::map<std::string, std::span<const JobEvent>, std::less<>> events;
    std::set<std::string, std::less<>> ours;
    for (const KnownJob& job : known) {
        ours.insert(std::string(job_of(job.id)));
        events[job.id] = job.events;
        if (job.record) {
            records[job.id] = &*job.record;
        }
        for (const JobEvent& event : job.events) {
            if (event.kind == JobEvent::Kind::continued) {
                ours.insert(event.text);
            }
        }
    }
    std::vector<JobView> views;
    std::set<std::string, std::less<>> shown;
    const auto add = [&](const std::string& id, const QueueRow* row) {
        JobView view;
        view.id = id;
        if (const auto record = records.find(job_of(id)); record != records.end()) {
            take_record(view, *record->second);
        }
        if (const auto own = events.find(id); own != events.end()) {
            take_events(view, own->second);
        } else {
            view.state = "GONE";
        }
        if (row != nullptr) {
            view.exit_code.reset();
            take_row(view, *row);
        }
        shown.insert(id);
        shown.insert(std::string(job_of(id)));
        views.push_back(std::move(view));
    };
    for (const QueueRow& row : rows) {
        if (ours.contains(job_of(row.id)) && !shown.contains(row.id)) {
            add(row.id, &row);
        }
    }
    for (const auto& [id, noted] : events) {
        if (!noted.empty() && !shown.contains(id)) {
            add(id, nullptr);
        }
    }
    for (const std::string& id : ours) {
        if (!shown.contains(id)) {
            add(id, nullptr);
        }
    }
    std::ranges::stable_sort(views, {}, order);
    return views;
}

std::vector<std::string> forgotten(std::span<const JobView> views) {
    std::vector<std::string> ids;
    for (const JobView& view : views) {
        if (view.state == "GONE") {
            ids.push_back(view.id);
        }
    }
    return ids;
}

std::vector<JobView> select(std::vector<JobView> views, std::span<const std::string> ids) {
    if (ids.empty()) {
        return views;
    }
    const auto is = [](const JobView& view, const std::string& id) {
        return view.id == id || job_of(view.id) == id;
    };
    for (const std::string& id : ids) {
        if (std::ranges::none_of(views, [&](const JobView& view) { return is(view, id); })) {
            throw UsageError(
                fmt::format("job {} was not submitted by muster submit here, or long ago", id));
        }
    }
    std::erase_if(views, [&](const JobView& view) {
        return std::ranges::none_of(ids, [&](const std::string& id) { return is(view, id); });
    });
    return views;
}

std::string table(std::span<const JobView> views) {
    using Row = std::array<std::string, 8>;
    std::vector<Row> rows{{"job", "name", "state", "time", "limit", "exit", "runs", "why, or log"}};
    for (const JobView& view : views) {
        std::string last = view.reason.empty() ? view.log : view.reason;
        if (!view.goes_on_as.empty()) {
            last = fmt::format("goes on as {}; {}", view.goes_on_as, view.log);
        }
        rows.push_back({view.id,
                        view.name,
                        view.state,
                        view.elapsed,
                        view.limit,
                        exit_text(view),
                        fmt::to_string(view.restarts + (view.state == "PENDING" ? 0 : 1)),
                        last});
    }
    std::array<std::size_t, 8> width{};
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            width[i] = std::max(width[i], row[i].size());
        }
    }
    std::string text;
    for (const Row& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], width[i]);
        }
        text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
    }
    return text;
}

std::string json(std::span<const JobView> views) {
    auto all = nlohmann::ordered_json::array();
    for (const JobView& view : views) {
        nlohmann::ordered_json one{{"job", view.id},
                                   {"name", view.name},
                                   {"state", view.state},
                                   {"ended", view.has_ended()},
                                   {"elapsed", view.elapsed},
                                   {"limit", view.limit},
                                   {"reason", view.reason},
                                   {"restarts", view.restarts},
                                   {"nodes", view.nodes},
                                   {"log", view.log},
                                   {"command", view.command},
                                   {"submitted", view.submitted}};
        one["exit_code"] = view.exit_code ? nlohmann::ordered_json(*view.exit_code) : nullptr;
        one["signal"] = view.signal ? nlohmann::ordered_json(*view.signal) : nullptr;
        one["goes_on_as"] = view.goes_on_as.empty() ? nlohmann::ordered_json()
                                                    : nlohmann::ordered_json(view.goes_on_as);
        all.push_back(std::move(one));
    }
    // Names and paths may have any bytes in them.
    return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

} // namespace muster::launcher::jobs
