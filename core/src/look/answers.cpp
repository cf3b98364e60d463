#include "look/answers.hpp"

#include "status/sentence.hpp"
#include "status/words.hpp"

#include <muster/look/json.hpp>
#include <muster/look/task_name.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace muster::look {
namespace {

using State = wire::TaskRow::State;

// Of a rank's tasks, in one of its turns.
constexpr std::uint32_t looks_of_page = 4096;

constexpr const char* names_of_states[] = {
    "waiting", "withheld", "delayed", "ready", "placed", "done", "failed"};

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

void say_error(const Server::Say& say, std::string_view text) {
    Json json;
    json.open('{').field("type", "error").field("text", text).close('}');
    say(json.text());
}

void say_end(const Server::Say& say) {
    say(R"({"type":"end"})");
}

void put_running(Json& json, Rank rank, const wire::RunningStatus& item, const std::string& name) {
    json.open('{')
        .field("task", task_name(item.task))
        .field("function", name)
        .field("rank", index(rank))
        .field("seconds", seconds(item.age))
        .field("call", item.is_call)
        .field("blocked", item.blocked)
        .close('}');
}

} // namespace

std::string Answers::name_of(FunctionId function) const {
    return static_cast<std::size_t>(function) < functions_.size()
               ? std::string(functions_.at(function).name)
               : fmt::format("function {}", static_cast<std::uint32_t>(function));
}

std::string Answers::host_of(Rank rank) const {
    const auto place = static_cast<std::size_t>(index(rank));
    return place < run_.hosts.size() ? run_.hosts[place] : std::string();
}

void Answers::answer(std::string_view request, const Server::Say& say) const {
    std::string verb;
    Words words;
    while (!request.empty()) {
        const auto end = request.find(' ');
        const std::string_view word = request.substr(0, end);
        request = end == std::string_view::npos ? std::string_view() : request.substr(end + 1);
        if (const auto equals = word.find('='); equals != std::string_view::npos) {
            words.emplace(word.substr(0, equals), unescape(word.substr(equals + 1)));
        } else if (!word.empty()) {
            verb = word;
        }
    }
    hello(say);
    if (verb == "status") {
        status(say);
    } else if (verb == "tasks") {
        tasks(words, say);
    } else if (verb == "explain") {
        explain(words, say);
    } else if (verb != "hello") {
        say_error(say, fmt::format("this run does not know what \"{}\" is", verb));
    }
    say_end(say);
}

void Answers::hello(const Server::Say& say) const {
    Json json;
    json.open('{')
        .field("type", "hello")
        .field("protocol", protocol_version)
        .field("run", fmt::format("{:016x}", run_.id))
        .field("pid", run_.pid)
        .field("job", run_.job)
        .field("program", run_.program)
        .field("host", host_of(Rank{0}))
        .field("ranks", run_.hosts.size())
        .field("seconds", seconds(std::chrono::steady_clock::now() - run_.began))
        .field("trace", run_.trace)
        .close('}');
    say(json.text());
}

void Answers::status(const Server::Say& say) const {
    const auto cluster = source_.announced();
    const auto answer = cluster ? source_.ask_status() : std::nullopt;
    if (!answer) {
        say_error(say, cluster ? "the run is ending" : "the run is starting");
        return;
    }
    Json json;
    json.open('{')
        .field("type", "status")
        .field("seconds", seconds(std::chrono::steady_clock::now() - run_.began))
        .field("coordinator", index(cluster->coordinator))
        .field("term", number(cluster->term));
    std::map<FunctionId, wire::FunctionStatus> functions;
    json.key("ranks").open('[');
    for (std::size_t i = 0; i < answer->ranks.size(); ++i) {
        const Rank rank{static_cast<std::int32_t>(i)};
        const auto& item = answer->ranks[i];
        json.open('{')
            .field("rank", i)
            .field("host", host_of(rank))
            .field("lost", cluster->group(rank) == nullptr)
            .field("answered", item.has_value());
        if (item) {
            json.field("running", item->running_total)
                .field("blocked", item->blocked)
                .field("held", item->held)
                .field("fetching", item->fetching)
                .field("actors", item->actors)
                .field("attempts", item->attempts)
                .field("attempts_failed", item->attempts_failed)
                .field("busy_seconds", seconds(item->busy))
                .field("cpus", item->capacity.cpus.value())
                .field("cpus_free", item->free.cpus.value())
                .field("gpus", item->capacity.gpus.value())
                .field("gpus_free", item->free.gpus.value())
                .field("resident_bytes", item->resident)
                .field("values", item->values)
                .field("value_bytes", item->value_bytes)
                .field("room_used_bytes", item->room.memory)
                .field("room_bytes", item->room.memory_max)
                .field("spilled_bytes", item->room.disk)
                .field("spill_bytes", item->room.disk_max);
            for (const auto& function : item->functions) {
                auto& total = functions[function.function];
                total.waiting += function.waiting;
                total.ready += function.ready;
                total.granted += function.granted;
                total.done += function.done;
                total.failed += function.failed;
                total.retried += function.retried;
            }
        }
        json.close('}');
    }
    json.close(']').key("functions").open('[');
    for (const auto& [id, item] : functions) {
        json.open('{')
            .field("name", name_of(id))
            .field("waiting", item.waiting)
            .field("ready", item.ready)
            .field("placed", item.granted)
            .field("done", item.done)
            .field("failed", item.failed)
            .field("retried", item.retried)
            .close('}');
    }
    json.close(']').key("running").open('[');
    for (std::size_t i = 0; i < answer->ranks.size(); ++i) {
        if (answer->ranks[i]) {
            for (const auto& item : answer->ranks[i]->running) {
                put_running(json, Rank{static_cast<std::int32_t>(i)}, item, name_of(item.function));
            }
        }
    }
    json.close(']').key("queued").open('[');
    bool ending = false;
    for (const auto& rank : answer->ranks) {
        if (!rank || !rank->coordinator) {
            continue;
        }
        ending = ending || rank->coordinator->draining;
        for (const auto& item : rank->coordinator->queued) {
            json.open('{')
                .field("function", name_of(item.function))
                .field("tasks", item.tasks)
                .field("oldest", task_name(item.oldest))
                .field("priority", item.priority)
                .field("why", status::why_queued(item))
                .close('}');
        }
        for (const auto& group : rank->coordinator->groups) {
            json.open('{').field("group", status::describe(group)).close('}');
        }
    }
    json.close(']').field("ending", ending).close('}');
    say(json.text());
}

void Answers::tasks(const Words& words, const Server::Say& say) const {
    wire::TasksWanted question;
    question.looks = looks_of_page;
    bool running_only = false;
    std::set<std::string, std::less<>> wanted;
    if (const auto states = words.find("states"); states != words.end()) {
        question.filter.states = 0;
        std::string_view rest = states->second;
        while (!rest.empty()) {
            const auto end = std::min(rest.find(','), rest.size());
            wanted.emplace(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        for (std::size_t i = 0; i < std::size(names_of_states); ++i) {
            if (wanted.contains(names_of_states[i]) ||
                (i == static_cast<std::size_t>(State::placed) &&
                 (wanted.contains("running") || wanted.contains("blocked")))) {
                question.filter.states |= static_cast<std::uint8_t>(1U << i);
            }
        }
        running_only = !wanted.contains("placed");
    }
    if (const auto name = words.find("name"); name != words.end()) {
        question.filter.name = name->second;
        for (std::uint32_t i = 0; i < functions_.size(); ++i) {
            if (std::string_view(functions_.at(FunctionId{i}).name).find(name->second) !=
                std::string_view::npos) {
                question.filter.functions.push_back(FunctionId{i});
            }
        }
    }

    struct Runs {
        Rank rank{};
        wire::RunningStatus status;
    };

    const auto cluster = source_.announced();
    if (!cluster) {
        say_error(say, "the run is starting");
        return;
    }
    std::map<TaskId, Runs> running;
    std::vector<Rank> silent;
    const auto ranks = static_cast<std::int32_t>(run_.hosts.size());
    for (std::int32_t i = 0; i < ranks; ++i) {
        wire::TasksWanted what;
        what.running = true;
        const bool is_lost = cluster->group(Rank{i}) == nullptr;
        const auto page = is_lost ? std::nullopt : source_.ask_tasks(Rank{i}, what);
        if (!page) {
            silent.push_back(Rank{i});
            continue;
        }
        for (const auto& item : page->running) {
            running[item.task] = {Rank{i}, item};
        }
    }
    for (std::int32_t i = 0; i < ranks; ++i) {
        if (std::find(silent.begin(), silent.end(), Rank{i}) != silent.end()) {
            continue;
        }
        question.after = {};
        bool more = true;
        while (more) {
            const auto page = source_.ask_tasks(Rank{i}, question);
            if (!page) {
                silent.push_back(Rank{i});
                break;
            }
            for (const auto& row : page->rows) {
                const auto runs = running.find(row.task);
                const bool is_running = row.state == State::placed && runs != running.end();
                const std::string state =
                    is_running ? (runs->second.status.blocked ? "blocked" : "running")
                               : names_of_states[static_cast<std::size_t>(row.state)];
                if (row.state == State::placed && running_only && !wanted.empty() &&
                    !wanted.contains(state)) {
                    continue;
                }
                Json json;
                json.open('{')
                    .field("type", "task")
                    .field("task", task_name(row.task))
                    .field("function", name_of(row.function))
                    .field("name", row.name)
                    .field("state", state)
                    .field("attempts", row.attempts);
                if (row.is_call) {
                    json.field("call", true);
                }
                if (row.state == State::waiting) {
                    json.field("missing", row.missing);
                }
                if (row.state == State::placed) {
                    json.field("rank", index(is_running ? runs->second.rank : row.at));
                }
                if (is_running) {
                    json.field("seconds", seconds(runs->second.status.age));
                }
                json.close('}');
                if (!say(json.text())) {
                    return;
                }
            }
            more = page->next.has_value();
            question.after = page->next.value_or(ObjectId{});
        }
    }
    if (!silent.empty()) {
        Json json;
        json.open('{').field("type", "silent").key("ranks").open('[');
        for (const Rank rank : silent) {
            json.value(index(rank));
        }
        json.close(']').close('}');
        say(json.text());
    }
}

void Answers::explain(const Words& words, const Server::Say& say) const {
    const auto text = words.find("task");
    const auto task =
        text == words.end() ? std::nullopt : parse_task_name(std::string_view(text->second));
    if (!task || index(owner_of(*task)) >= static_cast<std::int32_t>(run_.hosts.size())) {
        say_error(
            say,
            "no task is called so: they are named by their owner's rank and a number, as 0:17");
        return;
    }
    const auto status = source_.ask_task(*task);
    if (!status) {
        say_error(say, fmt::format("{} is not known: nobody has answered", to_string(*task)));
        return;
    }
    const auto name_of_function = [this](FunctionId function) { return name_of(function); };
    Json json;
    json.open('{')
        .field("type", "explained")
        .field("task", task_name(*task))
        .field("known", status->stage != wire::TaskStatus::Stage::unknown)
        .field(
            "text",
            status::explain(*status, name_of_function, [this](Rank rank) { return host_of(rank); }))
        .close('}');
    say(json.text());
}

} // namespace muster::look
