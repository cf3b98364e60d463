// Bytes from anywhere as values of nested types, through the public codec. The first byte picks the
// type.

#include "allocations.hpp"

#include <muster/core/serialize.hpp>

#include <algorithm>
#include <array>
#include <complex>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

using namespace muster;

// An empty string takes 32 bytes for the one that says so; what vectors double to grow makes it
// twice as many in a value held, and three times in the one being read.
constexpr std::size_t factor = 192;

struct Point {
    double x = 0;
    float y = 0;
    std::int16_t z = 0;
};

struct Tree {
    std::string name;
    std::vector<Tree> children;
};

class Archived {
public:
    template <class A>
    void serialize(A& archive) {
        archive(points_, flags_, next_);
    }

private:
    std::map<std::string, Point> points_;
    std::vector<bool> flags_;
    std::optional<std::variant<std::monostate, std::string, std::vector<Point>>> next_;
};

/// A value that decodes is encoded, decodes again, and is the same bytes then.
template <class T>
void decode_as(std::span<const std::byte> bytes) {
    const fuzz::Allocations allocations;
    try {
        const auto value = from_buffer<T>(bytes);
        const Buffer once = to_buffer(value);
        const auto again = from_buffer<T>(once);
        if (to_buffer(again) != once) {
            std::abort();
        }
    } catch (const Error& error) {
        if (error.code() != ErrorCode::malformed) {
            throw;
        }
    }
    allocations.expect_at_most(factor, bytes.size());
}

template <class... T>
void decode_as_one(std::size_t which, std::span<const std::byte> bytes) {
    constexpr std::array<void (*)(std::span<const std::byte>), sizeof...(T)> all{&decode_as<T>...};
    all[which % all.size()](bytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto bytes = std::as_bytes(std::span(data, size));
    decode_as_one<std::string,
                  std::vector<Point>,
                  std::vector<std::vector<std::string>>,
                  Tree,
                  Archived,
                  std::map<std::string, std::vector<std::optional<std::int32_t>>>,
                  std::set<std::uint8_t>,
                  std::list<std::pair<bool, std::string>>,
                  std::deque<std::variant<bool, double, std::string, Buffer>>,
                  std::tuple<std::array<std::uint16_t, 3>, std::complex<double>, std::u32string>,
                  std::multimap<std::int8_t, std::vector<bool>>,
                  std::vector<std::monostate>>(data[0], bytes.subspan(1));
    return 0;
}
