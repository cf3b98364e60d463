#include "actor/names.hpp"

#include <utility>

namespace muster::actor {
namespace {

constexpr std::size_t names_told_max = 20; // in an error, for people

} // namespace

void Names::on_claim(Rank from, wire::NameClaim message, wire::Actions& actions) {
    const auto [place, is_new] =
        actors_.try_emplace(std::move(message.name), std::move(message.actor));
    actions.push_back(
        wire::SendMessage{from, wire::NameAnswer{message.request, place->second, {}}});
}

void Names::on_wanted(Rank from, const wire::NameWanted& message, wire::Actions& actions) const {
    wire::NameAnswer answer{message.request, std::nullopt, {}};
    if (const auto place = actors_.find(message.name); place != actors_.end()) {
        answer.actor = place->second;
    } else {
        for (const auto& [name, actor] : actors_) {
            if (answer.names.size() == names_told_max) {
                break;
            }
            answer.names.push_back(name);
        }
    }
    actions.push_back(wire::SendMessage{from, std::move(answer)});
}

void Names::on_held(wire::NameHeld message) {
    actors_.insert_or_assign(std::move(message.name), std::move(message.actor));
}

void Names::on_freed(const wire::NameFreed& message) {
    const auto place = actors_.find(message.name);
    if (place != actors_.end() && place->second.actor == message.actor) {
        actors_.erase(place);
    }
}

} // namespace muster::actor
