#include "run/pmi2_meeting.hpp"

#include "run/machine.hpp"

#include <muster/base/log.hpp>
#include <muster/slurm/pmi2.hpp>

#include <fmt/format.h>

#include <sstream>
#include <utility>

namespace muster::launcher::run {
namespace {

constexpr const char* key = "muster-run";

/// "SECRET 10.0.0.1:99,n1:99", as long as a value may be.
std::string meeting_text(const std::string& secret, const std::vector<std::string>& endpoints) {
    std::string text = secret + " ";
    for (const std::string& endpoint : endpoints) {
        if (text.size() + 1 + endpoint.size() <= slurm::Pmi2::value_bytes_max) {
            text += (text.back() == ' ' ? "" : ",") + endpoint;
        }
    }
    return text;
}

void read_meeting(const std::string& text, Rendezvous& rendezvous) {
    std::istringstream words(text);
    std::string endpoints;
    words >> rendezvous.secret >> endpoints;
    rendezvous.endpoints.clear();
    std::istringstream list(endpoints);
    for (std::string endpoint; std::getline(list, endpoint, ',');) {
        rendezvous.endpoints.push_back(endpoint);
    }
}

} // namespace

Listener meet_by_pmi2(const slurm::Environment& environment, Rendezvous& rendezvous) {
    if (!slurm::Pmi2::compiled_in() || !environment.has("PMI_FD")) {
        return {};
    }
    auto server = slurm::Pmi2::connect();
    if (!server) {
        log::info("run", "no_pmi2 why=\"{}\"", server.error().message);
        return {};
    }
    if (server->size() != rendezvous.count || server->rank() != rendezvous.index) {
        return {};
    }
    Listener listener;
    if (rendezvous.index == 0) {
        listener = listen_at(/*everywhere=*/true, 0);
        rendezvous.secret = random_secret();
        rendezvous.endpoints = own_endpoints(listener.port);
        server->put(key, meeting_text(rendezvous.secret, rendezvous.endpoints)).value_or_throw();
    }
    server->fence().value_or_throw();
    if (rendezvous.index != 0) {
        read_meeting(server->get(key).value_or_throw(), rendezvous);
    }
    return listener;
}

} // namespace muster::launcher::run
