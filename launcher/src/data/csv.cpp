#include "data/csv.hpp"

#include <fmt/format.h>

namespace muster::launcher::data {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

} // namespace

Failure CsvReader::failure(std::string_view text) const {
    return {ErrorCode::malformed, fmt::format("line {}: {}", record_line_, text)};
}

void CsvReader::end_field() {
    if (fields_used_ == fields_.size()) {
        fields_.emplace_back();
    }
    fields_[fields_used_].swap(field_);
    field_.clear();
    ++fields_used_;
    place_ = Place::field_start;
}

Result<std::monostate> CsvReader::end_record(const Visit& visit) {
    const bool is_blank = fields_used_ == 0 && field_.empty() && place_ == Place::field_start;
    if (!is_blank) {
        end_field();
        if (auto visited = visit({fields_.data(), fields_used_}, record_line_); !visited) {
            return failure(visited.error().message);
        }
    }
    fields_used_ = 0;
    record_bytes_ = 0;
    record_line_ = line_;
    return std::monostate{};
}

Result<std::monostate> CsvReader::take(char byte, const Visit& visit) {
    if (after_return_) {
        after_return_ = false;
        if (byte == '\n') {
            ++line_;
            return end_record(visit);
        }
        return failure("a carriage return stands alone; lines end with LF or CRLF");
    }
    if (++record_bytes_ > record_bytes_max) {
        return failure(fmt::format("the record has more than {} MiB; is a quote missing at the end "
                                   "of a field?",
                                   record_bytes_max >> 20U));
    }
    switch (place_) {
    case Place::quoted:
        if (byte == '"') {
            place_ = Place::quote_in_quoted;
        } else {
            line_ += byte == '\n' ? 1 : 0;
            field_ += byte;
        }
        return std::monostate{};
    case Place::quote_in_quoted:
        if (byte == '"') {
            field_ += byte;
            place_ = Place::quoted;
            return std::monostate{};
        }
        if (byte != delimiter_ && byte != '\n' && byte != '\r') {
            return failure(fmt::format("field {} goes on behind its closing quote; a quote inside "
                                       "of quotes is written twice",
                                       fields_used_ + 1));
        }
        break;
    case Place::field_start:
        if (byte == '"') {
            place_ = Place::quoted;
            return std::monostate{};
        }
        break;
    case Place::plain:
        if (byte == '"') {
            return failure(fmt::format("field {} has a quote in it, but does not begin with one; "
                                       "quote the whole field",
                                       fields_used_ + 1));
        }
        break;
    }
    if (byte == delimiter_) {
        end_field(); // and promises another, also at the end of a line
        return std::monostate{};
    }
    if (byte == '\r') {
        after_return_ = true;
        return std::monostate{};
    }
    if (byte == '\n') {
        ++line_;
        return end_record(visit);
    }
    place_ = Place::plain;
    field_ += byte;
    return std::monostate{};
}

Result<std::monostate> CsvReader::feed(std::string_view bytes, const Visit& visit) {
    while (!bytes.empty() && bytes_ < byte_order_mark.size()) {
        // A mark that comes in pieces: what it holds of it is in the field until it is complete.
        const char byte = bytes.front();
        bytes.remove_prefix(1);
        if (byte == byte_order_mark[bytes_]) {
            ++bytes_;
            if (bytes_ == byte_order_mark.size()) {
                break;
            }
            continue;
        }
        const std::string_view held = byte_order_mark.substr(0, bytes_);
        bytes_ = byte_order_mark.size();
        for (const char before : held) {
            if (auto taken = take(before, visit); !taken) {
                return taken;
            }
        }
        if (auto taken = take(byte, visit); !taken) {
            return taken;
        }
    }
    for (const char byte : bytes) {
        if (auto taken = take(byte, visit); !taken) {
            return taken;
        }
    }
    return std::monostate{};
}

Result<std::monostate> CsvReader::finish(const Visit& visit) {
    if (bytes_ < byte_order_mark.size()) {
        const std::string_view held = byte_order_mark.substr(0, bytes_);
        bytes_ = byte_order_mark.size();
        for (const char before : held) {
            if (auto taken = take(before, visit); !taken) {
                return taken;
            }
        }
    }
    if (place_ == Place::quoted) {
        return failure(
            fmt::format("field {} begins with a quote that never ends", fields_used_ + 1));
    }
    after_return_ = false;
    return end_record(visit);
}

} // namespace muster::launcher::data
