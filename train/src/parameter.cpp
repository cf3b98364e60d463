#include <muster/train/parameter.hpp>

#include <vector>

namespace muster::train {

void broadcast_parameters(Communicator& communicator, std::span<const ParameterView> parameters) {
    std::vector<Request> requests;
    requests.reserve(parameters.size());
    for (const ParameterView& parameter : parameters) {
        requests.push_back(
            std::visit([&](const auto& values) { return communicator.broadcast_async(values, 0); },
                       parameter));
    }
    for (Request& request : requests) {
        request.wait();
    }
}

} // namespace muster::train
