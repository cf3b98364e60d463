#pragma once

#include <muster/base/result.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::launcher::data {

/// Reads text in comma-separated values, RFC 4180, as it comes in pieces of any size: "…" may hold
/// delimiters, line ends and, doubled, quotes; lines end with LF or CRLF; empty lines are skipped,
/// and so is a byte order mark. Pure. Memory: one record, at most `record_bytes_max`.
class CsvReader {
public:
    static constexpr std::uint64_t record_bytes_max = std::uint64_t{64} << 20U;

    /// Fields of one record, and the line it begins in, from 1. The fields are the reader's.
    using Visit =
        std::function<Result<std::monostate>(std::span<const std::string>, std::uint64_t line)>;

    explicit CsvReader(char delimiter) : delimiter_(delimiter) {}

    /// @return what is wrong, with "line 7: " before it; the visitor's failures too.
    Result<std::monostate> feed(std::string_view bytes, const Visit& visit);

    /// The text is at its end: the last record needs no line end.
    Result<std::monostate> finish(const Visit& visit);

private:
    enum class Place : std::uint8_t { field_start, plain, quoted, quote_in_quoted };

    Result<std::monostate> take(char byte, const Visit& visit);
    void end_field();
    Result<std::monostate> end_record(const Visit& visit);
    [[nodiscard]] Failure failure(std::string_view text) const;

    char delimiter_;
    Place place_ = Place::field_start;
    bool after_return_ = false; ///< A CR that a LF may follow.
    std::uint64_t line_ = 1;
    std::uint64_t record_line_ = 1;
    std::uint64_t bytes_ = 0; ///< Taken, until the byte order mark is behind us.
    std::uint64_t record_bytes_ = 0;
    std::string field_;
    std::vector<std::string> fields_; ///< Of the record; kept, to use their memory again.
    std::size_t fields_used_ = 0;
};

} // namespace muster::launcher::data
