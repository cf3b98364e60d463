#pragma once

#include "look/answers.hpp"
#include "look/server.hpp"
#include "registry/registry.hpp"

#include <memory>
#include <string>

namespace muster::runtime {

class RankClient;

/// Where the driver's rank answers those who look at the run.
class LookDesk {
public:
    struct Config {
        std::string runtime_directory; ///< XDG_RUNTIME_DIR; may be empty.
        look::Answers::Run run;
    };

    /// None if there is no place to listen at: that is logged, and no reason not to run.
    /// `client` and `functions` must outlive it.
    [[nodiscard]] static std::unique_ptr<LookDesk>
    open(Config config, RankClient& client, const FunctionTable& functions);

    LookDesk(const LookDesk&) = delete;
    LookDesk& operator=(const LookDesk&) = delete;
    /// Once the client has ended, so that nobody waits for an answer.
    ~LookDesk();

    /// Before an end that runs no destructors.
    void remove_socket() noexcept;

private:
    class OfClient;

    LookDesk(Config config, RankClient& client, const FunctionTable& functions);

    std::unique_ptr<look::Source> source_;
    look::Answers answers_;
    std::unique_ptr<look::Server> server_;
};

} // namespace muster::runtime
