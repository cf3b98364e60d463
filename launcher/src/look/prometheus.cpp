#include "look/view.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace muster::launcher::look {
namespace {

using nlohmann::json;

/// As the format wants label values: backslash, quote and newline escaped.
std::string label(const std::string& text) {
    std::string escaped;
    for (const char letter : text) {
        if (letter == '\\' || letter == '"') {
            escaped += '\\';
            escaped += letter;
        } else if (letter == '\n') {
            escaped += "\\n";
        } else {
            escaped += letter;
        }
    }
    return escaped;
}

class Metrics {
public:
    explicit Metrics(std::string labels) : labels_(std::move(labels)) {}

    void begin(const char* name, const char* type, const char* help) {
        name_ = name;
        text_ += fmt::format("# HELP muster_{} {}\n# TYPE muster_{} {}\n", name, help, name, type);
    }

    void add(const std::string& more, double value) {
        text_ += fmt::format(
            "muster_{}{{{}{}{}}} {}\n", name_, labels_, more.empty() ? "" : ",", more, value);
    }

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    std::string labels_;
    const char* name_ = "";
    std::string text_;
};

struct Metric {
    const char* key;
    const char* name;
    const char* type;
    const char* help;
};

constexpr std::array<Metric, 3> of_functions{{
    {"done", "tasks_done_total", "counter", "Tasks that have ended, with a value or without."},
    {"failed", "tasks_failed_total", "counter", "Tasks that have ended without a value."},
    {"retried", "attempts_retried_total", "counter", "Attempts that others made up for."},
}};

constexpr std::array<Metric, 16> of_ranks{{
    {"running", "running", "gauge", "Tasks and calls that run on the rank."},
    {"blocked", "blocked", "gauge", "Of those, in get()."},
    {"held", "held", "gauge", "Tasks placed on the rank that have not started."},
    {"fetching", "fetching", "gauge", "Tasks placed on the rank whose arguments are on their way."},
    {"actors", "actors", "gauge", "Actors that live on the rank."},
    {"attempts", "attempts_total", "counter", "Tasks and calls that have ended on the rank."},
    {"attempts_failed", "attempts_failed_total", "counter", "Of those, with a failure."},
    {"busy_seconds", "busy_seconds_total", "counter", "What they took together."},
    {"cpus", "cpus", "gauge", "CPUs that the rank has."},
    {"cpus_free", "cpus_free", "gauge", "Of those, free."},
    {"gpus", "gpus", "gauge", "GPUs that the rank has."},
    {"gpus_free", "gpus_free", "gauge", "Of those, free."},
    {"resident_bytes", "resident_bytes", "gauge", "Memory that the rank's process has."},
    {"value_bytes", "value_bytes", "gauge", "Values that the rank keeps."},
    {"room_used_bytes", "room_used_bytes", "gauge", "Memory that large values take."},
    {"spilled_bytes", "spilled_bytes", "gauge", "Disk that large values take."},
}};

double number(const json& item, const char* key) {
    const auto place = item.find(key);
    return place != item.end() && place->is_number() ? place->get<double>() : 0.0;
}

} // namespace

std::string prometheus(const Sample& now) {
    const json& hello = now.hello;
    Metrics metrics(fmt::format(R"(run="{}",program="{}",job="{}")",
                                label(hello.value("run", "")),
                                label(hello.value("program", "")),
                                label(hello.value("job", ""))));
    metrics.begin("run_seconds", "gauge", "For how long the run has run.");
    metrics.add("", number(now.status, "seconds"));
    metrics.begin("ending", "gauge", "1: nothing starts any more.");
    metrics.add("", now.status.value("ending", false) ? 1 : 0);
    const json functions = now.status.value("functions", json::array());
    const json ranks = now.status.value("ranks", json::array());
    metrics.begin("tasks", "gauge", "Tasks that have not ended, by state.");
    for (const json& item : functions) {
        for (const char* const state : {"waiting", "ready", "placed"}) {
            metrics.add(
                fmt::format(R"(function="{}",state="{}")", label(item.value("name", "")), state),
                number(item, state));
        }
    }
    for (const Metric& metric : of_functions) {
        metrics.begin(metric.name, metric.type, metric.help);
        for (const json& item : functions) {
            metrics.add(fmt::format(R"(function="{}")", label(item.value("name", ""))),
                        number(item, metric.key));
        }
    }
    metrics.begin("rank_up", "gauge", "1: the rank has answered within a second.");
    for (const json& rank : ranks) {
        metrics.add(fmt::format(R"(rank="{}",host="{}")",
                                number(rank, "rank"),
                                label(rank.value("host", ""))),
                    rank.value("answered", false) ? 1 : 0);
    }
    for (const Metric& metric : of_ranks) {
        metrics.begin(metric.name, metric.type, metric.help);
        for (const json& rank : ranks) {
            if (rank.value("answered", false)) {
                metrics.add(fmt::format(R"(rank="{}",host="{}")",
                                        number(rank, "rank"),
                                        label(rank.value("host", ""))),
                            number(rank, metric.key));
            }
        }
    }
    return metrics.take();
}

} // namespace muster::launcher::look
