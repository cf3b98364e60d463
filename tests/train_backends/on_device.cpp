#include "on_device.hpp"

#include <cuda_runtime_api.h>

#include <stdexcept>

namespace muster::test {
namespace {

using train::Device;

/// Memory of the GPU with a tensor's elements.
class Copy {
public:
    explicit Copy(const train::ConstTensor& of, Device device)
        : bytes_(of.size_bytes()), elements_(of.elements), type_(of.type), device_(device) {
        if (cudaMalloc(&memory_, bytes_ == 0 ? 1 : bytes_) != cudaSuccess ||
            cudaMemcpy(memory_, of.data, bytes_, cudaMemcpyHostToDevice) != cudaSuccess) {
            throw std::runtime_error("a copy to the GPU failed");
        }
    }

    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    ~Copy() { (void)cudaFree(memory_); }

    [[nodiscard]] train::Tensor tensor() const { return {memory_, elements_, type_, device_}; }

    void bring_back(void* to) const {
        if (cudaMemcpy(to, memory_, bytes_, cudaMemcpyDeviceToHost) != cudaSuccess) {
            throw std::runtime_error("a copy from the GPU failed");
        }
    }

private:
    void* memory_ = nullptr;
    std::size_t bytes_;
    std::size_t elements_;
    train::ElementType type_;
    Device device_;
};

class OnDevice final : public train::Backend {
public:
    explicit OnDevice(train::Backend& under) : under_(under) {
        while (!under_.reaches(device_)) {
            ++device_.index;
        }
    }

    std::string_view name() const noexcept override { return under_.name(); }

    int rank() const noexcept override { return under_.rank(); }

    int size() const noexcept override { return under_.size(); }

private:
    class Returning final : public train::Pending {
    public:
        Returning(std::unique_ptr<Copy> data,
                  std::unique_ptr<Copy> result,
                  void* to,
                  train::Event event)
            : data_(std::move(data)), result_(std::move(result)), to_(to),
              event_(std::move(event)) {}

        bool done() override { return event_.test(); }

        void wait() override {
            event_.wait();
            result_->bring_back(to_);
        }

        void give_up() noexcept override { event_ = {}; }

    private:
        std::unique_ptr<Copy> data_;
        std::unique_ptr<Copy> result_;
        void* to_;
        train::Event event_;
    };

    std::unique_ptr<train::Pending> start(const Call& call) override {
        auto data = std::make_unique<Copy>(call.data, device_);
        auto result = std::make_unique<Copy>(call.result, device_);
        train::Event event = begin(call, data->tensor(), result->tensor());
        return std::make_unique<Returning>(
            std::move(data), std::move(result), call.result.data, std::move(event));
    }

    train::Event begin(const Call& call, const train::Tensor& data, const train::Tensor& result) {
        switch (call.kind) {
        case Kind::all_reduce:
            return under_.all_reduce(result, call.op);
        case Kind::reduce_scatter:
            return under_.reduce_scatter(data, result, call.op);
        case Kind::all_gather:
            break;
        case Kind::broadcast:
            return under_.broadcast(result, call.root);
        }
        return under_.all_gather(data, result);
    }

    train::Backend& under_;
    Device device_{Device::Kind::cuda, 0};
};

} // namespace

std::unique_ptr<train::Backend> on_device(train::Backend& under) {
    return std::make_unique<OnDevice>(under);
}

int device_count() {
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

} // namespace muster::test
