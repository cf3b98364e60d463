#include "members.hpp"

#include "local_gang.hpp"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace muster::test {
namespace {

void run_reference(int members, const std::function<void(train::Backend&)>& body) {
    std::mutex mutex;
    std::exception_ptr failure;
    auto backends = train::make_reference_backends(members);
    std::vector<std::jthread> threads;
    for (auto& backend : backends) {
        threads.emplace_back([&, own = std::move(backend)]() mutable {
            try {
                body(*own);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!failure) {
                    failure = std::current_exception();
                }
            }
            own.reset(); // as a member that returned
        });
    }
    threads.clear();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

} // namespace

void run_members(const std::string& backend,
                 int members,
                 const std::function<void(train::Backend&)>& body) {
    if (backend == "reference") {
        return run_reference(members, body);
    }
    run_gang(
        members,
        [&](Communicator& communicator) { body(*train::make_communicator_backend(communicator)); },
        {.engine = GangOptions::Engine::one_segment});
}

} // namespace muster::test
