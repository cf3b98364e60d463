#include "process/protocol.hpp"

#include <cstring>

namespace muster::process {
namespace {

void put(std::string& bytes, std::uint64_t number) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

void put(std::string& bytes, std::string_view text) {
    put(bytes, static_cast<std::uint64_t>(text.size()));
    bytes += text;
}

/// Reads front to back; after the first thing that is not there, everything is empty.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    std::uint64_t number() {
        std::uint64_t value = 0;
        const std::string_view raw = take(sizeof value);
        if (good_) {
            std::memcpy(&value, raw.data(), sizeof value);
        }
        return value;
    }

    std::string text() { return std::string(take(number())); }

    /// A count of things that take at least eight bytes each.
    std::uint64_t count() {
        const std::uint64_t value = number();
        good_ = good_ && value <= rest_.size() / sizeof value;
        return good_ ? value : 0;
    }

    [[nodiscard]] bool complete() const { return good_ && rest_.empty(); }

private:
    std::string_view take(std::uint64_t size) {
        good_ = good_ && size <= rest_.size();
        if (!good_) {
            return {};
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }

    std::string_view rest_;
    bool good_ = true;
};

} // namespace

std::string encode(const CommandSpec& spec) {
    std::string bytes;
    put(bytes, spec.argv.size());
    for (const std::string& argument : spec.argv) {
        put(bytes, argument);
    }
    put(bytes, spec.environment.size());
    for (const auto& [name, value] : spec.environment) {
        put(bytes, name);
        put(bytes, value);
    }
    put(bytes, spec.cpu_ids.size());
    for (const int id : spec.cpu_ids) {
        put(bytes, static_cast<std::uint64_t>(id));
    }
    put(bytes, spec.directory);
    put(bytes, spec.input_file);
    put(bytes, std::uint64_t{spec.capture});
    put(bytes, spec.input);
    return bytes;
}

std::optional<CommandSpec> decode(std::string_view bytes) {
    Reader reader(bytes);
    CommandSpec spec;
    for (auto n = reader.count(); n > 0; --n) {
        spec.argv.push_back(reader.text());
    }
    for (auto n = reader.count(); n > 0; --n) {
        std::string name = reader.text();
        spec.environment.emplace_back(std::move(name), reader.text());
    }
    for (auto n = reader.count(); n > 0; --n) {
        spec.cpu_ids.push_back(static_cast<int>(reader.number()));
    }
    spec.directory = reader.text();
    spec.input_file = reader.text();
    spec.capture = reader.number() != 0;
    spec.input = reader.text();
    return reader.complete() ? std::optional(std::move(spec)) : std::nullopt;
}

} // namespace muster::process
