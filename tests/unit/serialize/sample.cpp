#include "sample.hpp"

#include <muster/base/random.hpp>

namespace sample {

namespace {

std::string random_text(muster::Random& random) {
    std::string text(random.below(12), ' ');
    for (char& character : text) {
        character = static_cast<char>(random.between(-128, 127));
    }
    return text;
}

template <class Make>
auto random_list(muster::Random& random, Make make) {
    std::vector<decltype(make())> list;
    for (auto count = random.below(5); count > 0; --count) {
        list.push_back(make());
    }
    return list;
}

Tree random_tree(muster::Random& random, int depth) {
    Tree tree{static_cast<int>(random.next()), {}};
    if (depth > 0) {
        tree.children = random_list(random, [&] { return random_tree(random, depth - 1); });
    }
    return tree;
}

} // namespace

Everything random_everything(std::uint64_t seed) {
    muster::Random random(seed);
    const auto integer = [&] { return static_cast<int>(random.next()); };
    const auto text = [&] { return random_text(random); };
    const auto point = [&] { return Point{random.normal(), random.normal()}; };
    const auto colour = [&] { return static_cast<Colour>(random.below(3)); };

    Everything value;
    value.flag = random.chance(0.5);
    value.small = static_cast<std::int16_t>(random.next());
    value.fraction = static_cast<float>(random.normal());
    value.colour = colour();
    value.text = text();
    value.numbers = random_list(random, [&] { return random.uniform(); });
    for (auto count = random.below(20); count > 0; --count) {
        value.bits.push_back(random.chance(0.5));
    }
    value.pair_of_padded[1] = {static_cast<std::uint8_t>(random.next()), random.normal()};
    for (const auto& word : random_list(random, text)) {
        value.queue.push_back(word);
        value.lists[word] = random_list(random, integer);
        value.names[integer()] = word;
        value.words.insert(word);
    }
    for (const auto& one : random_list(random, point)) {
        value.points.push_back(one);
        value.set.insert(integer());
        value.colours.emplace(static_cast<int>(random.below(2)), colour());
    }
    value.pair = {integer(), text()};
    value.tuple = {random.chance(0.5), random.normal(), random_list(random, point)};
    if (random.chance(0.5)) {
        value.maybe = text();
    }
    switch (random.below(4)) {
    case 1:
        value.either = integer();
        break;
    case 2:
        value.either = text();
        break;
    case 3:
        value.either = point();
        break;
    default:
        break;
    }
    value.duration = std::chrono::milliseconds(integer());
    value.time += std::chrono::nanoseconds(integer());
    value.path = "/data/" + std::to_string(integer());
    value.complex = {value.fraction, 2};
    value.buffer = muster::Buffer::copy_of(std::as_bytes(std::span(value.text)));
    value.amount = muster::Amount::from_units(integer());
    value.bytes = muster::Bytes{random.next()};
    value.tree = random_tree(random, 2);
    value.member = Member(integer(), text());
    value.free = Free(random_list(random, integer));
    value.nothings.resize(random.below(5));
    return value;
}

} // namespace sample
