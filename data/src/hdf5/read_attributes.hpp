#pragma once

#include "hdf5/call.hpp"

#include <muster/data/new_column.hpp>

#include <string>
#include <vector>

namespace muster::data::hdf5 {

struct Notes {
    std::vector<Attribute> attributes;
    std::vector<std::string> others; ///< Names of those that Attribute cannot hold.
};

/// The attributes of a dataset or file, in order of name.
/// @param object  Identifier of either; borrowed.
[[nodiscard]] Notes read_attributes(const Subject& subject, hid_t object);

/// Files that a virtual dataset refers to, as they are named in it, in order of name; none for
/// others.
[[nodiscard]] std::vector<std::string> virtual_sources(const Subject& subject, hid_t dataset);

/// The version that commit() gave the file; 0 for one that it has not written.
[[nodiscard]] std::uint64_t read_generation(const File& file);

/// The attribute in which it is.
constexpr const char* generation_name = "muster_generation";

} // namespace muster::data::hdf5
