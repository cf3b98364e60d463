#include "jobs/records.hpp"

#include <muster/base/parse.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace muster::launcher::jobs {
namespace {

std::string on_one_line(std::string_view text) {
    std::string line;
    for (const char letter : text) {
        if (letter == '\n') {
            line += "\\n";
        } else if (letter == '\\') {
            line += "\\\\";
        } else {
            line += letter;
        }
    }
    return line;
}

std::string as_it_was(std::string_view line) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\\' && i + 1 < line.size()) {
            ++i;
            text += line[i] == 'n' ? '\n' : line[i];
        } else {
            text += line[i];
        }
    }
    return text;
}

/// Cuts the first line, or word, off.
std::string_view cut(std::string_view& text, char at) {
    const auto end = std::min(text.find(at), text.size());
    const std::string_view first = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return first;
}

std::optional<JobEvent> parse_event(std::string_view line) {
    using Kind = JobEvent::Kind;
    constexpr auto kinds =
        std::to_array<std::pair<std::string_view, Kind>>({{"started", Kind::started},
                                                          {"requeued", Kind::requeued},
                                                          {"continued", Kind::continued},
                                                          {"ended", Kind::ended}});
    const auto time = parse_whole<std::int64_t>(cut(line, ' '));
    const auto name = cut(line, ' ');
    const auto kind = std::ranges::find(kinds, name, &std::pair<std::string_view, Kind>::first);
    if (!time || kind == kinds.end()) {
        return std::nullopt;
    }
    JobEvent event{kind->second, *time, 0, {}};
    if (event.kind == Kind::continued) {
        event.text = line;
        return event.text.empty() ? std::nullopt : std::optional(event);
    }
    const auto number = parse_whole<int>(cut(line, ' '));
    if (!number) {
        return std::nullopt;
    }
    event.number = *number;
    event.text = line;
    return event;
}

} // namespace

std::string record_text(const JobRecord& record) {
    return fmt::format(
        "job={}\nname={}\nsubmitted={}\ndirectory={}\nlog={}\narray={}\ncommand={}\n",
        on_one_line(record.id),
        on_one_line(record.name),
        record.submitted,
        on_one_line(record.directory),
        on_one_line(record.log),
        on_one_line(record.array),
        on_one_line(record.command));
}

std::optional<JobRecord> parse_record(std::string_view text) {
    JobRecord record;
    while (!text.empty()) {
        std::string_view line = cut(text, '\n');
        const std::string_view key = cut(line, '=');
        const std::string value = as_it_was(line);
        if (key == "job") {
            record.id = value;
        } else if (key == "name") {
            record.name = value;
        } else if (key == "submitted") {
            record.submitted = parse_whole<std::int64_t>(value).value_or(0);
        } else if (key == "directory") {
            record.directory = value;
        } else if (key == "log") {
            record.log = value;
        } else if (key == "array") {
            record.array = value;
        } else if (key == "command") {
            record.command = value;
        }
    }
    return record.id.empty() ? std::nullopt : std::optional(record);
}

std::string log_path(std::string_view pattern, std::string_view id, std::string_view name) {
    const auto under = id.find('_');
    const std::string_view job = id.substr(0, under);
    const bool has_element = under != std::string_view::npos && id[under + 1] != '[';
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const char next = pattern[i] == '%' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
        if (next == 'j' || next == 'A') {
            path += job;
        } else if (next == 'x') {
            path += name;
        } else if (next == 'a' && has_element) {
            path += id.substr(under + 1);
        } else if (next == '%') {
            path += '%';
        } else {
            path += pattern[i];
            continue;
        }
        ++i;
    }
    return path;
}

std::vector<JobEvent> parse_events(std::string_view text) {
    std::vector<JobEvent> events;
    while (!text.empty()) {
        if (auto event = parse_event(cut(text, '\n'))) {
            events.push_back(std::move(*event));
        }
    }
    return events;
}

} // namespace muster::launcher::jobs
