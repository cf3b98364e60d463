#pragma once

/// Everything that a program of tasks needs.

#include <muster/core/actor.hpp>
#include <muster/core/actor_pool.hpp>
#include <muster/core/command_task.hpp>
#include <muster/core/communicator.hpp>
#include <muster/core/coroutine.hpp>
#include <muster/core/ending.hpp>
#include <muster/core/error.hpp>
#include <muster/core/future.hpp>
#include <muster/core/future_set.hpp>
#include <muster/core/generator.hpp>
#include <muster/core/memory_report.hpp>
#include <muster/core/options.hpp>
#include <muster/core/placement_group.hpp>
#include <muster/core/resources.hpp>
#include <muster/core/runtime.hpp>
#include <muster/core/task.hpp>
#include <muster/core/this_task.hpp>
#include <muster/core/view.hpp>
