// Handles go wherever values go: into tasks, calls, structs and stored objects. Whoever has one may
// call the actor, straight from rank to rank; when the last handle anywhere is gone, its destructor
// runs. An actor with a name is found without a handle.

#include <muster/core/muster.hpp>

#include <iostream>
#include <string>
#include <vector>

class Board {
public:
    void post(const std::string& player, int score) {
        if (score > best_) {
            best_ = score;
            leader_ = player;
        }
    }

    [[nodiscard]] std::string leader() const { return leader_ + " with " + std::to_string(best_); }

private:
    int best_ = 0;
    std::string leader_ = "nobody";
};

struct Match {
    std::string player;
    muster::ActorHandle<Board> board;
};

void play(const Match& match) {
    const int score = static_cast<int>(match.player.size()) * 10;
    match.board.call<&Board::post>(match.player, score).get();
}

std::string ask_for_leader() {
    return muster::find_actor<Board>("board").call<&Board::leader>().get();
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        auto board = muster::spawn<Board>({.placement = muster::spread, .name = "board"});
        std::vector<Match> matches;
        for (const char* player : {"Ada", "Grace", "Katherine", "Mary"}) {
            matches.push_back({player, board});
        }
        for (const auto& match : muster::map<&play>(matches)) {
            match.get();
        }
        std::cout << "leader: " << muster::task<&ask_for_leader>().get() << '\n';
    });
}
