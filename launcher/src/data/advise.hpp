#pragma once

#include <muster/data/inspect.hpp>

#include <string>
#include <vector>

namespace muster::launcher::data {

/// What could be better about how a dataset is kept, for training that reads rows in random order:
/// each a sentence that ends in what to do. Pure.
[[nodiscard]] std::vector<std::string> advise(const muster::data::Column& column);

/// "deflate 4", "blosc", "shuffle": a filter, with its level where it has one.
[[nodiscard]] std::string filter_text(const muster::data::Filter& filter);

/// "60000 x 28 x 28"; "one value" for none.
[[nodiscard]] std::string shape_text(const std::vector<std::uint64_t>& shape);

/// "\"metres\"", "1.5", "[1, 2]": an attribute's value, shortened where it is long.
[[nodiscard]] std::string value_text(const muster::data::Attribute& attribute);

} // namespace muster::launcher::data
