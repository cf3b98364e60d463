// Gangs that call MPI themselves: with MPI they do, and without it they are told so at the call.

#include "gangs.hpp"

#include <muster/core/mpi.hpp>

#include <stdexcept>

namespace muster::test {
namespace {

bool have_mpi() {
    int initialized = 0;
    MPI_Initialized(&initialized);
    return initialized != 0;
}

int sum_by_mpi(Communicator& ranks, int value) {
    MPI_Comm communicator = mpi_communicator(ranks);
    int rank = -1;
    int size = -1;
    MPI_Comm_rank(communicator, &rank);
    MPI_Comm_size(communicator, &size);
    if (rank != ranks.rank() || size != ranks.size()) {
        throw std::logic_error("another rank or size than the gang's");
    }
    int sum = 0;
    MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, communicator);
    return sum;
}

} // namespace

MUSTER_BODY(WithoutMpiAGangThatCallsItIsRefused) {
    if (have_mpi()) {
        return;
    }
    EXPECT_EQ(thrown_by<Error>([] { (void)task<&sum_by_mpi>.with({.raw_mpi = true})(1); }),
              "task muster::test::sum_by_mpi asks for `.raw_mpi`: there is "
              "no MPI in a program that runs alone; start it with mpirun or srun");
}

MUSTER_BODY(ACommunicatorThatWasNotAskedForIsAnError) {
    const std::string text = error_of(task<&sum_by_mpi>(1)).what();
    EXPECT_TRUE(
        contains(text, "this gang has no MPI communicator: ask for one with `.raw_mpi = true`"))
        << text;
}

MUSTER_BODY(GangsCallMpiOneAfterAnotherAndSideBySide) {
    if (!have_mpi()) {
        return;
    }
    // A rank hosts one such gang at a time, however many there are.
    std::vector<Future<std::vector<int>>> gangs;
    for (int i = 0; i < 30; ++i) {
        gangs.push_back(task<&sum_by_mpi>.with(
            {.cpus = 0.25, .ranks = 1 + i % rank_count(), .raw_mpi = true})(i));
    }
    for (int i = 0; i < 30; ++i) {
        const int n = 1 + i % rank_count();
        EXPECT_EQ(gangs[static_cast<std::size_t>(i)].get(),
                  std::vector<int>(static_cast<std::size_t>(n), n * i));
    }
}

MUSTER_BODY(MembersThatCallMpiAreOnRanksOfTheirOwn) {
    if (!have_mpi()) {
        return;
    }
    const int ranks = rank_count();
    EXPECT_TRUE(contains(thrown_by<Error>([&] {
                             (void)task<&sum_by_mpi>.with(
                                 {.cpus = 0.1, .ranks = ranks + 1, .raw_mpi = true})(1);
                         }),
                         "of the " + std::to_string(ranks) + " ranks that there are, " +
                             std::to_string(ranks) + " can be members of it"));
}

MUSTER_BODY(AMemberThatFailsBeforeAnybodyIsInMpiReleasesTheOthers) {
    if (!have_mpi()) {
        return;
    }
    for (int member = 0; member < rank_count(); ++member) {
        const auto gang = task<[](Communicator& ranks, int failing) {
                              if (ranks.rank() == failing) {
                                  throw std::domain_error("no MPI for me");
                              }
                              return sum_by_mpi(ranks, 1);
                          }>.with({.ranks = rank_count(), .raw_mpi = true})(member);
        EXPECT_EQ(error_of(gang).root_cause().member, member);
        EXPECT_EQ(error_of(gang).root_cause().message, "no MPI for me");
    }
    EXPECT_EQ(task<&sum_by_mpi>.with({.ranks = rank_count(), .raw_mpi = true})(1).get().front(),
              rank_count());
}

} // namespace muster::test
