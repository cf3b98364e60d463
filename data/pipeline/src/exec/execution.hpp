#pragma once

#include "plan/plan.hpp"

#include <muster/pipeline/batches.hpp>
#include <muster/pipeline/options.hpp>

#include <memory>

/// Runs of whole pipelines, as Pipeline begins them.
namespace muster::data::exec {

/// Begins a run, whose blocks are then asked for.
[[nodiscard]] std::unique_ptr<detail::Execution> start(const plan::NodePtr& node,
                                                       const ExecutionOptions& options);

/// Runs all of it, and keeps the blocks as values.
[[nodiscard]] plan::Stored collect_blocks(const plan::NodePtr& node,
                                          const ExecutionOptions& options);

} // namespace muster::data::exec
