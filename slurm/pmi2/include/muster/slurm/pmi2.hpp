#pragma once

#include <muster/base/result.hpp>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace muster::slurm {

/// This process's connection to Slurm's PMI2 server, under `srun --mpi=pmi2`: how the tasks of a
/// step that is no MPI program find each other.
///
/// Each task puts what the others need to know, all call fence(), and then any may get any of it.
/// Not for MPI programs: their MPI library holds the connection itself, and there is one per
/// process. Threading: one thread at a time. Children must not use it; a process of this one that
/// is to be a PMI2 client itself needs a step of its own.
class Pmi2 {
public:
    /// The longest key and value, in bytes: the library's limits, less the end of the text.
    static constexpr std::size_t key_bytes_max = 63;
    static constexpr std::size_t value_bytes_max = 1023;

    /// Whether this build has the client (Slurm's <slurm/pmi2.h> was there).
    static bool compiled_in();

    /// @return a Failure that says what to do if srun did not start this process with --mpi=pmi2,
    /// if
    ///         it has connected before, or if the client is not compiled in.
    static Result<Pmi2> connect();

    Pmi2(Pmi2&& other) noexcept { swap(other); }

    Pmi2& operator=(Pmi2&& other) noexcept {
        swap(other);
        return *this;
    }

    Pmi2(const Pmi2&) = delete;
    Pmi2& operator=(const Pmi2&) = delete;

    /// Tells the server that this task is done with it; a task that ends without is reported by
    /// srun.
    ~Pmi2();

    [[nodiscard]] int rank() const { return rank_; }

    [[nodiscard]] int size() const { return size_; }

    /// "12.0": job and step.
    [[nodiscard]] const std::string& step() const { return step_; }

    /// Text of printable ASCII without ';' (the protocol's own separator); a key without '=', too.
    /// Others see it after the next fence().
    Result<std::monostate> put(const std::string& key, const std::string& value);

    /// Collective: every task of the step. Returns when all have called it; a task that ends before
    /// keeps the others waiting until srun ends the step (--kill-on-bad-exit).
    Result<std::monostate> fence();

    /// What any task has put before the last fence(); a Failure that names the key if nobody has.
    Result<std::string> get(const std::string& key);

    /// What the server says of the step, such as "PMI_process_mapping": which ranks share a node.
    Result<std::optional<std::string>> step_attribute(const std::string& name);

private:
    Pmi2(int rank, int size, std::string step) : rank_(rank), size_(size), step_(std::move(step)) {}

    void swap(Pmi2& other) {
        std::swap(rank_, other.rank_);
        std::swap(size_, other.size_);
        std::swap(step_, other.step_);
    }

    int rank_ = -1;
    int size_ = 0; ///< 0: moved from, nothing to end.
    std::string step_;
};

} // namespace muster::slurm
