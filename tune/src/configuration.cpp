#include <muster/base/error.hpp>
#include <muster/tune/configuration.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>

namespace muster::tune {

std::string_view type_name(const Value& value) {
    static constexpr std::array<std::string_view, 4> names{"double", "integer", "string", "bool"};
    return names[value.index()];
}

std::string to_string(const Value& value) {
    return std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
}

bool ParameterValue::as_bool() const {
    const auto* value = std::get_if<bool>(value_);
    if (value == nullptr) {
        throw_wrong_type("bool");
    }
    return *value;
}

std::int64_t ParameterValue::as_integer() const {
    const auto* value = std::get_if<std::int64_t>(value_);
    if (value == nullptr) {
        throw_wrong_type("integer");
    }
    return *value;
}

double ParameterValue::as_double() const {
    if (const auto* integer = std::get_if<std::int64_t>(value_)) {
        constexpr std::int64_t exact = std::int64_t{1} << std::numeric_limits<double>::digits;
        if (*integer < -exact || *integer > exact) {
            throw_out_of_range(std::to_string(-exact), std::to_string(exact));
        }
        return static_cast<double>(*integer);
    }
    const auto* value = std::get_if<double>(value_);
    if (value == nullptr) {
        throw_wrong_type("double");
    }
    return *value;
}

const std::string& ParameterValue::as_string() const {
    const auto* value = std::get_if<std::string>(value_);
    if (value == nullptr) {
        throw_wrong_type("string");
    }
    return *value;
}

void ParameterValue::throw_out_of_range(const std::string& low, const std::string& high) const {
    throw UsageError(
        fmt::format("parameter '{}' is {}, and the type it is read as holds {} to {}; read it as a "
                    "wider one",
                    name_,
                    to_string(*value_),
                    low,
                    high));
}

void ParameterValue::throw_wrong_type(std::string_view wanted) const {
    throw UsageError(fmt::format("parameter '{}' is the {} {}, and was asked for as {}",
                                 name_,
                                 type_name(*value_),
                                 to_string(*value_),
                                 wanted));
}

Configuration::Configuration(std::vector<Item> items) : items_(std::move(items)) {
    for (auto item = items_.begin(); item != items_.end(); ++item) {
        if (std::any_of(
                items_.begin(), item, [&](const Item& i) { return i.name == item->name; })) {
            throw UsageError(
                fmt::format("a configuration has parameter '{}' twice; give each a name of its own",
                            item->name));
        }
    }
}

ParameterValue Configuration::operator[](std::string_view name) const {
    const Value* value = find(name);
    if (value == nullptr) {
        std::string names;
        for (const Item& item : items_) {
            names += fmt::format("{}{}", names.empty() ? "" : ", ", item.name);
        }
        throw UsageError(fmt::format("there is no parameter '{}'; the configuration has {}",
                                     name,
                                     names.empty() ? "none" : names));
    }
    return {name, *value};
}

void Configuration::set(std::string_view name, Value value) {
    const auto found = std::find_if(
        items_.begin(), items_.end(), [&](const Item& item) { return item.name == name; });
    if (found == items_.end()) {
        items_.push_back({std::string(name), std::move(value)});
    } else {
        found->value = std::move(value);
    }
}

const Value* Configuration::find(std::string_view name) const {
    const auto found = std::find_if(
        items_.begin(), items_.end(), [&](const Item& item) { return item.name == name; });
    return found == items_.end() ? nullptr : &found->value;
}

std::string to_string(const Configuration& configuration) {
    std::string text;
    for (const auto& [name, value] : configuration.items()) {
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, to_string(value));
    }
    return text;
}

std::ostream& operator<<(std::ostream& out, const Configuration& configuration) {
    return out << to_string(configuration);
}

} // namespace muster::tune
