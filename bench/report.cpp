#include "report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

namespace bench {
namespace {

std::string quote(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
        }
        quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return quoted + '"';
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("model name")) {
            const auto colon = line.find(": ");
            return colon == std::string::npos ? line : line.substr(colon + 2);
        }
    }
    return "unknown";
}

} // namespace

double quantile(std::vector<double> samples, double q) {
    const auto last = static_cast<double>(samples.size() - 1);
    const auto place = samples.begin() + std::lround(q * last);
    std::nth_element(samples.begin(), place, samples.end());
    return *place;
}

void Report::add(const std::string& name, const std::string& unit, double sample) {
    auto measure = std::find_if(
        measures_.begin(), measures_.end(), [&](const Measure& m) { return m.name == name; });
    if (measure == measures_.end()) {
        measure = measures_.insert(measures_.end(), {name, unit, {}});
    }
    measure->samples.push_back(sample);
}

void Report::describe(const std::string& key, std::string value) {
    machine_[key] = std::move(value);
}

void Report::print() const {
    std::string text = "{\"machine\": {";
    for (const char* separator = ""; const auto& [key, value] : machine_) {
        text += fmt::format("{}{}: {}", separator, quote(key), quote(value));
        separator = ", ";
    }
    text += "},\n \"measures\": [";
    for (const char* separator = ""; const Measure& measure : measures_) {
        text += fmt::format("{}\n  {{\"name\": {}, \"unit\": {}, \"samples\": [{:.6g}], "
                            "\"min\": {:.6g}, \"median\": {:.6g}, \"max\": {:.6g}}}",
                            separator,
                            quote(measure.name),
                            quote(measure.unit),
                            fmt::join(measure.samples, ", "),
                            quantile(measure.samples, 0),
                            quantile(measure.samples, 0.5),
                            quantile(measure.samples, 1));
        separator = ",";
    }
    text += "]}\n";
    std::fputs(text.c_str(), stdout);
}

void describe_machine(Report& report) {
    report.describe("cpu", cpu_model());
    report.describe("cores", std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)));
    report.describe("compiler", __VERSION__);
    utsname system{};
    if (::uname(&system) == 0) {
        report.describe("kernel", fmt::format("{} {}", system.sysname, system.release));
    }
}

} // namespace bench
