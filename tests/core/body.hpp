#pragma once

#include <muster/core/muster.hpp>

#include <gtest/gtest.h>

#include <ostream>
#include <vector>

/// The core's test bodies: each runs in the driver of a run, and is the same for threads of one
/// process (local_test.cpp) and for MPI ranks (mpi_test.cpp).
///
/// Tasks run on other ranks too: they return what they saw, and only the driver expects.
namespace muster::test {

struct Body {
    const char* name;
    void (*run)();

    friend std::ostream& operator<<(std::ostream& out, const Body& body) {
        return out << body.name;
    }
};

/// Every body of this program, in no particular order.
std::vector<Body>& bodies();

struct RegisteredBody {
    explicit RegisteredBody(Body body) { bodies().push_back(body); }
};

/// What the bodies need of every rank, whatever the machine has: set before a run starts.
/// 2 CPUs, custom resources: 2 of "slot", 1 of "license"; a second from SIGTERM to SIGKILL.
void set_environment();

[[nodiscard]] inline int rank_count() {
    return cluster().ranks;
}

/// The rank `steps` after rank 0, going round.
[[nodiscard]] inline Placement rank_at(int steps) {
    return on_rank(steps % rank_count());
}

/// A task that ends only when it is asked to stop. @return its rank.
int wait_for_stop();

/// The rank that runs it.
int where();

/// What `call` throws, as text; a failed expectation if it throws nothing or something else.
template <class Exception, class Call>
std::string thrown_by(Call&& call) {
    try {
        call();
    } catch (const Exception& error) {
        return error.what();
    } catch (const std::exception& error) {
        ADD_FAILURE() << "another exception: " << error.what();
        return {};
    }
    ADD_FAILURE() << "no exception";
    return {};
}

inline bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace muster::test

/// MUSTER_BODY(NameIsASentence) { ... }
#define MUSTER_BODY(name)                                                                          \
    static void name();                                                                            \
    static const ::muster::test::RegisteredBody name##_registered{{#name, &name}};                 \
    static void name()
