#include <muster/train/collective_log.hpp>

namespace muster::train {

std::string_view to_string(Phase phase) {
    switch (phase) {
    case Phase::compute:
        return "compute";
    case Phase::data:
        return "data";
    case Phase::checkpoint:
        return "checkpoint";
    }
    return "?";
}

std::string_view to_string(Collective kind) {
    switch (kind) {
    case Collective::barrier:
        return "barrier";
    case Collective::broadcast:
        return "broadcast";
    case Collective::all_reduce:
        return "all_reduce";
    case Collective::reduce_scatter:
        return "reduce_scatter";
    case Collective::all_gather:
        return "all_gather";
    case Collective::all_to_all:
        return "all_to_all";
    }
    return "?";
}

} // namespace muster::train
