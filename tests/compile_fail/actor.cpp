// One mistake behind each macro; without any of them this compiles.

#include <muster/core/muster.hpp>

#include <string>
#include <vector>

namespace {

class Counter {
public:
    Counter() = default;

    explicit Counter(int start) : value_(start) {}

    Counter(double start, std::string name, std::vector<int> /*more*/)
        : value_(static_cast<int>(start)), name_(std::move(name)) {}

    void add(int by) { value_ += by; }

    [[nodiscard]] int value() const noexcept { return value_; }

    [[nodiscard]] const std::string& name() const { return name_; }

    int* place() { return &value_; }

    void swap(int& other) { std::swap(value_, other); }

private:
    int value_ = 0;
    std::string name_;
};

struct Other {
    void run() {}
};

int one() {
    return 1;
}

} // namespace

void fine() {
    const auto counter = muster::spawn<Counter>({.name = "hits"}, 10);
    counter.call<&Counter::add>(muster::task<&one>());
    (void)muster::spawn<Counter>({});
    (void)muster::spawn<Counter>({}, muster::task<&one>());
    (void)muster::spawn<Counter>({}, 1, "text", std::vector{muster::task<&one>()});
    (void)muster::find_actor<Counter>("hits").call<&Counter::value>().get();
    (void)muster::task<[](muster::ActorHandle<Counter> handle) { return handle; }>(counter);
    (void)muster::put(std::vector{counter});
    muster::ActorPool<Counter> pool(2, {});
    (void)pool.map<&Counter::add>(std::vector{1, 2});
    (void)muster::Future<void>();
    (void)&Counter::name;
    (void)&Counter::place;
    (void)&Counter::swap;
    (void)&Other::run;
}

#if defined(WRONG_CONSTRUCTOR)
void mistake() {
    (void)muster::spawn<Counter>({}, std::string("ten"));
}
#elif defined(NO_CLASS)
void mistake() {
    (void)muster::spawn<int>({}, 1);
}
#elif defined(POINTER_ARGUMENT)
struct Pointing {
    explicit Pointing(int* /*where*/) {}
};

void mistake() {
    int x = 1;
    (void)muster::spawn<Pointing>({}, &x);
}
#elif defined(FREE_FUNCTION)
void mistake() {
    (void)muster::spawn<Counter>({}).call<&one>();
}
#elif defined(OTHER_CLASS)
void mistake() {
    (void)muster::spawn<Counter>({}).call<&Other::run>();
}
#elif defined(REFERENCE_PARAMETER)
void mistake() {
    int x = 1;
    (void)muster::spawn<Counter>({}).call<&Counter::swap>(x);
}
#elif defined(REFERENCE_RESULT)
void mistake() {
    (void)muster::spawn<Counter>({}).call<&Counter::name>();
}
#elif defined(POINTER_RESULT)
void mistake() {
    (void)muster::spawn<Counter>({}).call<&Counter::place>();
}
#elif defined(WRONG_ARGUMENT)
void mistake() {
    (void)muster::spawn<Counter>({}).call<&Counter::add>(std::string("one"));
}
#elif defined(TOO_MANY_ARGUMENTS)
void mistake() {
    (void)muster::spawn<Counter>({}).call<&Counter::add>(1, 2);
}
#elif defined(WRONG_FUTURE)
double half() {
    return 0.5;
}

void mistake() {
    (void)muster::spawn<Counter>({}).call<&Counter::add>(muster::task<&half>());
}
#endif
