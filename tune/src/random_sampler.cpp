#include <muster/tune/random_sampler.hpp>

namespace muster::tune {
namespace {

std::uint64_t hash(std::string_view name) {
    std::uint64_t state = name.size();
    for (const char c : name) {
        state = mix64(state + 0x9e3779b97f4a7c15ULL + static_cast<unsigned char>(c));
    }
    return state;
}

} // namespace

Configuration RandomSampler::sample(std::size_t trial) const {
    std::vector<Configuration::Item> items;
    for (const auto& [name, domain] : space_.parameters()) {
        Random of_parameter(seed_, hash(name));
        Random of_trial(of_parameter.next(), trial);
        items.push_back({name, tune::sample(domain, of_trial)});
    }
    return Configuration(std::move(items));
}

} // namespace muster::tune
