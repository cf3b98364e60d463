#pragma once

#include <muster/core/serialize.hpp>

#include <chrono>
#include <complex>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

/// Types that the tests of the codec share.
namespace sample {

enum class Colour : std::uint8_t { red, green, blue };

struct Point {
    double x = 0;
    double y = 0;

    friend auto operator<=>(const Point&, const Point&) = default;
};

struct Padded {
    std::uint8_t small = 0;
    double large = 0;

    friend auto operator<=>(const Padded&, const Padded&) = default;
};

struct Empty {
    friend auto operator<=>(const Empty&, const Empty&) = default;
};

/// A type that contains itself.
struct Tree {
    int label = 0;
    std::vector<Tree> children;

    friend bool operator==(const Tree&, const Tree&) = default;
};

/// A class, with the cereal spelling.
class Member {
public:
    Member() = default;

    Member(int number, std::string text) : number_(number), text_(std::move(text)) {}

    template <class Archive>
    void serialize(Archive& archive) {
        archive(number_, text_);
    }

    friend bool operator==(const Member&, const Member&) = default;

private:
    int number_ = 0;
    std::string text_;
};

class Free {
public:
    Free() = default;

    explicit Free(std::vector<int> numbers) : numbers_(std::move(numbers)) {}

    template <class Archive>
    friend void serialize(Archive& archive, Free& value) {
        archive(value.numbers_);
    }

    friend bool operator==(const Free&, const Free&) = default;

private:
    std::vector<int> numbers_;
};

/// Encodes itself by the library's own hooks, and counts in the context.
class Hooked {
public:
    Hooked() = default;

    explicit Hooked(int value) : value_(value) {}

    friend void muster_encode(muster::Writer& writer, const Hooked& value) {
        ++*static_cast<int*>(writer.context());
        encode(writer, value.value_);
    }

    friend void muster_decode(muster::Reader& reader, Hooked& value) {
        --*static_cast<int*>(reader.context());
        decode(reader, value.value_);
    }

    friend bool operator==(const Hooked&, const Hooked&) = default;

private:
    int value_ = 0;
};

class Opaque {
public:
    Opaque() = default;

    explicit Opaque(std::int64_t value) : value_(value) {}

    friend bool operator==(const Opaque&, const Opaque&) = default;

private:
    std::int64_t value_ = 0;
};

/// One of everything.
struct Everything {
    bool flag = false;
    std::int16_t small = 0;
    float fraction = 0;
    Colour colour{};
    std::string text;
    std::vector<double> numbers;
    std::vector<bool> bits;
    std::array<Padded, 2> pair_of_padded{};
    std::deque<std::string> queue;
    std::list<Point> points;
    std::map<std::string, std::vector<int>> lists;
    std::multimap<int, Colour> colours;
    std::set<int> set;
    std::unordered_map<int, std::string> names;
    std::unordered_set<std::string> words;
    std::pair<int, std::string> pair;
    std::tuple<bool, double, std::vector<Point>> tuple;
    std::optional<std::string> maybe;
    std::variant<std::monostate, int, std::string, Point> either;
    std::chrono::milliseconds duration{};
    std::chrono::steady_clock::time_point time;
    std::filesystem::path path;
    std::complex<float> complex;
    muster::Buffer buffer;
    muster::Amount amount;
    muster::Bytes bytes;
    Tree tree;
    Member member;
    Free free;
    std::vector<Empty> nothings;

    friend bool operator==(const Everything&, const Everything&) = default;
};

/// Different for every seed, containers empty now and then.
Everything random_everything(std::uint64_t seed);

} // namespace sample

template <>
inline constexpr bool muster::trivially_encodable<sample::Opaque> = true;
