// One mistake behind each macro; without any of them this compiles.

#include <muster/core/muster.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

double half(double x) {
    return x / 2;
}

std::string join(const std::string& a, const std::string& b) {
    return a + b;
}

double sum(std::vector<double> values) {
    return values.empty() ? 0 : values.front();
}

double solve(muster::Communicator& ranks, double x) {
    return x * ranks.size();
}

} // namespace

void fine() {
    (void)muster::task<&half>(1);
    (void)muster::task<&join>.with({.cpus = 2, .name = "join"})("a", std::string("b"));
    (void)muster::task<&sum>(std::vector{muster::task<&half>(1.0)});
    (void)muster::task<[](double x) { return x; }>(muster::task<&half>(1.0));
    (void)muster::map<&half>(std::vector<double>{1, 2});
    std::vector<double> all = muster::task<&solve>.with({.ranks = 2})(1.0).get();
}

#if defined(WRONG_ARGUMENT)
void mistake() {
    (void)muster::task<&half>(std::string("one"));
}
#elif defined(TOO_FEW_ARGUMENTS)
void mistake() {
    (void)muster::task<&join>(std::string("one"));
}
#elif defined(TOO_MANY_ARGUMENTS)
void mistake() {
    (void)muster::task<&half>.with({.cpus = 2})(1.0, 2.0);
}
#elif defined(REFERENCE_PARAMETER)
void increase(int& x) {
    ++x;
}

void mistake() {
    int x = 1;
    muster::task<&increase>(x);
}
#elif defined(POINTER_INSIDE)
struct Node {
    int value = 0;
    Node* next = nullptr;
};

int first(const Node& node) {
    return node.value;
}

void mistake() {
    (void)muster::task<&first>(Node{});
}
#elif defined(SPAN_TO_WRITE_TO)
void clear(std::span<double> values) {
    values[0] = 0;
}

void mistake() {
    (void)muster::task<&clear>(std::vector<double>(3));
}
#elif defined(VIEW_INSIDE)
std::size_t count(const std::vector<std::string_view>& names) {
    return names.size();
}

void mistake() {
    (void)muster::task<&count>(std::vector<std::string_view>{"text"});
}
#elif defined(VIEW_RESULT)
std::string_view name() {
    return "text";
}

void mistake() {
    (void)muster::task<&name>();
}
#elif defined(POINTER_RESULT)
std::unique_ptr<int> make() {
    return nullptr;
}

void mistake() {
    (void)muster::task<&make>();
}
#elif defined(REFERENCE_RESULT)
const int& shared() {
    static const int value = 1;
    return value;
}

void mistake() {
    (void)muster::task<&shared>();
}
#elif defined(CAPTURING_LAMBDA)
void mistake() {
    double factor = 2;
    (void)muster::task<[factor](double x) { return factor * x; }>(1.0);
}
#elif defined(GENERIC_LAMBDA)
void mistake() {
    (void)muster::task<[](auto x) { return x; }>(1.0);
}
#elif defined(MEMBER_FUNCTION)
struct Counter {
    int value = 0;

    int get() const { return value; }
};

void mistake() {
    (void)muster::task<&Counter::get>(Counter{});
}
#elif defined(WRONG_FUTURE)
void mistake() {
    (void)muster::task<&half>(muster::task<&join>("a", "b"));
}
#elif defined(WRONG_FUTURES)
void mistake() {
    (void)muster::task<&sum>(std::vector{muster::task<&join>("a", "b")});
}
#elif defined(WRONG_ELEMENTS)
void mistake() {
    (void)muster::map<&half>(std::vector<std::string>{"a"});
}
#elif defined(ELEMENTS_THAT_ARE_NO_TUPLES)
void mistake() {
    (void)muster::map<&join>(std::vector<std::string>{"a"});
}
#elif defined(COMMUNICATOR_NOT_FIRST)
void mistake() {
    (void)muster::task<[](double x, muster::Communicator& ranks) { return x * ranks.size(); }>(1.0);
}
#elif defined(COMMUNICATOR_BY_VALUE)
void mistake() {
    (void)muster::task<[](const muster::Communicator& ranks) { return ranks.size(); }>();
}
#elif defined(TWO_COMMUNICATORS)
void mistake() {
    (void)muster::task<[](muster::Communicator& ranks, muster::Communicator& others) {
        return ranks.size() + others.size();
    }>();
}
#elif defined(COMMUNICATOR_ARGUMENT)
void mistake(muster::Communicator& ranks) {
    (void)muster::task<&solve>(ranks, 1.0);
}
#elif defined(MEMBERS_POINTER_RESULT)
void mistake() {
    (void)muster::task<[](muster::Communicator&) { return std::make_unique<int>(1); }>();
}
#elif defined(DRIVER_RESULT)
int mistake(int argc, char** argv) {
    return muster::run(argc, argv, [] { return std::string("done"); });
}
#elif defined(STORED_POINTER)
void mistake() {
    int x = 0;
    (void)muster::put(&x);
}
#endif
