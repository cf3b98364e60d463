#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::sim {

/// What happened in a simulation that does not happen often: a schedule that never takes a path
/// proves nothing about it.
enum class Path : std::uint8_t {
    coordinator_is_not_driver, ///< The driver's rank and the coordinator are two ranks.
    early_message,             ///< A message of a term that its receiver had not heard of.
    recall_sent,               ///< The coordinator asked for tasks back.
    recall_futile,             ///< And got none.
    task_returned,             ///< Tasks came back to the coordinator.
    grant_declined,            ///< A granted task had been cancelled meanwhile.
    recalled_task_cancelled,   ///< It was cancelled between its return and its next grant.
    slot_revoked,              ///< A class that goes first took a slot.
    slot_bounced,              ///< A slot came back without having run a task.
    task_blocked,              ///< A task waited for a future and lent its CPUs.
    resume_waited,             ///< Its CPUs were taken when it wanted to go on.
    stop_before_start,         ///< A cancelled task was still in its worker's queue.
    stop_while_fetching,       ///< Or waited for a dependency's value.
    stop_while_running,        ///< Or ran, or was blocked.
    stop_too_late,             ///< Or was done, or recalled, when the order came.
    cancel_elsewhere,          ///< A task was cancelled by a rank that does not own it.
    future_borrowed,           ///< A future came to another rank inside a value.
    future_came_home,          ///< A future came to its own rank inside a value.
    subscribed,                ///< A rank asked an owner for an object's outcome.
    object_ready_waited,       ///< And the object was not there yet.
    value_fetched,             ///< A value went from rank to rank by bulk transfer.
    fetch_failed,              ///< The holder had dropped what was fetched.
    fetch_waited,              ///< A value was asked for where it was being fetched.
    copy_fetched,              ///< Or where a copy of it was.
    value_lent,                ///< A value was read where it lay.
    value_lent_unasked,        ///< The same, and the order had said where.
    value_not_mapped,          ///< Or could not be, and was fetched.
    dropped_while_lent,        ///< Its owner dropped it meanwhile.
    value_delivered,           ///< A future's bytes were fetched.
    copy_dropped,              ///< A fetched copy was dropped with its object.
    failed_by_dependency,
    failed_by_exception,
    cancelled_before_start,
    window_full,     ///< A sender had to wait for credits.
    frame_in_pieces, ///< A message spanned packets.
    rank_stalled,
    actor_borrowed,  ///< A handle came to another rank than the actor's owner's.
    actor_came_home, ///< Or to that.
    actor_put_back,  ///< An executor left an actor that had more calls.
    call_removed,    ///< A cancelled call was still in its actor's mailbox.
    call_beside,     ///< A call started while another of its actor was under way.
    call_suspended,  ///< A call left its turn to others.
    turn_awaited,    ///< And found none when it was to go on.
    urgent_overtook, ///< An urgent call started before one that had come earlier.
    actor_for_job,   ///< An actor was made for the job.
    actor_killed,    ///< An actor that lived was killed.
    call_killed,     ///< A call had not started when its actor was killed.
    gate_closed,     ///< What a rank's threads reported waited for a handle's acknowledgement.
    constructor_failed,
    name_taken,
    actor_found,
    actor_not_found,
    found_actor_gone, ///< A name led to an actor that was destroyed meanwhile.
    ended_early,      ///< The driver returned while tasks were running.
    gang_started,
    gang_spans_nodes,
    gang_failed,              ///< A member threw or was cancelled.
    member_released,          ///< Another one heard of it while it ran.
    member_stopped_unstarted, ///< Or it was stopped before it had started.
    gang_failed_early,        ///< Or before its rank was told to start it.
    message_placed,           ///< A short message between members came.
    message_in_bulk,          ///< A long one.
    message_withdrawn,        ///< A long one was given up when it was asked for.
    message_late,             ///< A short one came for a gang that had failed.
    attempt_timed_out,        ///< A task ran for longer than an attempt may.
    attempt_refused,          ///< Where the one before, which timed out, still ran.
    late_before_start,        ///< A task's deadline came before it had started.
    late_while_running,       ///< Or while it ran.
    task_explained,           ///< Somebody asked what had become of a task.
    message_not_to_come,      ///< Whoever asked for one was told that its sender had returned.
    group_placed,             ///< All bundles of a placement group had a place.
    group_passed,             ///< A handle of one came inside arguments.
    group_asked,              ///< Tasks in one came to the coordinator, which knew of none.
    group_removed,            ///< Somebody removed one.
    cancelled_with_group,     ///< A task was to run in one that was removed.
    gang_in_group,
    actor_in_group,
    device_shared,      ///< Two had a part of one GPU.
    other_demand,       ///< A task got what it takes instead.
    bundle_waited,      ///< For room on its rank, which the coordinator thought was there.
    bundle_left_in_use, ///< It was given up while something ran in it.

    // Only where ranks fail.
    rank_crashed,
    coordinator_crashed,
    owner_crashed,       ///< A rank whose tasks were not done.
    worker_crashed,      ///< A rank that ran tasks.
    gang_member_crashed, ///< A rank that ran a member of a gang.
    actor_host_crashed,
    crashed_in_start,    ///< Before the cluster stood.
    crashed_in_recovery, ///< Shortly after another loss was declared.
    crashed_in_shutdown,
    rank_froze,        ///< Alone, but not for so long that it was taken for lost.
    frozen_rank_lost,  ///< A rank that stood still was taken for lost.
    frozen_rank_ended, ///< And ended when it came back and was told.
    rank_cut_off,      ///< A rank ended since it had not heard of the driver's for long.
    machine_froze,     ///< All ranks at once.
    attempt_retried,
    gang_retried,
    object_recomputed, ///< A task that had ended well ran again, for its value.
    object_lost,       ///< A future failed since what it stands for is lost.
    value_lost,        ///< A future was resolved, and its bytes were lost before they came.
    failed_by_system,  ///< A task failed since its attempts were lost.
    actor_restarted,
    call_interrupted,   ///< A call was under way when its actor's rank was lost.
    call_replayed,      ///< A call ran again, since what it had done was lost.
    state_loaded,       ///< An actor was restarted with what was saved.
    group_placed_again, ///< A group had lost a bundle with a rank, or the coordinator was lost.
    group_failed,       ///< Or it did not fit the ranks that were left.
    count_,
};

inline constexpr std::size_t path_count = static_cast<std::size_t>(Path::count_);
inline constexpr std::size_t first_fault_path = static_cast<std::size_t>(Path::rank_crashed);

[[nodiscard]] std::string_view name(Path path);

/// What one or several simulations did.
struct Statistics {
    std::uint64_t schedules = 0;
    std::uint64_t events = 0;
    std::uint64_t messages = 0;
    std::uint64_t packets = 0;
    std::uint64_t tasks = 0;    ///< Submitted.
    std::uint64_t attempts = 0; ///< Started.
    std::uint64_t actors = 0;   ///< Spawned.
    std::uint64_t calls = 0;    ///< Of them.
    std::uint64_t crashes = 0;  ///< Injected, and so on.
    std::uint64_t freezes = 0;
    std::uint64_t terms = 0; ///< Granted after losses.
    std::array<std::uint64_t, path_count> paths{};

    void took(Path path, std::uint64_t times = 1) {
        paths[static_cast<std::size_t>(path)] += times;
    }

    [[nodiscard]] std::uint64_t times(Path path) const {
        return paths[static_cast<std::size_t>(path)];
    }

    void add(const Statistics& other);
};

} // namespace muster::sim
