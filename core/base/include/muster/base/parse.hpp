#pragma once

#include <muster/base/amount.hpp>
#include <muster/base/result.hpp>

#include <string_view>

namespace muster {

/// Reads an amount of a resource: "2", "0.5", "0.3333": not negative, at most four digits behind
/// the point. @return a Failure (usage) that says so.
Result<Amount> parse_amount(std::string_view text);

/// Reads a size: "512", "512B", "16GiB", "1.5 G": K, M, G, T and KiB, MiB, GiB, TiB all are powers
/// of 1,024. @return a Failure (usage) that says so.
Result<Bytes> parse_bytes(std::string_view text);

} // namespace muster
