#pragma once

#include <muster/core/actor_pool.hpp>
#include <muster/core/future.hpp>
#include <muster/pipeline/block.hpp>
#include <muster/pipeline/detail/step_call.hpp>
#include <muster/pipeline/options.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

/// Objects of a user's class that are given blocks. Private to the library.
namespace muster::data::detail {

class BlockPool {
public:
    BlockPool() = default;
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;
    virtual ~BlockPool() = default;
    virtual Future<Block> submit(const Future<Block>& block) = 0;
};

/// What a stage of actors needs to be run, again each time.
struct BlockPoolMaker {
    std::function<std::unique_ptr<BlockPool>()> make;
    std::size_t actors = 1;
};

/// A constructor's argument as it is kept and sent.
template <class A>
using StoredArgument =
    std::conditional_t<std::is_convertible_v<A, std::string_view>, std::string, std::decay_t<A>>;

template <class C, class... A>
class BatchActor {
public:
    BatchActor(std::uint64_t batch_size, std::tuple<A...> arguments)
        : batch_size_(batch_size), object_(std::make_from_tuple<C>(std::move(arguments))) {}

    Block run(const Block& block) {
        if (block.rows() == 0) {
            return {};
        }
        return in_batches(
            block, batch_size_, [&](const Block& batch) -> Block { return object_(batch); });
    }

private:
    std::uint64_t batch_size_;
    C object_;
};

template <class C, class... A>
class ActorBlockPool final : public BlockPool {
public:
    using Actor = BatchActor<C, A...>;

    ActorBlockPool(const MapOptions& options, const std::tuple<A...>& arguments)
        : pool_(options.actors,
                ActorOptions{.cpus = options.cpus, .gpus = options.gpus},
                options.batch_size,
                arguments) {}

    Future<Block> submit(const Future<Block>& block) override {
        return pool_.template submit<&Actor::run>(block);
    }

private:
    ActorPool<Actor> pool_;
};

} // namespace muster::data::detail
