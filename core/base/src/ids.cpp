#include <muster/base/ids.hpp>

namespace muster {

std::string to_string(Rank rank) {
    return "rank " + std::to_string(index(rank));
}

std::string to_string(NodeId node) {
    return "node " + std::to_string(index(node));
}

std::string to_string(ObjectId id) {
    return "task " + std::to_string(index(owner_of(id))) + ":" + std::to_string(sequence_of(id));
}

std::string to_string(LeaseId id) {
    return "lease " + std::to_string(number(term_of(id))) + ":" +
           std::to_string(static_cast<std::uint64_t>(id) & sequence_mask);
}

} // namespace muster
