#include "gang/gather_values.hpp"

#include "gang/communicator_state.hpp"

namespace muster::gang {

std::vector<Buffer> gather_values(Communicator& communicator, Buffer own) {
    return communicator.state()->gather(std::move(own));
}

} // namespace muster::gang
