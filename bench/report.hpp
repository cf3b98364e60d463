#pragma once

#include <map>
#include <string>
#include <vector>

namespace bench {

/// The q-quantile of `samples` (0 = smallest, 0.5 = median, 1 = largest), by nearest rank: always
/// one of the samples. Not for an empty list.
double quantile(std::vector<double> samples, double q);

/// What a benchmark program measured, printed as one JSON object:
///
///     {"machine": {"cpu": "…", …},
///      "measures": [{"name": "…", "unit": "…", "samples": [...], "min":, "median":, "max":}, …]}
class Report {
public:
    /// Adds samples to the measure of that name; measures keep the order of their first sample.
    void add(const std::string& name, const std::string& unit, double sample);

    /// A fact about the machine or the program, for `machine`.
    void describe(const std::string& key, std::string value);

    void print() const;

private:
    struct Measure {
        std::string name;
        std::string unit;
        std::vector<double> samples;
    };

    std::vector<Measure> measures_;
    std::map<std::string, std::string> machine_;
};

/// CPU model, cores, compiler and operating system.
void describe_machine(Report& report);

} // namespace bench
