#include <muster/base/error.hpp>
#include <muster/train/hook.hpp>

#include <fmt/format.h>

#include <variant>

namespace muster::train {
namespace {

template <class T>
class NarrowReduction final : public HookedReduction {
public:
    NarrowReduction(std::span<float> bucket, Backend& backend)
        : bucket_(bucket), narrow_(bucket.size()) {
        narrow(bucket, narrow_);
        event_ = backend.all_reduce(std::span(narrow_));
    }

    bool advance() override {
        event_.wait();
        widen(narrow_, bucket_);
        return false;
    }

private:
    std::span<float> bucket_;
    std::vector<T> narrow_;
    Event event_; ///< After what it works on.
};

class NarrowHook final : public GradientHook {
public:
    explicit NarrowHook(ElementType type) : type_(type) {}

    std::string_view name() const noexcept override { return name_of(type_); }

    std::unique_ptr<HookedReduction>
    reduce(std::span<float> bucket, std::span<const BucketPiece>, Backend& backend) override {
        if (type_ == ElementType::float16) {
            return std::make_unique<NarrowReduction<Float16>>(bucket, backend);
        }
        return std::make_unique<NarrowReduction<BFloat16>>(bucket, backend);
    }

private:
    ElementType type_;
};

} // namespace

std::shared_ptr<GradientHook> make_narrow_hook(ElementType type) {
    if (type != ElementType::float16 && type != ElementType::bfloat16) {
        throw UsageError(
            fmt::format("gradients cannot be narrowed to {}: float16 or bfloat16", name_of(type)));
    }
    return std::make_shared<NarrowHook>(type);
}

} // namespace muster::train
